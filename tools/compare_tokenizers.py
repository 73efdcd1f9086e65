#!/usr/bin/env python3
"""compare_tokenizers.py PROGRAM [--texts N] [--seed S] [VARIANT]...: ids of Inkstone against Hugging Face's.

PROGRAM is build/.../tests/tokenizer/encode_texts. For each pre-tokenizer of split_variants.py a vocabulary is
trained by tokenizers (0.23.3 when this was written), saved as tokenizer.json and used by both on the cases and N
random Unicode texts. Prints one line per variant and up to three texts that differ; exit status 1 when any does.
"""
import argparse
import json
import pathlib
import random
import subprocess
import sys
import tempfile

import split_variants

TEXT = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "tokenizer" / "text.txt"


def training_text(rng):
    lines = [split_variants.random_text(rng) for _ in range(3000)]
    return TEXT.read_text(encoding="utf-8") + "\n".join(lines + split_variants.CASES)


def inkstone_ids(program, tokenizer, texts):
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder) / "tokenizer.json"
        tokenizer.save(str(path))
        lines = "".join(json.dumps(text) + "\n" for text in texts)
        result = subprocess.run([program, str(path)], input=lines, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise RuntimeError(result.stderr.strip())
    return [json.loads(line) for line in result.stdout.splitlines()]


def compare(program, variant, texts, training):
    tokenizer = split_variants.train(variant, training, 1500)
    tokenizer.encode_special_tokens = True
    ours = inkstone_ids(program, tokenizer, texts)
    theirs = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    differing = [(t, a, b) for t, a, b in zip(texts, ours, theirs, strict=True) if a != b]
    print(f"{variant:18} {len(texts)} texts, {len(differing)} differ", flush=True)
    for text, a, b in differing[:3]:
        print(f"  {text!r}\n    {[tokenizer.id_to_token(i) for i in a]}\n    {[tokenizer.id_to_token(i) for i in b]}")
    return not differing


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program")
    parser.add_argument("--texts", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("variants", nargs="*")
    options = parser.parse_args()
    rng = random.Random(options.seed)
    training = training_text(rng)
    texts = split_variants.CASES + [split_variants.random_text(rng) for _ in range(options.texts)]
    texts += ["".join(texts[i:i + 300]) for i in range(0, min(len(texts), 15_000), 300)]
    names = options.variants or split_variants.VARIANTS
    sys.exit(0 if all([compare(options.program, name, texts, training) for name in names]) else 1)


if __name__ == "__main__":
    main()
