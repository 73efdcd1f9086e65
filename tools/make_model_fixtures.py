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
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel

# name: (layers, heads, width, context, vocabulary, batch, window, extra configuration)
SHAPES = {
    "two_layers": (2, 3, 48, 16, 97, 3, 16, {}),
    "one_head_odd_width": (1, 1, 17, 40, 31, 2, 33, {}),
    "inverse_layer_scale": (3, 4, 36, 24, 53, 2, 7, {"scale_attn_by_inverse_layer_idx": True}),
    "gpt2": (12, 12, 768, 1024, 50257, 4, 64, {}),
}
STEPS = 10


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
    decay = [p for p in model.parameters() if p.dim() >= 2]
    rest = [p for p in model.parameters() if p.dim() < 2]
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
    moments = {n.removeprefix("transformer."): optimizer.state[p]["exp_avg_sq"].double().norm().reshape(1)
               for n, p in model.named_parameters()}
    return losses, moments


def make(name, folder):
    layers, heads, width, context, vocab, batch, window, extra = SHAPES[name]
    torch.manual_seed(20260)
    model = make_model(layers, heads, width, context, vocab, extra)
    model.save_pretrained(folder)
    batches = torch.randint(vocab, (STEPS, batch, window + 1))
    logits, loss = loss_of(model, batches[0])
    loss.backward()
    golden = {"grad." + n.removeprefix("transformer."): p.grad.clone() for n, p in model.named_parameters()}
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
