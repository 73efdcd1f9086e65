#!/usr/bin/env python3
"""Trains a byte-level BPE on the same text with inkstone and Hugging Face's tokenizers; compares.

Compared are the merges, in order, and the ids of all tokens. Files are cut at the same places for both: into parts of
about 64 KiB before an ASCII space behind a letter, where a piece always begins. Needs the package tokenizers (0.23).
Exit status 1 when anything differs.

    tools/compare_with_tokenizers.py --inkstone build/inkstone text.txt --vocab-size 1000 8000 32768
    tools/compare_with_tokenizers.py --inkstone build/inkstone --random 200
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile
import time

from tokenizers import Tokenizer, models, pre_tokenizers, trainers

PART_CHARACTERS = 1 << 16


def parts(text):
    begin = 0
    while begin < len(text):
        end = min(len(text), begin + PART_CHARACTERS)
        while end < len(text) and not (text[end] in " \n" and text[end - 1].isalpha()):
            end += 1
        yield text[begin:end]
        begin = end


def train_theirs(text, vocab_size, min_frequency, special_tokens):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.train_from_iterator(parts(text), trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return json.loads(tokenizer.to_str())["model"]


def train_ours(inkstone, file, folder, vocab_size, min_frequency, special_tokens):
    command = [inkstone, "tokenizer", "train", str(file), "-o", str(folder), "--vocab-size", str(vocab_size),
               "--min-frequency", str(min_frequency), "--json"]
    if special_tokens != ["<|endoftext|>"]:
        command += ["--special-tokens", *special_tokens]
    subprocess.run(command, check=True, capture_output=True)
    return json.loads((folder / "tokenizer.json").read_text(encoding="utf-8"))["model"]


def pairs(model):
    return [tuple(m.split(" ")) if isinstance(m, str) else tuple(m) for m in model["merges"]]


def compare(name, inkstone, file, vocab_size, min_frequency, special_tokens):
    text = file.read_bytes().decode("utf-8")
    with tempfile.TemporaryDirectory() as folder:
        begin = time.time()
        ours = train_ours(inkstone, file, pathlib.Path(folder), vocab_size, min_frequency, special_tokens)
        middle = time.time()
        theirs = train_theirs(text, vocab_size, min_frequency, special_tokens)
        end = time.time()
    a, b = pairs(ours), pairs(theirs)
    vocabulary = {k: v for k, v in ours["vocab"].items() if k not in special_tokens}
    same = a == b and vocabulary == {k: v for k, v in theirs["vocab"].items() if k not in special_tokens}
    if not same:
        first = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
        print(f"DIFFERENT from merge {first}: {a[first:first + 3]}, theirs {b[first:first + 3]}")
    print(f"{'equal' if same else 'DIFFERENT'}  {name}: vocabulary {vocab_size}, minimum frequency {min_frequency}, "
          f"{len(a)} merges, {middle - begin:.2f} s, theirs {end - middle:.2f} s", flush=True)
    return same


def random_text(rng):
    alphabet = rng.choice(["ab", "a", "abc", "abcdefgh", "aé", "中文字", "a中\n"])
    words = []
    for _ in range(rng.randint(1, 200)):
        words.append("".join(rng.choice(alphabet) * rng.choice([1, 1, 2, 3]) for _ in range(rng.randint(1, 9))))
    return rng.choice([" ", " ", ", ", "\n"]).join(words) + "x"


def compare_random(inkstone, count, seed):
    rng = random.Random(seed)
    same = True
    with tempfile.TemporaryDirectory() as folder:
        file = pathlib.Path(folder) / "text.txt"
        for i in range(count):
            file.write_bytes(random_text(rng).encode("utf-8"))
            special_tokens = ["<|endoftext|>"]
            same &= compare(f"random {i}", inkstone, file, rng.randint(258, 600), rng.randint(1, 4), special_tokens)
    return same


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("files", nargs="*", type=pathlib.Path)
    parser.add_argument("--inkstone", default="build/inkstone")
    parser.add_argument("--vocab-size", nargs="+", type=int, default=[1000, 8000, 32768])
    parser.add_argument("--min-frequency", nargs="+", type=int, default=[2])
    parser.add_argument("--special-tokens", nargs="+", default=["<|endoftext|>"])
    parser.add_argument("--random", type=int, default=0, metavar="N", help="also N small random texts, full of ties")
    parser.add_argument("--seed", type=int, default=1)
    a = parser.parse_args()
    same = True
    for file in a.files:
        for vocab_size in a.vocab_size:
            for min_frequency in a.min_frequency:
                same &= compare(file.name, a.inkstone, file, vocab_size, min_frequency, a.special_tokens)
    if a.random > 0:
        same &= compare_random(a.inkstone, a.random, a.seed)
    sys.exit(0 if same else 1)


if __name__ == "__main__":
    main()
