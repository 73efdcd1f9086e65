"""The pre-tokenizers of byte-level vocabularies in common use, as Hugging Face's tokenizers makes them, and texts
that tell them apart. For make_split_fixtures.py and compare_tokenizers.py."""
import random
import unicodedata

from tokenizers import Regex, Tokenizer, decoders, models, normalizers, pre_tokenizers as pre, trainers

CONTRACTION = "(?i:'s|'t|'re|'ve|'m|'ll|'d)"
TAIL = r"| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+"
CL100K = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL
QWEN2 = CONTRACTION + r"|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}" + TAIL
UPPER, LOWER = r"[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]", r"[\p{Ll}\p{Lm}\p{Lo}\p{M}]"
O200K = (rf"[^\r\n\p{{L}}\p{{N}}]?{UPPER}*{LOWER}+{CONTRACTION}?|[^\r\n\p{{L}}\p{{N}}]?{UPPER}+{LOWER}*{CONTRACTION}?"
         r"|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+")
GPT2 = r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+"
LLAMA_CPP = (r"(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}" + TAIL)
DEEPSEEK3 = (r"""[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_`{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+"""
             r"""| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+""")
BLOOM = r" ?[^(\s|[.,!?…。，、।۔،])]+"


def byte_level(use_regex=False, add_prefix_space=False):
    return pre.ByteLevel(add_prefix_space=add_prefix_space, use_regex=use_regex)


def split(pattern, behavior="isolated", invert=False):
    return pre.Split(Regex(pattern), behavior, invert)


def splits(*patterns):
    return pre.Sequence([split(p) for p in patterns] + [byte_level()])


# name: (pre-tokenizer, normalizer)
VARIANTS = {
    "gpt2": (byte_level(True), None),
    "prefix_space": (byte_level(True, True), None),
    "no_regex": (byte_level(), None),
    "gpt2_split": (splits(GPT2), None),
    "cl100k": (splits(CL100K), None),
    "cl100k_removed": (pre.Sequence([split(CL100K, "removed", True), byte_level()]), None),
    "llama_cpp": (splits(LLAMA_CPP), None),
    "qwen2": (splits(QWEN2), normalizers.NFC()),
    "o200k": (splits(O200K), None),
    "starcoder": (pre.Sequence([pre.Digits(True), byte_level(True)]), None),
    "digit_runs": (pre.Sequence([pre.Digits(False), byte_level(True)]), None),
    "punctuation": (pre.Sequence([pre.Punctuation("contiguous"), byte_level(True)]), None),
    "punctuation_each": (pre.Sequence([pre.Punctuation("isolated"), byte_level()]), None),
    "string": (pre.Sequence([pre.Split("a.", "isolated"), byte_level(True)]), None),
    "deepseek_coder": (splits(r"[\r\n]", r"\s?\p{L}+", r"\s?\p{P}+", "[一-龥ࠀ-一가-퟿]+", r"\p{N}"), None),
    "deepseek3": (splits(r"\p{N}{1,3}", "[一-龥぀-ゟ゠-ヿ]+", DEEPSEEK3), None),
    "bloom": (splits(BLOOM), None),
    "lookbehind": (splits(r"(?<=[a-z])\d+|(?<!x)\w+$|^\s+"), None),
    "brackets": (splits(r"[\w-]+|[^\s\w]+"), None),
    "line_begins": (splits(r"\n^|^[ab]|c$"), None),
}


def train(variant, text, vocab_size, ignore_merges=False):
    pre_tokenizer, normalizer = VARIANTS[variant]
    tokenizer = Tokenizer(models.BPE(ignore_merges=ignore_merges))
    tokenizer.pre_tokenizer = pre_tokenizer
    tokenizer.decoder = decoders.ByteLevel()
    if normalizer is not None:
        tokenizer.normalizer = normalizer
    tokenizer.train_from_iterator(text.splitlines(keepends=True), trainers.BpeTrainer(
        vocab_size=vocab_size, min_frequency=2, special_tokens=["<|endoftext|>"], show_progress=False,
        initial_alphabet=pre.ByteLevel.alphabet()))
    return tokenizer


CASES = [
    "", " ", "a", "x  y", "Hello, World's END'S it'ſ we'LL WE'll'd 'tis 'twas",
    "  \n\n \t x\r\n\r\n  y \n", "a\n b\n\n  c \r\n ", "trailing \n ", "... !!\n\n/\n// x",
    "1 12 123 1234 12345678 ½²Ⅳ٣१२ 3.14 a1b22c333", "ABCdef GHI jKL Mno iPhone HTTPServer ʰABc ǅABC ǅabc",
    "e\u0301 E\u0301A\u030a ÅÉ é A\u0301B \u0301a \u0301AB ー々 한국어 \u1112\u1161\u11ab",
    "明月光，夜来风雨声。花落知多少？ ひらがな カタカナ 漢字", "Привет ΜΆΪΟΣ ß ſt ﬁ İı",
    "😀👩‍👩‍👧‍👦 🇩🇪 \u200b\ufeff\u00a0\u3000\u2028\u2029\x85\x0b\x0c\x1f x",
    "x=a.b(c)['d']; // don't\n\tif (a<b) {}\n", "a.a.b.a", "_under_ $x% a,b;c #1",
]

PARTS = ["'s", "'S", "'ll", "'ſ", "'RE", " ", "  ", "\n", "\r\n", "\t", "\u00a0", "\u3000", "\x85", "\u2028", "a", "the",
         "The", "ABC", "é", "É", "ǅ", "ʰ", "中", "文字", "ー", "ひ", "カ", "한", "\u0301", "\u0308", "1", "12", "3456", "½",
         "٣", "Ⅳ", ".", ",", "!", "(", "/", "$", "+", "…", "。", "，", "\u200d", "😀", "\x00", "\ufeff", "a.", "x"]


def is_old(c):
    """Characters that every Unicode version at hand knows: Python's, which is older than the others'."""
    return unicodedata.category(c) not in ("Cn", "Cs", "Co")


def random_text(rng):
    def one():
        if rng.random() < 0.8:
            return rng.choice(PARTS)
        low, high = rng.choice([(0, 0x80), (0x80, 0x800), (0x800, 0x10000), (0x10000, 0x20000)])
        while True:
            c = chr(rng.randrange(low, high))
            if is_old(c):
                return c
    return "".join(one() for _ in range(rng.randrange(1, 30)))
