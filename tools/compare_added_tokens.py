#!/usr/bin/env python3
"""compare_added_tokens.py INKSTONE [--texts N] [--seed S]: added tokens by Inkstone and by Hugging Face's tokenizers.

Gives the second added token of tests/fixtures/tokenizer/bpe.json each combination of lstrip, rstrip and single_word, and
compares the ids of N random texts (100) for each. INKSTONE is the program. Needs tokenizers from PyPI. Prints a line for
each combination; exit status 1 when any id differs.
"""
import argparse
import itertools
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import tokenizers

FLAGS = ["lstrip", "rstrip", "single_word"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
OTHERS = [" ", "  ", "\t", "\n", "\u3000", "\u00a0", "\u200b", "\u200d", "a", "_", "1", "\u00b2", "\u4e2d", "\u0301", "!", ".", "-"]


def ids_here(program, folder, text):
    command = [program, "tokenizer", "encode", "--tokenizer", folder, "--special", "allow", "--format", "json"]
    return json.loads(subprocess.run(command, input=text.encode(), stdout=subprocess.PIPE, check=True).stdout)


def compare(program, flags, texts):
    data = json.loads((ROOT / "tests/fixtures/tokenizer/bpe.json").read_text(encoding="utf-8"))
    data["added_tokens"][1].update(zip(FLAGS, flags))
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        other = tokenizers.Tokenizer.from_file(str(path))
        return [t for t in texts if ids_here(program, folder, t) != other.encode(t, add_special_tokens=False).ids]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--texts", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    data = json.loads((ROOT / "tests/fixtures/tokenizer/bpe.json").read_text(encoding="utf-8"))
    added = [token["content"] for token in data["added_tokens"]]
    rng = random.Random(arguments.seed)
    parts = OTHERS + added[:2] + added[1:2] * 5
    texts = ["".join(rng.choices(parts, k=rng.randint(1, 12))) for _ in range(arguments.texts)]
    failed = False
    for flags in itertools.product([False, True], repeat=len(FLAGS)):
        different = compare(arguments.program, flags, texts)
        failed = failed or bool(different)
        names = ", ".join(name for name, flag in zip(FLAGS, flags) if flag) or "none"
        print(f"{names}: {len(different)} of {len(texts)} texts differ", *map(repr, different[:3]))
    sys.exit(failed)


if __name__ == "__main__":
    main()
