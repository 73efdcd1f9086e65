#!/usr/bin/env python3
"""compare_with_gpt2.py PROGRAM GPT2 [FILE]... [--random N] [--seed S]: GPT-2's ids by Inkstone, tiktoken and Hugging Face.

PROGRAM is build/.../tests/tokenizer/encode_texts; GPT2 a folder with vocab.bpe, encoder.json and tokenizer.json.
Needs tiktoken and tokenizers from PyPI. Each FILE (UTF-8) is compared in parts of a million characters; then N random
strings: a third random Unicode, a third random words, white space and punctuation, a third random bytes, which are
read with errors="replace" as every other program reads them. Prints a line per file; exit status 1 when any id differs.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys

import tiktoken
import tokenizers
from tiktoken.load import data_gym_to_mergeable_bpe_ranks

PATTERN = r"""'(?:[sdmt]|ll|ve|re)| ?\p{L}++| ?\p{N}++| ?[^\s\p{L}\p{N}]++|\s++$|\s+(?!\S)|\s"""
WORDS = ["the", " of", "'s", "'ll", "'", " ", "  ", "\n", "\t", "\u00a0", "\u3000", "1", "23", "!", "...", "中", "国人",
         "é", "e\u0301", "😀", "👩‍👩‍👧", "ß", "Ω", "\r\n", "_", "#", "А", "は", "한", "a" * 70, "=" * 80, "\u200b", "\x00"]


def parts_of(path):
    text = pathlib.Path(path).read_text(encoding="utf-8", errors="replace")
    return [text[i:i + 1_000_000] for i in range(0, len(text), 1_000_000)]


def random_character(rng):
    while True:
        code = rng.randrange(0x110000) if rng.random() < 0.3 else rng.randrange(0x3000 if rng.random() < 0.5 else 0x250)
        if not 0xD800 <= code < 0xE000:
            return chr(code)


def random_text(rng):
    kind = rng.randrange(3)
    if kind == 0:
        return "".join(random_character(rng) for _ in range(rng.randrange(1, 20)))
    if kind == 1:
        return "".join(rng.choice(WORDS) for _ in range(rng.randrange(1, 12)))
    return rng.randbytes(rng.randrange(1, 24)).decode("utf-8", errors="replace")


class Inkstone:
    def __init__(self, program, folder):
        self.process = subprocess.Popen([program, str(folder)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)

    def encode(self, text):
        self.process.stdin.write(json.dumps(text) + "\n")
        self.process.stdin.flush()
        return json.loads(self.process.stdout.readline())


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("gpt2", type=pathlib.Path)
    parser.add_argument("--random", type=int, default=1_000_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("files", nargs="*")
    options = parser.parse_args()
    ours = Inkstone(options.program, options.gpt2)
    ranks = data_gym_to_mergeable_bpe_ranks(str(options.gpt2 / "vocab.bpe"), str(options.gpt2 / "encoder.json"))
    reference = tiktoken.Encoding("gpt2", pat_str=PATTERN, mergeable_ranks=ranks, special_tokens={"<|endoftext|>": 50256})
    hugging_face = tokenizers.Tokenizer.from_file(str(options.gpt2 / "tokenizer.json"))
    hugging_face.encode_special_tokens = True
    differing = 0

    def compare(name, texts):
        nonlocal differing
        size = different = tokens = 0
        for text in texts:
            ids = ours.encode(text)
            size += len(text.encode())
            tokens += len(ids)
            if ids != reference.encode_ordinary(text) or ids != hugging_face.encode(text, add_special_tokens=False).ids:
                different += 1
                if different <= 3:
                    print(f"  differs: {text[:80]!r}")
        differing += different
        print(f"{name}: {size} bytes, {tokens} tokens, {different} of {len(texts)} texts differ", flush=True)

    for path in options.files:
        compare(path, parts_of(path))
    rng = random.Random(options.seed)
    compare("random strings", [random_text(rng) for _ in range(options.random)])
    sys.exit(1 if differing else 0)


if __name__ == "__main__":
    main()
