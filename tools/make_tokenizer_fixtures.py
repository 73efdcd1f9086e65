#!/usr/bin/env python3
"""Makes tests/fixtures/tokenizer/{bpe.json,char.json,golden.json} from text.txt beside them.

Needs the Python package tokenizers (made with 0.23.3). Usage: tools/make_tokenizer_fixtures.py
"""
import json
import pathlib
import random

import tokenizers
from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers

END = "<|endoftext|>"
FOLDER = pathlib.Path(__file__).resolve().parent.parent / "tests" / "fixtures" / "tokenizer"

CASES = [
    "",
    " ",
    "a",
    "  \n\n \t x",
    "trailing space ",
    "Shall I compare thee to a winter's night?",
    "THEY'RE they're 's 't 've'll' d'm",
    "明月光 夜来风雨 unseen 汉字 ひらがな",
    "x²½Ⅳ٣ 12345 3.14 007",
    "😀👩‍👩‍👧‍👦 🇩🇪 e\u0301 \u00a0\u3000 \u200b\ufeff",
    "----- ===== aaaaaaa \\ \" \x00\x01\x7f",
    "<0x41> <0xE6> <unk>",
    f"one{END}two {END}\n\n{END}{END} three <|endoftext| >",
    "<pad><pad>",
    "tab\tnewline\r\nvertical\x0b \x85 \u1680 \u2028end",
]


def bpe_tokenizer():
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    return tokenizer


def train_bpe(text, vocab_size, min_frequency, special_tokens):
    tokenizer = bpe_tokenizer()
    tokenizer.train_from_iterator([text], trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=min_frequency, special_tokens=special_tokens,
        initial_alphabet=pre_tokenizers.ByteLevel.alphabet(), show_progress=False))
    return tokenizer


def char_tokenizer(text, special_tokens):
    """The character vocabulary of docs/tokenizer.md as Hugging Face runs it."""
    tokens = list(special_tokens) + sorted(set(text))
    tokens += [f"<0x{b:02X}>" for b in range(256) if b >= 128 or chr(b) not in text]
    vocab = {token: i for i, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocab=vocab, merges=[], byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    tokenizer.add_special_tokens(list(special_tokens))
    return tokenizer


def encodings(tokenizer):
    result = []
    for text in CASES:
        tokenizer.encode_special_tokens = False
        allow = tokenizer.encode(text).ids
        tokenizer.encode_special_tokens = True
        result.append({"text": text, "ids_allow": allow, "ids_as_text": tokenizer.encode(text).ids})
        assert tokenizer.decode(allow, skip_special_tokens=False) == text
    return result


def random_words(seed, alphabet, words, longest):
    rng = random.Random(seed)

    def word():
        runs = range(rng.randint(1, longest))
        return "".join(rng.choice(alphabet) * rng.choice([1, 1, 2, 3]) for _ in runs)
    return " ".join(word() for _ in range(words))


def training(text, vocab_size, min_frequency, special_tokens):
    model = json.loads(train_bpe(text, vocab_size, min_frequency, special_tokens).to_str())["model"]
    return {"text": text, "vocab_size": vocab_size, "min_frequency": min_frequency,
            "special_tokens": special_tokens,
            "merges": [" ".join(pair) for pair in model["merges"]]}


def main():
    text = (FOLDER / "text.txt").read_bytes().decode("utf-8")
    bpe = train_bpe(text, 420, 2, [END, "<pad>"])
    bpe.save(str(FOLDER / "bpe.json"))
    char = char_tokenizer(text, [END])
    char.save(str(FOLDER / "char.json"))
    golden = {
        "made_with": f"tokenizers {tokenizers.__version__}",
        "bpe": encodings(bpe),
        "char": encodings(char),
        "byte": encodings(train_bpe(text, 257, 0, [END])),
        "trainings": [
            training(random_words(1, "ab", 40, 12), 330, 1, []),
            training(random_words(2, "a", 30, 9), 300, 0, [END]),
            training(random_words(3, ["c", "de", "é", "中"], 40, 8), 330, 3, [END, "<pad>"]),
        ],
    }
    with open(FOLDER / "golden.json", "w", encoding="utf-8") as file:
        json.dump(golden, file, ensure_ascii=True, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
