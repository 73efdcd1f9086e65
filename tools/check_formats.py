#!/usr/bin/env python3
"""check_formats.py PROGRAM: are the files that Inkstone writes what others expect?

PROGRAM is the test program write_format_samples. Its files are read with the packages that own the
formats: safetensors, transformers (with torch), numpy, tensorboard, gguf. A package that is absent is named, its
checks are left out, and the exit status is 77 instead of 0.
"""
import importlib
import pathlib
import subprocess
import sys
import tempfile

SKIPPED = 77


def check(condition, what):
    if not condition:
        sys.exit(f"FAILED: {what}")
    print(f"ok: {what}")


def check_shards(folder):
    import numpy as np
    for name, magic, version, dtype, tokens in (("16.bin", 20240520, 1, "<u2", [1, 50256, 65535]),
                                                ("32.bin", 20240801, 7, "<u4", [1, 100256])):
        raw = (folder / name).read_bytes()
        header = np.frombuffer(raw[:1024], dtype="<i4")
        check(header[:3].tolist() == [magic, version, len(tokens)] and not header[3:].any(),
              f"{name}: llm.c's header")
        check(np.frombuffer(raw[1024:], dtype=dtype).tolist() == tokens, f"{name}: tokens")


def check_npy(folder):
    import numpy as np
    array = np.load(folder / "a.npy", allow_pickle=False)
    check(array.dtype == np.float32 and array.tolist() == [[0, 1, 2], [3, 4, 5]], "numpy.load")
    mapped = np.load(folder / "a.npy", mmap_mode="r")
    check(mapped.tolist() == array.tolist(), "numpy.load, mapped")


def check_safetensors(folder):
    import numpy as np
    from safetensors import safe_open
    with safe_open(folder / "model" / "model.safetensors", framework="numpy") as file:
        check(file.metadata() == {"format": "pt"}, "safetensors: metadata")
        names = list(file.keys())
        check(len(names) == 4 + 2 * 12, "safetensors: every tensor is there")
        wpe = file.get_tensor("transformer.wpe.weight")
        expected = (1 + np.arange(16 * 24) / 1024).astype(np.float32).reshape(16, 24)
        check(wpe.dtype == np.float32 and (wpe == expected).all(), "safetensors: values")


def check_transformers(folder):
    import torch
    from transformers import AutoConfig, GPT2LMHeadModel
    config = AutoConfig.from_pretrained(folder / "model")
    check(config.model_type == "gpt2" and config.n_layer == 2 and config.n_head == 3
          and config.n_embd == 24 and config.n_positions == 16 and config.vocab_size == 65,
          "transformers: sizes")
    check(config.eos_token_id is None and config.bos_token_id is None,
          "transformers: no end-of-text id where there is none")
    check(config.attn_pdrop == config.embd_pdrop == config.resid_pdrop == 0.25,
          "transformers: dropout")
    model, info = GPT2LMHeadModel.from_pretrained(folder / "model", output_loading_info=True)
    check(not any(info[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys")),
          "transformers: loads every weight and misses none")
    check(model.dtype == torch.float32, "transformers: float32")
    check(model.lm_head.weight is model.transformer.wte.weight, "transformers: tied embeddings")
    out = model.generate(torch.tensor([[1, 2]]), max_new_tokens=4, do_sample=False)
    check(out.shape == (1, 6), "transformers: generates without an end-of-text id")


def check_tensorboard(folder):
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator
    events = EventAccumulator(str(folder / "events"), size_guidance={"scalars": 0, "tensors": 0})
    events.Reload()
    points = [(e.step, e.value, e.wall_time) for e in events.Scalars("loss")]
    expected = [(s, 8.0 - s, 100.0 + s) for s in range(5)] + [(s, 50.0 + s, 110.0 + s) for s in (5, 6)]
    check(points == expected, "tensorboard: scalars, and the restart at step 5")
    (text,) = events.Tensors("sample")
    check(text.tensor_proto.string_val[0].decode() == "To be 墨" and text.step == 4,
          "tensorboard: text")
    check(events.SummaryMetadata("sample").plugin_data.plugin_name == "text",
          "tensorboard: text plugin")


def check_gguf(folder):
    import gguf
    reader = gguf.GGUFReader(folder / "a.gguf")
    values = {key: field.contents() for key, field in reader.fields.items() if not key.startswith("GGUF.")}
    check(values == {"general.architecture": "gpt2", "a.u32": 2**32 - 1, "a.f32": 0.5, "a.bool": True,
                     "a.strings": ["Ġt", "", "墨"], "a.i32s": [1, -3]}, "gguf: metadata")
    matrix, block = reader.tensors
    check(matrix.name == "matrix" and matrix.data.tolist() == [[0, 0.25, 0.5], [0.75, 1, 1.25]], "gguf: float32")
    check(block.tensor_type == gguf.GGMLQuantizationType.Q8_0 and block.shape.tolist() == [32, 1]
          and not gguf.quants.dequantize(block.data, block.tensor_type).any(), "gguf: blocks")


CHECKS = (
    (check_shards, ("numpy",)),
    (check_npy, ("numpy",)),
    (check_safetensors, ("numpy", "safetensors")),
    (check_transformers, ("torch", "transformers")),
    (check_tensorboard, ("tensorboard",)),
    (check_gguf, ("numpy", "gguf")),
)


def main():
    absent = set()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        subprocess.run([sys.argv[1], name], check=True)
        for run, packages in CHECKS:
            missing = set()
            for package in packages:
                try:
                    importlib.import_module(package)
                except ImportError:
                    missing.add(package)
            absent |= missing
            if not missing:
                run(folder)
    if absent:
        print(f"skipped for want of Python packages: {', '.join(sorted(absent))}")
        sys.exit(SKIPPED)


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    main()
