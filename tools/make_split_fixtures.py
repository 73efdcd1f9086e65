#!/usr/bin/env python3
"""Makes tests/fixtures/tokenizer/splits.json: for each pre-tokenizer of split_variants.py what Hugging Face's
tokenizers writes into tokenizer.json, and the pieces of some texts.

Needs the Python package tokenizers (made with 0.23.3). Usage: tools/make_split_fixtures.py
"""
import json
import pathlib
import random

import tokenizers
from tokenizers import Tokenizer, models

import split_variants

PATH = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "tokenizer" / "splits.json"


def pieces(variant, text):
    """The pieces as ByteLevel writes them."""
    pre_tokenizer, normalizer = split_variants.VARIANTS[variant]
    if normalizer is not None:
        text = normalizer.normalize_str(text)
    return " ".join(piece for piece, _ in pre_tokenizer.pre_tokenize_str(text))


def variant_json(variant, texts):
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer, normalizer = split_variants.VARIANTS[variant]
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    root = json.loads(tokenizer.to_str())
    return {"pre_tokenizer": root["pre_tokenizer"], "normalizer": root["normalizer"],
            "pieces": [pieces(variant, text) for text in texts]}


def main():
    rng = random.Random(3)
    texts = split_variants.CASES + [split_variants.random_text(rng) for _ in range(40)]
    golden = {"made_with": f"tokenizers {tokenizers.__version__}", "texts": texts,
              "variants": {name: variant_json(name, texts) for name in split_variants.VARIANTS}}
    with open(PATH, "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=True, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
