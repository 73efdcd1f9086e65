#!/usr/bin/env python3
"""Makes golden data of what positions see, where they stand and what their losses weigh, with PyTorch and Transformers.

The model is that of tests/fixtures/model/erf_narrow_untied, in double precision. A batch of three windows: documents apart
(positions begin anew in each), a prefix that is seen whole and not predicted, and a window that is read in both directions,
of which only masked tokens are predicted, each at the position before it. Losses have weights. golden.safetensors: inputs,
targets, positions, first_keys, last_keys [B,T] i32, weights [B,T] f32; losses [B,T] (times their weights, 0 without a
target) and the gradient of every parameter of their sum divided by the weights of the positions that have a target, f32.

  make_objective_fixtures.py tests/fixtures
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch.nn.functional import cross_entropy
from transformers import GPT2LMHeadModel

T, VOCABULARY, MASK = 16, 43, 42
DOCUMENTS = [5, 1, 10]  # lengths
PREFIX = 7
MASKED = [2, 3, 9, 15]


def windows():
    text = torch.randint(VOCABULARY - 1, (3, T + 1))
    inputs, targets = text[:, :-1].clone(), text[:, 1:].clone()
    places = torch.arange(T)
    first, last, positions = torch.zeros(3, T, dtype=torch.long), places.repeat(3, 1), places.repeat(3, 1)
    begins = torch.tensor([sum(DOCUMENTS[:i]) for i in range(len(DOCUMENTS))])
    first[0] = torch.repeat_interleave(begins, torch.tensor(DOCUMENTS))
    positions[0] = places - first[0]
    last[1, :PREFIX] = PREFIX - 1
    targets[1, :PREFIX - 1] = -1
    last[2] = T - 1
    targets[2] = -1
    for t in MASKED:
        targets[2, t - 1] = text[2, t]
        inputs[2, t] = MASK
    weights = torch.rand(3, T) * 1.8 + 0.2
    weights[0, 4] = 0
    return inputs, targets, positions, first, last, weights


def logits_of(model, inputs, positions, first, last):
    keys = torch.arange(T)
    seen = (keys >= first[:, :, None]) & (keys <= last[:, :, None])
    mask = torch.zeros(3, 1, T, T, dtype=torch.double).masked_fill(~seen[:, None], -torch.inf)
    return model(inputs, attention_mask=mask, position_ids=positions, use_cache=False).logits


def check_documents(model, inputs, logits):
    """A document's logits are those of the document alone."""
    for begin, count in zip([0, 5, 6], DOCUMENTS):
        alone = model(inputs[:1, begin:begin + count]).logits[0]
        assert torch.allclose(alone, logits[0, begin:begin + count], atol=1e-12)


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    fixtures = pathlib.Path(sys.argv[1])
    torch.manual_seed(20262)
    model = GPT2LMHeadModel.from_pretrained(fixtures / "model/erf_narrow_untied", attn_implementation="eager").double().eval()
    inputs, targets, positions, first, last, weights = windows()
    logits = logits_of(model, inputs, positions, first, last)
    check_documents(model, inputs, logits)
    has_target = targets >= 0
    nll = cross_entropy(logits.transpose(1, 2), targets.clamp(min=0), reduction="none")
    losses = torch.where(has_target, nll * weights, 0.0)
    (losses.sum() / weights[has_target].double().sum()).backward()
    arrays = {"inputs": inputs, "targets": targets, "positions": positions, "first_keys": first, "last_keys": last}
    tensors = {name: x.int().contiguous() for name, x in arrays.items()}
    tensors |= {"weights": weights, "losses": losses.detach().float().contiguous()}
    tensors |= {"grad." + n.removeprefix("transformer."): p.grad.float() for n, p in model.named_parameters()}
    (fixtures / "objectives").mkdir(exist_ok=True)
    save_file(tensors, fixtures / "objectives/golden.safetensors")


if __name__ == "__main__":
    main()
