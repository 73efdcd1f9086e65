#!/usr/bin/env python3
"""Writes tests/fixtures/tensor/blocks.safetensors: blocks of weights as the gguf package reads and writes them.

Needs numpy, safetensors and gguf. The test program only reads the result:
  TYPE.blocks [bytes], TYPE.values   every type's blocks, and the float32 that gguf.quants makes of them
  encode.values, TYPE.encoded        float32, and the blocks that gguf.quants makes of them (where it can)
"""
import pathlib

import gguf
import numpy as np
from gguf import GGMLQuantizationType
from safetensors.numpy import save_file

FILE = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "tensor" / "blocks.safetensors"

# Where a block's halves lie; all other bytes may be anything.
HALVES = {"Q8_0": [0], "Q4_0": [0], "Q4_1": [0, 2], "Q5_0": [0], "Q5_1": [0, 2], "IQ4_NL": [0],
          "Q2_K": [80, 82], "Q3_K": [108], "Q4_K": [0, 2], "Q5_K": [0, 2], "Q6_K": [208]}
ENCODED = ["Q8_0", "Q4_0", "Q4_1", "Q5_0", "Q5_1"]


def random_blocks(generator, name):
    """One block of usual scales; then subnormal, zero and the largest halves, in turn."""
    bytes_per_block = gguf.GGML_QUANT_SIZES[GGMLQuantizationType[name]][1]
    blocks = generator.integers(0, 256, (3, bytes_per_block), dtype=np.uint8)
    scales = np.array([[0.0123, 0.0456], [-2.0**-24, 0.0], [0.0, -65504.0]], dtype=np.float16)
    for i, at in enumerate(HALVES[name]):
        blocks[:, at:at + 2] = scales[:, i:i + 1].view(np.uint8)
    return blocks


def floats():
    """Bit patterns of f16 and bf16: zeros, subnormals, ties, the largest, infinities."""
    bits = [0, 0x8000, 1, 0x03FF, 0x0400, 0x3C00, 0xBC01, 0x7BFF, 0x7C00, 0xFC00, 0x3555, 0x8001]
    return np.array(bits, dtype=np.uint16).view(np.uint8)


def values_to_encode(generator):
    """Rows of 32: normal, heavy tails, one huge element, zeros, constants, two equal extremes, small ones."""
    rows = [generator.standard_normal(32) * 0.02, generator.standard_t(2, 32) * 0.02,
            generator.standard_normal(32) * 0.02, np.zeros(32), np.full(32, 0.25), np.full(32, -0.3),
            generator.uniform(-1, 1, 32), generator.uniform(0.5, 1, 32), generator.standard_normal(32) * 1e-6]
    rows[2][17] = 2.0
    rows[6][[3, 9]] = [1.5, -1.5]
    return np.array(rows, dtype=np.float32)


def main():
    generator = np.random.default_rng(20)
    tensors = {}
    for name in HALVES:
        blocks = random_blocks(generator, name)
        tensors[f"{name.lower()}.blocks"] = blocks.reshape(-1)
        tensors[f"{name.lower()}.values"] = gguf.quants.dequantize(blocks, GGMLQuantizationType[name]).reshape(-1)
    for name in ["F16", "BF16"]:
        tensors[f"{name.lower()}.blocks"] = floats()
        tensors[f"{name.lower()}.values"] = gguf.quants.dequantize(floats(), GGMLQuantizationType[name])
    values = values_to_encode(generator)
    tensors["encode.values"] = values.reshape(-1)
    for name in ENCODED:
        tensors[f"{name.lower()}.encoded"] = gguf.quants.quantize(values, GGMLQuantizationType[name]).reshape(-1)
    FILE.parent.mkdir(parents=True, exist_ok=True)
    save_file(tensors, FILE)


if __name__ == "__main__":
    main()
