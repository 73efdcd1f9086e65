#!/usr/bin/env python3
"""Checks adapters there and back: PEFT's that this program reads, this program's that PEFT and llama.cpp read.

Trains a tiny model, lets PEFT make adapters of several kinds for it, and compares logits (largest difference over
largest logit at most 1e-5, in llama.cpp 2^-10):
  inkstone logits --adapter        with PEFT's, the adapter beside the weights;
  PEFT, of the copied adapter      (read and written by this program) with PEFT's;
  inkstone finetune --lora         the trained adapter here and in PEFT;
  inkstone merge, in Transformers  with PEFT's, and with what PEFT merges itself;
  inkstone convert, in llama.cpp   with `inkstone quantize --adapter` there. llama.cpp rounds GELU and the cache to halves,
                                   which may fall to either side: 2^-11 of a number.

  check_adapters.py INKSTONE COPY_ADAPTER

Exit status: 0 the same, 1 different, 77 PEFT is not installed.
"""
import copy
import ctypes as c
import importlib.util
import os
import pathlib
import subprocess
import sys
import tempfile
import warnings

os.environ["HF_HUB_OFFLINE"] = "1"
try:
    import numpy
    import torch
    from peft import LoraConfig, PeftModel, get_peft_model
    from transformers import GPT2LMHeadModel
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

ALL = ["c_attn", "c_proj", "c_fc"]
# name: (arguments of LoraConfig, llama.cpp applies it)
CASES = {
    "attention": ({"r": 4, "lora_alpha": 8, "target_modules": ["c_attn"]}, True),
    "all": ({"r": 8, "lora_alpha": 16, "target_modules": ALL}, True),
    "rslora": ({"r": 4, "lora_alpha": 3, "target_modules": ALL, "use_rslora": True}, True),
    "patterns": ({"r": 4, "lora_alpha": 3, "target_modules": ALL, "rank_pattern": {"c_fc": 2},
                  "alpha_pattern": {"attn.c_proj": 9}}, True),
    "dora": ({"r": 4, "lora_alpha": 8, "target_modules": ALL, "use_dora": True}, False),
    "biases": ({"r": 4, "lora_alpha": 8, "target_modules": ALL, "bias": "lora_only"}, False),
    "embeddings": ({"r": 2, "lora_alpha": 8, "target_modules": ["wte", "c_attn"]}, False),
}
TOKENS = [0, 17, 105, 200, 30, 31, 31, 90, 4, 250]


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr}")


def train(binary, folder):
    text = folder / "text.txt"
    text.write_text("It was the best of times, it was the worst of times, it was the age of wisdom. " * 300)
    run(binary, "train", text, "-o", folder / "run", "--layers", 2, "--heads", 2, "--width", 32, "--context", 48,
        "--steps", 10, "--batch", 4, "--vocab-size", 320)
    return folder / "run" / "last"


def logits_of(model):
    with torch.no_grad():
        return model.eval()(torch.tensor([TOKENS])).logits[0].numpy()


def distance(a, b):
    return float(numpy.abs(a - b).max() / numpy.abs(b).max())


def make_adapter(base, arguments, folder):
    torch.manual_seed(1)
    model = get_peft_model(GPT2LMHeadModel.from_pretrained(base), LoraConfig(
        task_type="CAUSAL_LM", fan_in_fan_out=True, **arguments))
    for name, parameter in model.named_parameters():
        if "magnitude" in name:
            parameter.data.mul_(1.1)
        elif "lora_" in name or (arguments.get("bias") and name.endswith("base_layer.bias")):
            parameter.data.add_(torch.randn_like(parameter) * 0.1)
    model.save_pretrained(folder, save_embedding_layers=False)
    return model


def llama_logits(model, adapter=None):
    sys.path.insert(0, str(pathlib.Path(__file__).parent))
    from compare_with_llama import Llama, load_library
    library = load_library()
    library.llama_adapter_lora_init.restype = c.c_void_p
    library.llama_adapter_lora_init.argtypes = [c.c_void_p, c.c_char_p]
    library.llama_set_adapters_lora.argtypes = [c.c_void_p, c.POINTER(c.c_void_p), c.c_size_t, c.POINTER(c.c_float)]
    llama = Llama(library, str(model))
    if adapter:
        lora = library.llama_adapter_lora_init(llama.model, str(adapter).encode())
        if not lora:
            sys.exit(f"llama.cpp does not load {adapter}")
        library.llama_set_adapters_lora(llama.context, (c.c_void_p * 1)(lora), 1, (c.c_float * 1)(1.0))
    llama.clear()
    return llama.feed(TOKENS).copy()


class Check:
    def __init__(self):
        self.failed = False

    def __call__(self, name, ours, theirs, most=1e-5):
        found = distance(ours, theirs)
        self.failed |= not found <= most
        print(f"{name:<45} {found:.1e}{'' if found <= most else '  TOO FAR'}")


def check_case(check, name, binary, copy_adapter, base, folder):
    arguments, for_llama = CASES[name]
    adapter = folder / name
    model = make_adapter(base, arguments, adapter)
    expected = logits_of(model)
    tokens = ",".join(map(str, TOKENS))
    run(binary, "logits", base, "--adapter", adapter, "--tokens", tokens, "-o", folder / "l.npy")
    check(f"{name}: inkstone --adapter", numpy.load(folder / "l.npy"), expected)
    run(copy_adapter, adapter, base, folder / f"{name}-copy")
    again = PeftModel.from_pretrained(GPT2LMHeadModel.from_pretrained(base), folder / f"{name}-copy")
    check(f"{name}: ours in PEFT", logits_of(again), expected)
    run(binary, "merge", base, "--adapter", adapter, "-o", folder / f"{name}-merged")
    merged = GPT2LMHeadModel.from_pretrained(folder / f"{name}-merged")
    check(f"{name}: ours merged, in Transformers", logits_of(merged), expected)
    if name != "embeddings":  # there PEFT's merging changes the output layer too
        check(f"{name}: merged by PEFT", logits_of(merged), logits_of(copy.deepcopy(model).merge_and_unload()))
    if for_llama and importlib.util.find_spec("xllamacpp"):
        run(binary, "convert", adapter, folder / f"{name}.gguf", "--model", base)
        run(binary, "quantize", base, "--adapter", adapter, "-o", folder / "merged.gguf", "--type", "f32")
        check(f"{name}: in llama.cpp", llama_logits(folder / "base.gguf", folder / f"{name}.gguf"),
              llama_logits(folder / "merged.gguf"), 2**-10)


def check_trained(check, binary, base, folder):
    run(binary, "finetune", base, folder / "text.txt", "-o", folder / "tuned", "--lora", 4, "--steps", 20, "--lr", 1e-2)
    run(binary, "logits", folder / "tuned", "--tokens", ",".join(map(str, TOKENS)), "-o", folder / "l.npy")
    model = PeftModel.from_pretrained(GPT2LMHeadModel.from_pretrained(base), folder / "tuned" / "best")
    check("trained here: in PEFT", numpy.load(folder / "l.npy"), logits_of(model))


def main():
    if len(sys.argv) != 3:
        sys.exit(__doc__)
    warnings.filterwarnings("ignore")
    binary, copy_adapter = sys.argv[1:]
    check = Check()
    with tempfile.TemporaryDirectory() as folder:
        folder = pathlib.Path(folder)
        base = train(binary, folder)
        run(binary, "quantize", base, "-o", folder / "base.gguf", "--type", "f32")
        for name in CASES:
            check_case(check, name, binary, copy_adapter, base, folder)
        check_trained(check, binary, base, folder)
    sys.exit(1 if check.failed else 0)


if __name__ == "__main__":
    main()
