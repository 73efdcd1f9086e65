#!/usr/bin/env python3
"""compare_added_tokens.py PROGRAM [--texts N] [--seed S]: added tokens by Inkstone and by Hugging Face's tokenizers.

Gives the second added token of tests/fixtures/tokenizer/bpe.json each combination of lstrip, rstrip, single_word and
normalized, without and with NFC, adds one that overlaps it and one of white space with flags drawn at random, and
compares the ids of N random texts (1,000) for each. PROGRAM is build/.../tests/tokenizer/encode_texts. Needs
tokenizers from PyPI. Prints a line for each combination; exit status 1 when any id differs. Texts for which tokenizers
itself fails are left out and counted.
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

FLAGS = ["lstrip", "rstrip", "single_word", "normalized"]
ROOT = pathlib.Path(__file__).resolve().parent.parent
OTHERS = [" ", "  ", "\t", "\n", "\u3000", "\u00a0", "\u200b", "\u200d", "a", "_", "1", "\u00b2", "\u4e2d", "\u0301",
          "\u0338", "e\u0301", "!", ".", "-", "<", ">"]


def make_tokenizer(flags, is_nfc, rng):
    data = json.loads((ROOT / "tests/fixtures/tokenizer/bpe.json").read_text(encoding="utf-8"))
    added = data["added_tokens"]
    added[1].update(zip(FLAGS, flags))
    for text in ("d>\u00e9", "\n "):
        drawn = dict(zip(FLAGS, rng.choices([False, True], k=len(FLAGS))))
        free = 1 + max(token["id"] for token in added + [{"id": max(data["model"]["vocab"].values())}])
        added.append({"id": free, "content": text, "special": False, **drawn})
    data["normalizer"] = {"type": "NFC"} if is_nfc else None
    return data


def their_ids(tokenizer, text):
    try:
        return tokenizer.encode(text, add_special_tokens=False).ids
    except BaseException as error:  # a panic of Rust's is no Exception
        if type(error).__name__ != "PanicException":
            raise
        return None


def compare(program, data, texts):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tokenizer.json"
        path.write_text(json.dumps(data), encoding="utf-8")
        theirs = [their_ids(tokenizers.Tokenizer.from_file(str(path)), text) for text in texts]
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        result = subprocess.run([program, str(path), "allow"], input=lines, capture_output=True, text=True, check=True)
    ours = [json.loads(line) for line in result.stdout.splitlines()]
    failed = theirs.count(None)
    return failed, [text for text, a, b in zip(texts, ours, theirs, strict=True) if b is not None and a != b]


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--texts", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    rng = random.Random(arguments.seed)
    all_equal = True
    for is_nfc, *flags in itertools.product([False, True], repeat=1 + len(FLAGS)):
        data = make_tokenizer(flags, is_nfc, rng)
        added = [token["content"] for token in data["added_tokens"]]
        parts = OTHERS + added + added[1:] * 3
        texts = ["".join(rng.choices(parts, k=rng.randint(1, 12))) for _ in range(arguments.texts)]
        failed, different = compare(arguments.program, data, texts)
        all_equal = all_equal and not different
        names = ", ".join(name for name, flag in zip(["NFC"] + FLAGS, [is_nfc] + flags) if flag) or "none"
        print(f"{names}: {len(different)} of {len(texts) - failed} texts differ", *map(repr, different[:3]), flush=True)
    sys.exit(not all_equal)


if __name__ == "__main__":
    main()
