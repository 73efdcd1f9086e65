#!/usr/bin/env python3
"""Makes golden gradients of adapters of low rank (LoRA, rsLoRA, DoRA) with PyTorch in double precision.

  make_lora_fixtures.py tests/fixtures/model tests/fixtures/lora/golden.safetensors

Bases are two of the model fixtures. For each variant: the loss and the gradient of every A, B and
magnitude; their values are the same in all variants of a base ("BASE.h.0.attn.c_attn.lora_A"). The
dropout of the variants that have some is the program's own (src/kernels/dropout_hash.h). DoRA is
stated as in src/model/projection.h: y = (x W + s drop(x) A^T B^T) m / n + b, n a constant.
"""
import argparse
import math
import pathlib

import numpy
import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2LMHeadModel
from transformers.pytorch_utils import Conv1D

RANK, ALPHA, DROPOUT, SEED = 2, 6.0, 0.25, 11
MODULES = ["attn.c_attn", "attn.c_proj", "mlp.c_fc", "mlp.c_proj"]
# name: (base, modules, rank-stabilised, magnitudes, dropout)
VARIANTS = {
    "all": ("two_layers", MODULES, False, False, 0.0),
    "only_c_attn": ("two_layers", MODULES[:1], False, False, 0.0),
    "only_attn_c_proj": ("two_layers", MODULES[1:2], False, False, 0.0),
    "only_c_fc": ("two_layers", MODULES[2:3], False, False, 0.0),
    "only_mlp_c_proj": ("two_layers", MODULES[3:], False, False, 0.0),
    "rank_stabilised": ("two_layers", MODULES, True, False, 0.0),
    "magnitudes": ("two_layers", MODULES, False, True, 0.0),
    "dropout": ("two_layers", MODULES, False, False, DROPOUT),
    "magnitudes_and_dropout": ("two_layers", MODULES, True, True, DROPOUT),
    "no_biases": ("relu_no_biases", MODULES, False, False, 0.0),
    "magnitudes_no_biases": ("relu_no_biases", MODULES, False, True, 0.0),
}


def philox4x32(key, low, high):
    """Ten rounds (Salmon et al. 2011), as src/base/rng.h."""
    mask = 0xFFFFFFFF
    c = [low & mask, low >> 32, high & mask, high >> 32]
    k0, k1 = key & mask, key >> 32
    for _ in range(10):
        p0, p1 = 0xD2511F53 * c[0], 0xCD9E8D57 * c[2]
        c = [(p1 >> 32) ^ c[1] ^ k0, p1 & mask, (p0 >> 32) ^ c[3] ^ k1, p0 & mask]
        k0, k1 = (k0 + 0x9E3779B9) & mask, (k1 + 0xBB67AE85) & mask
    return c


def mix32(x):
    x = (x ^ (x >> 16)) * numpy.uint32(0x7FEB352D)
    x = (x ^ (x >> 15)) * numpy.uint32(0x846CA68B)
    return x ^ (x >> 16)


def dropout_factors(shape, rate, site):
    """1 / (1 - rate) where an element is kept, else 0."""
    count = math.prod(shape)
    first, second = philox4x32(SEED, 0, site)[:2]
    hashes = mix32(mix32(numpy.arange(count, dtype=numpy.uint32) ^ numpy.uint32(first)) ^ numpy.uint32(second))
    kept = hashes >= numpy.uint32(int(rate * 2**32))
    return torch.from_numpy(kept.reshape(shape)).double() / (1 - rate)


def rows_of(state):
    """Names in the order of the program's parameter table."""
    layers = 1 + max(int(n.split(".")[1]) for n in state if n.startswith("h."))
    parts = ["ln_1.weight", "ln_1.bias", "attn.c_attn.weight", "attn.c_attn.bias", "attn.c_proj.weight",
             "attn.c_proj.bias", "ln_2.weight", "ln_2.bias", "mlp.c_fc.weight", "mlp.c_fc.bias",
             "mlp.c_proj.weight", "mlp.c_proj.bias"]
    names = ["wte.weight", "wpe.weight"] + [f"h.{l}.{p}" for l in range(layers) for p in parts]
    return [n for n in names if n in state]


class Adapted(torch.nn.Module):
    def __init__(self, base, a, b, m, scale, rate, site):
        super().__init__()
        self.base, self.a, self.b, self.m = base, a, b, m
        self.scale, self.rate, self.site = scale, rate, site

    def forward(self, x):
        d = x if self.rate == 0 else x * dropout_factors(x.shape, self.rate, self.site)
        weight, bias = self.base.weight, self.base.bias
        y = x @ weight + self.scale * (d @ self.a.T) @ self.b.T
        if self.m is not None:
            norm = (weight + self.scale * (self.b @ self.a).T).norm(dim=0).detach()
            y = y * (self.m / norm)
        return y + bias


def load_base(folder):
    model = GPT2LMHeadModel.from_pretrained(folder).double().train()
    state = load_file(str(folder / "model.safetensors"))
    state = {n.removeprefix("transformer."): t for n, t in state.items()}
    for name, parameter in model.named_parameters():
        parameter.requires_grad_(False)
        if name.endswith(".bias") and name.removeprefix("transformer.") not in state:
            parameter.zero_()
    return model, rows_of(state)


def values_of(base, model):
    """A, B and magnitudes of every matrix, float32; B is not 0, so that every gradient counts."""
    generator = torch.Generator().manual_seed(20261)
    values = {}
    for name, module in model.transformer.named_modules():
        if not isinstance(module, Conv1D):
            continue
        rows, columns = module.weight.shape
        values[f"{base}.{name}.lora_A"] = torch.randn(RANK, rows, generator=generator) / math.sqrt(rows)
        values[f"{base}.{name}.lora_B"] = torch.randn(columns, RANK, generator=generator) * 0.05
        length = module.weight.norm(dim=0).float()
        values[f"{base}.{name}.lora_magnitude"] = length * (1 + 0.1 * torch.randn(columns, generator=generator))
    return values


def gradients(folder, variant, values):
    base, modules, stabilised, magnitudes, rate = VARIANTS[variant]
    model, rows = load_base(folder / base)
    parameters = {}
    for name, module in list(model.transformer.named_modules()):
        if not isinstance(module, Conv1D) or not any(name.endswith(m) for m in modules):
            continue
        own = {p: values[f"{base}.{name}.{p}"].double().requires_grad_()
               for p in ("lora_A", "lora_B", "lora_magnitude")}
        scale = ALPHA / (math.sqrt(RANK) if stabilised else RANK)
        adapted = Adapted(module, own["lora_A"], own["lora_B"], own["lora_magnitude"] if magnitudes else None,
                          scale, rate, 2**32 + rows.index(name + ".weight"))
        parent = model.transformer.get_submodule(name.rpartition(".")[0])
        setattr(parent, name.rpartition(".")[2], adapted)
        kinds = ("lora_A", "lora_B", "lora_magnitude") if magnitudes else ("lora_A", "lora_B")
        parameters.update({f"{name}.{k}": own[k] for k in kinds})
    tokens = load_file(str(folder / base / "golden.safetensors"))["tokens"][0].long()
    logits = model(tokens[:, :-1]).logits
    loss = torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())
    loss.backward()
    golden = {f"{variant}.grad.{n}": p.grad.float() for n, p in parameters.items()}
    golden[f"{variant}.loss"] = loss.detach().reshape(1)
    return golden


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", type=pathlib.Path)
    parser.add_argument("output", type=pathlib.Path)
    arguments = parser.parse_args()
    golden = {}
    for base in sorted({v[0] for v in VARIANTS.values()}):
        golden.update(values_of(base, load_base(arguments.models / base)[0]))
    for variant in VARIANTS:
        golden.update(gradients(arguments.models, variant, dict(golden)))
    arguments.output.parent.mkdir(parents=True, exist_ok=True)
    save_file({n: t.contiguous() for n, t in golden.items()}, str(arguments.output))


if __name__ == "__main__":
    main()
