#!/usr/bin/env python3
"""Makes golden data of Muon with torch.optim.Muon (PyTorch 2.9 and later): five steps of four matrices.

PyTorch orthogonalises in bf16, which would hide what is compared: in its place the same five iterations are done in double
precision. Everything else (momentum, the rate by shape, decay) is PyTorch's. Matrices are [in, out] here, and three that
lie side by side in "side_by_side".

  make_muon_fixtures.py tests/fixtures/muon
"""
import pathlib
import sys

import torch
from safetensors.torch import save_file
from torch.optim import _muon

STEPS = 5
# name: [in, out] of a matrix, how many lie side by side
SHAPES = {"wide": (16, 64, 1), "tall": (64, 16, 1), "square": (24, 24, 1), "side_by_side": (12, 12, 3)}


def orthogonalise(gradient, coefficients, steps, epsilon):
    a, b, c = coefficients
    x = gradient.T if gradient.size(0) > gradient.size(1) else gradient
    x = x / x.norm().clamp(min=epsilon)
    for _ in range(steps):
        gram = x @ x.T
        x = a * x + (b * gram + c * gram @ gram) @ x
    return x.T if gradient.size(0) > gradient.size(1) else x


def matrix(rows, columns, maps):
    start = torch.randn(rows, maps * columns) * 0.1
    gradients = torch.randn(STEPS, rows, maps * columns)
    weights = [torch.nn.Parameter(part.T.double().contiguous()) for part in start.split(columns, dim=1)]
    optimizer = torch.optim.Muon(weights, lr=0.02, weight_decay=0.1, momentum=0.95, nesterov=True)
    for step in gradients:
        for weight, gradient in zip(weights, step.split(columns, dim=1)):
            weight.grad = gradient.T.double().contiguous()
        optimizer.step()
    end = torch.cat([weight.detach().T for weight in weights], dim=1)
    return {"start": start, "gradients": gradients, "end": end.float().contiguous()}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    torch.manual_seed(20260)
    _muon._zeropower_via_newtonschulz = orthogonalise
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True, exist_ok=True)
    tensors = {f"{name}.{part}": value for name, shape in SHAPES.items() for part, value in matrix(*shape).items()}
    save_file(tensors, str(folder / "golden.safetensors"))


if __name__ == "__main__":
    main()
