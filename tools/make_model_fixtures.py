#!/usr/bin/env python3
"""Makes golden data of whole models with PyTorch and Transformers.

For each shape: a Hugging Face folder with random weights, and golden.safetensors with token windows,
float32 logits, loss, the gradient of every parameter, and of ten AdamW steps (nanoGPT's parameter
groups: decay on matrices only; global-norm clipping; beta2 0.999) the losses and the norm of every
parameter's second moment at the end.

  make_model_fixtures.py tests/fixtures/model          the committed fixtures
  make_model_fixtures.py --shape gpt2 FOLDER           the 124M shape, for tests/model with INKSTONE_GOLDEN_MODEL
"""
import argparse
import pathlib

import torch
from safetensors.torch import load_file, save_file
from transformers import GPT2Config, GPT2LMHeadModel

# name: (layers, heads, width, context, vocabulary, batch, window, extra configuration)
SHAPES = {
    "two_layers": (2, 3, 48, 16, 97, 3, 16, {}),
    "one_head_odd_width": (1, 1, 17, 40, 31, 2, 33, {}),
    "inverse_layer_scale": (3, 4, 36, 24, 53, 2, 7, {"scale_attn_by_inverse_layer_idx": True}),
    "erf_narrow_untied": (2, 2, 24, 16, 43, 2, 12,
                          {"activation_function": "gelu", "n_inner": 40, "tie_word_embeddings": False}),
    "relu_no_biases": (2, 2, 20, 12, 37, 2, 9, {"activation_function": "relu"}),
    "silu_wide": (1, 2, 16, 12, 29, 2, 9, {"activation_function": "silu", "n_inner": 72}),
    "gpt2": (12, 12, 768, 1024, 50257, 4, 64, {}),
}
NO_BIASES = {"relu_no_biases"}  # as nanoGPT's bias=False: the file has none
STEPS = 10


def without_biases(model, folder):
    """Zero and no parameters any more; the file that was saved loses them."""
    for name, parameter in model.named_parameters():
        if name.endswith(".bias"):
            parameter.data.zero_()
            parameter.requires_grad_(False)
    file = str(folder / "model.safetensors")
    save_file({n: t for n, t in load_file(file).items() if not n.endswith(".bias")}, file, {"format": "pt"})


def trained(model):
    return [(n.removeprefix("transformer."), p) for n, p in model.named_parameters() if p.requires_grad]


def make_model(layers, heads, width, context, vocab, extra):
    config = GPT2Config(vocab_size=vocab, n_positions=context, n_embd=width, n_layer=layers, n_head=heads,
                        resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0, bos_token_id=0, eos_token_id=0, **extra)
    model = GPT2LMHeadModel(config)
    with torch.no_grad():  # biases and normalisations away from 0 and 1, so that every term counts
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.02)
    return model


def loss_of(model, tokens):
    logits = model(tokens[:, :-1]).logits
    return logits, torch.nn.functional.cross_entropy(logits.flatten(0, 1), tokens[:, 1:].flatten())


def adamw_steps(model, batches):
    decay = [p for _, p in trained(model) if p.dim() >= 2]
    rest = [p for _, p in trained(model) if p.dim() < 2]
    optimizer = torch.optim.AdamW([{"params": decay, "weight_decay": 0.1}, {"params": rest, "weight_decay": 0.0}],
                                  lr=1e-3, betas=(0.9, 0.999), eps=1e-8)
    losses = []
    for tokens in batches:
        _, loss = loss_of(model, tokens)
        losses.append(loss.item())
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
    moments = {n: optimizer.state[p]["exp_avg_sq"].double().norm().reshape(1) for n, p in trained(model)}
    return losses, moments


def make(name, folder):
    layers, heads, width, context, vocab, batch, window, extra = SHAPES[name]
    torch.manual_seed(20260)
    model = make_model(layers, heads, width, context, vocab, extra)
    model.save_pretrained(folder)
    if name in NO_BIASES:
        without_biases(model, folder)
    batches = torch.randint(vocab, (STEPS, batch, window + 1))
    logits, loss = loss_of(model, batches[0])
    loss.backward()
    golden = {"grad." + n: p.grad.clone() for n, p in trained(model)}
    golden["tokens"] = batches.to(torch.int32)
    golden["logits"] = logits.detach().contiguous()
    golden["loss"] = loss.detach().reshape(1)
    model.zero_grad()
    losses, moments = adamw_steps(model, batches)
    golden["adamw_losses"] = torch.tensor(losses, dtype=torch.float64)
    golden.update({"adamw_v_norm." + name: norm for name, norm in moments.items()})
    save_file(golden, str(folder / "golden.safetensors"))


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--shape", choices=list(SHAPES))
    arguments = parser.parse_args()
    for name in [arguments.shape] if arguments.shape else [n for n in SHAPES if n != "gpt2"]:
        make(name, arguments.folder / name)


if __name__ == "__main__":
    main()
