#!/usr/bin/env python3
"""Checks that Transformers loads what `inkstone train` saves, and computes the same.

Trains a tiny model of each vocabulary type on a text of mixed scripts, then compares with
GPT2LMHeadModel.from_pretrained and AutoTokenizer.from_pretrained on the saved folder: the logits of one
window (1e-4 relative to the largest), the ids of texts, and the text that the ids decode to.

  check_against_transformers.py BINARY [--model FOLDER]    FOLDER: check this model or run folder instead

Exit status: 0 the same, 1 different, 77 Transformers is not installed.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

try:
    import numpy
    import torch
    from transformers import AutoTokenizer, GPT2LMHeadModel
except ImportError as e:
    print(f"skipped: {e}")
    sys.exit(77)

TEXTS = [
    "To be, or not to be, that is the question:\nWhether 'tis nobler in the mind to suffer\n",
    "红楼梦里的人物，各有各的命运。\n\n  It's 3.14159…  don't\tstop 🙂👍🏽\n",
    "naïve café — ünïcödé, Привет, мир! こんにちは\r\n<|endoftext|>\nagain   ",
]


def run(*command):
    done = subprocess.run([str(c) for c in command], capture_output=True)
    if done.returncode != 0:
        sys.exit(f"{' '.join(map(str, command))}: {done.stderr.decode(errors='replace')}")
    return done.stdout


def train(binary, vocabulary, folder):
    text = folder / "text.txt"
    text.write_text("".join(TEXTS) * 200, encoding="utf-8")
    size = ["--vocab-size", 400] if vocabulary == "bpe" else []
    run(binary, "tokenizer", "train", text, "-o", folder / "vocabulary", "--type", vocabulary, *size)
    run(binary, "prepare", text, "--tokenizer", folder / "vocabulary", "-o", folder / "data")
    run(binary, "train", "--data", folder / "data", "-o", folder / "run", "--layers", 2, "--heads", 2, "--width", 32,
        "--context", 48, "--steps", 20, "--batch", 4, "--model", "gpt-nano")
    return folder / "run" / "last"


def check(binary, model_folder, vocabulary, scratch):
    tokenizer = AutoTokenizer.from_pretrained(model_folder)
    model = GPT2LMHeadModel.from_pretrained(model_folder).eval()
    for i, text in enumerate(TEXTS):
        file = scratch / f"{i}.txt"
        file.write_bytes(text.encode())
        ours = run(binary, "tokenizer", "encode", "--raw", "--tokenizer", model_folder, "--format", "text", "--special", "allow",
                   file)
        ours = [int(x) for x in ours.split()]
        theirs = tokenizer(text)["input_ids"]
        if ours != theirs:
            sys.exit(f"{vocabulary}: ids differ for {text!r}:\n  ours   {ours}\n  theirs {theirs}")
        # Without clean-up, what comes back is what went in.
        back = tokenizer.decode(ours, clean_up_tokenization_spaces=False)
        if back != text:
            sys.exit(f"{vocabulary}: {text!r} comes back as {back!r}")
    ids = (ours * 50)[: model.config.n_positions]
    run(binary, "logits", model_folder, "--tokens", ",".join(map(str, ids)), "-o", scratch / "logits.npy")
    ours = numpy.load(scratch / "logits.npy")
    with torch.no_grad():
        theirs = model(torch.tensor([ids])).logits[0].numpy()
    error = float(numpy.abs(ours - theirs).max() / numpy.abs(theirs).max())
    print(f"{vocabulary}: {len(TEXTS)} texts have the same ids and come back; logits {ours.shape} differ by {error:.1e}")
    if not error < 1e-4:
        sys.exit(f"{vocabulary}: the logits differ by {error:.1e}, expected below 1e-4")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("binary", type=pathlib.Path)
    parser.add_argument("--model", type=pathlib.Path)
    arguments = parser.parse_args()
    for vocabulary in ["bpe", "char", "byte"] if arguments.model is None else ["given"]:
        with tempfile.TemporaryDirectory() as name:
            scratch = pathlib.Path(name)
            folder = arguments.model or train(arguments.binary, vocabulary, scratch)
            check(arguments.binary, folder, vocabulary, scratch)


if __name__ == "__main__":
    main()
