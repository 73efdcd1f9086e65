#!/usr/bin/env python3
"""Makes golden data of attention with PyTorch: scaled_dot_product_attention with boolean masks, in double precision.

Queries have more heads than keys and values. For each mask (causal; documents apart, each seen up to the query; a prefix
that is seen whole, then causal): the intervals of keys, the result, the log-sum-exp, and the gradients of q, k and v. The
inputs are float32, the results float64; all are [B,T,heads,HS].

  make_attention_fixtures.py tests/fixtures/attention
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch.nn.functional import scaled_dot_product_attention

B, T, NH, KVH, HS = 1, 70, 4, 2, 4  # 1 / sqrt(HS) is a float32
DOCUMENTS = [23, 1, 46]  # lengths
PREFIX = 41


def masks():
    """[T,T], true where query i sees key j."""
    causal = torch.ones(T, T, dtype=torch.bool).tril()
    document = torch.repeat_interleave(torch.arange(len(DOCUMENTS)), torch.tensor(DOCUMENTS))
    columns = torch.arange(T).expand(T, T)
    return {"causal": causal,
            "documents": causal & (document[:, None] == document[None, :]),
            "prefix": causal | (columns < PREFIX)}


def intervals(mask):
    columns = torch.arange(T).expand(T, T)
    first = torch.where(mask, columns, T).amin(1)
    last = torch.where(mask, columns, -1).amax(1)
    assert torch.equal(mask, (columns >= first[:, None]) & (columns <= last[:, None]))
    return first, last


def attend(q, k, v, mask):
    """q [B,T,NH,HS], k and v [B,T,KVH,HS] -> [B,T,NH,HS] and log-sum-exp [B,NH,T]."""
    q, k, v = (x.transpose(1, 2) for x in (q, k, v))
    k, v = (x.repeat_interleave(NH // KVH, dim=1) for x in (k, v))
    scores = (q @ k.transpose(2, 3)) / HS**0.5
    lse = torch.where(mask, scores, -torch.inf).logsumexp(3)
    return scaled_dot_product_attention(q, k, v, attn_mask=mask).transpose(1, 2), lse


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.manual_seed(20261)
    inputs = {"q": torch.randn(B, T, NH, HS), "k": torch.randn(B, T, KVH, HS), "v": torch.randn(B, T, KVH, HS),
              "dout": torch.randn(B, T, NH, HS)}
    tensors = dict(inputs)
    for name, mask in masks().items():
        q, k, v = (inputs[x].double().requires_grad_() for x in "qkv")
        out, lse = attend(q, k, v, mask)
        gradients = torch.autograd.grad(out, (q, k, v), inputs["dout"].double())
        first, last = intervals(mask)
        results = dict(zip(("out", "lse", "dq", "dk", "dv"), (out, lse, *gradients)))
        results |= {"first_keys": first.int().expand(B, T), "last_keys": last.int().expand(B, T)}
        tensors |= {f"{name}.{key}": value.detach().contiguous() for key, value in results.items()}
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    save_file(tensors, folder / "golden.safetensors")


if __name__ == "__main__":
    main()
