#!/usr/bin/env python3
"""Writes files as the Python package gguf writes them: tests/fixtures/formats/python.gguf with values and tensors of
every type, and tests/fixtures/model/python.gguf, the weights of the fixture one_head_odd_width.

Needs numpy, safetensors and gguf. The test programs only read the results.
"""
import json
import pathlib

import gguf
import numpy as np
from safetensors.numpy import load_file

FIXTURES = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures"
BLOCK_TYPES = ("Q4_0", "Q4_1", "Q5_0", "Q5_1", "Q8_0")


def add_metadata(writer):
    """A value of every type that the package writes, and arrays of three."""
    writer.add_uint8("t.uint8", 255)
    writer.add_int8("t.int8", -128)
    writer.add_uint16("t.uint16", 65535)
    writer.add_int16("t.int16", -32768)
    writer.add_uint32("t.uint32", 2**32 - 1)
    writer.add_int32("t.int32", -(2**31))
    writer.add_float32("t.float32", 1e-5)
    writer.add_uint64("t.uint64", 2**64 - 1)
    writer.add_int64("t.int64", -(2**63))
    writer.add_float64("t.float64", 0.1)
    writer.add_bool("t.bool", True)
    writer.add_string("t.string", "é\n墨")
    writer.add_array("t.strings", ["Ġt", "", "<|endoftext|>"])
    writer.add_array("t.integers", [3, -1, 6])
    writer.add_array("t.floats", [0.5, -2.0])


def add_tensors(writer):
    values = np.arange(128, dtype=np.float32).reshape(2, 64) / 8 - 8
    writer.add_tensor("f32", values[:, :3].copy())
    writer.add_tensor("f16", values[0, :5].astype(np.float16))
    writer.add_tensor("cube", values[:, :12].copy().reshape(2, 3, 4))
    bf16 = gguf.quants.quantize(values[:1, :7], gguf.GGMLQuantizationType.BF16)
    writer.add_tensor("bf16", bf16, raw_dtype=gguf.GGMLQuantizationType.BF16)
    for name in BLOCK_TYPES:
        kind = gguf.GGMLQuantizationType[name]
        writer.add_tensor(name.lower(), gguf.quants.quantize(values, kind), raw_dtype=kind)
    # One that Inkstone does not read: whoever asks for it is told, and nobody else.
    writer.add_tensor("i32", np.array([1, 2, 3], dtype=np.int32))


# Hugging Face's name to GGUF's, and whether the matrix is [in, out], which GGUF has the other way round.
LAYER_NAMES = {"ln_1": ("attn_norm", False), "attn.c_attn": ("attn_qkv", True), "attn.c_proj": ("attn_output", True),
               "ln_2": ("ffn_norm", False), "mlp.c_fc": ("ffn_up", True), "mlp.c_proj": ("ffn_down", True)}
WHOLE_NAMES = {"wte": "token_embd", "wpe": "position_embd", "ln_f": "output_norm"}


def add_model(writer, folder):
    config = json.loads((folder / "config.json").read_text())
    writer.add_type("model")
    writer.add_name("test")
    writer.add_block_count(config["n_layer"])
    writer.add_context_length(config["n_positions"])
    writer.add_embedding_length(config["n_embd"])
    writer.add_feed_forward_length(4 * config["n_embd"])
    writer.add_head_count(config["n_head"])
    writer.add_layer_norm_eps(config["layer_norm_epsilon"])
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    for name, values in load_file(folder / "model.safetensors").items():
        name, kind = name.removeprefix("transformer.").rsplit(".", 1)
        turned = False
        if name in WHOLE_NAMES:
            name = WHOLE_NAMES[name]
        else:
            _, layer, part = name.split(".", 2)
            part, turned = LAYER_NAMES[part]
            name = f"blk.{layer}.{part}"
        writer.add_tensor(f"{name}.{kind}", values.T.copy() if turned and kind == "weight" else values)


def write(path, *parts):
    writer = gguf.GGUFWriter(path, "gpt2")
    for part in parts:
        part(writer)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def main():
    write(FIXTURES / "formats" / "python.gguf", add_metadata, add_tensors)
    write(FIXTURES / "model" / "python.gguf", lambda writer: add_model(writer, FIXTURES / "model" / "one_head_odd_width"))


if __name__ == "__main__":
    main()
