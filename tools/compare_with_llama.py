#!/usr/bin/env python3
"""compare_with_llama.py INKSTONE TEXT FILE.gguf... [--tokens 300] [--passages 40] [--prompts 3]

What this program and llama.cpp make of the same GGUF files: perplexity of the same tokens, and greedy text.

TEXT is cut into passages of a paragraph (300 to 900 bytes, shortened to 420), each scored from the beginning of a
document. Prompts are the first words of the first passages. Where greedy text differs, the margin says by how much
llama.cpp preferred its own token there: both round activations to 8 bits, each in its own way.

llama.cpp is the library inside xllamacpp (PyPI), called by ctypes: it reports logits, which xllamacpp itself does not.
"""
import argparse
import ctypes as c
import glob
import importlib.util
import json
import math
import os
import subprocess

import numpy as np


class Struct(c.Structure):
    """A structure of llama.cpp that is passed by value, larger than any: callees read and write its beginning."""
    _fields_ = [("bytes", c.c_uint8 * 1024)]


class Batch(c.Structure):
    _fields_ = [("count", c.c_int32), ("token", c.POINTER(c.c_int32)), ("embedding", c.c_void_p),
                ("position", c.POINTER(c.c_int32)), ("sequences", c.POINTER(c.c_int32)),
                ("sequence", c.POINTER(c.POINTER(c.c_int32))), ("wanted", c.POINTER(c.c_int8))]


def load_library():
    folder = os.path.dirname(importlib.util.find_spec("xllamacpp").origin)
    library = c.CDLL(glob.glob(folder + "/xllamacpp*.so")[0])
    signatures = {
        "llama_model_default_params": (Struct, []),
        "llama_context_default_params": (Struct, []),
        "llama_model_load_from_file": (c.c_void_p, [c.c_char_p, Struct]),
        "llama_init_from_model": (c.c_void_p, [c.c_void_p, Struct]),
        "llama_model_get_vocab": (c.c_void_p, [c.c_void_p]),
        "llama_model_n_ctx_train": (c.c_int32, [c.c_void_p]),
        "llama_vocab_n_tokens": (c.c_int32, [c.c_void_p]),
        "llama_vocab_eos": (c.c_int32, [c.c_void_p]),
        "llama_n_ctx": (c.c_uint32, [c.c_void_p]),
        "llama_batch_init": (Batch, [c.c_int32, c.c_int32, c.c_int32]),
        "llama_decode": (c.c_int32, [c.c_void_p, Batch]),
        "llama_get_logits_ith": (c.POINTER(c.c_float), [c.c_void_p, c.c_int32]),
        "llama_get_memory": (c.c_void_p, [c.c_void_p]),
        "llama_memory_clear": (None, [c.c_void_p, c.c_bool]),
        "llama_free": (None, [c.c_void_p]),
        "llama_model_free": (None, [c.c_void_p]),
    }
    for name, (result, arguments) in signatures.items():
        function = getattr(library, name)
        function.restype, function.argtypes = result, arguments
    library.silence = c.CFUNCTYPE(None, c.c_int, c.c_char_p, c.c_void_p)(lambda *_: None)
    library.llama_log_set(library.silence, None)
    library.llama_backend_init()
    return library


class Llama:
    """One model in llama.cpp, one sequence."""

    def __init__(self, library, file):
        self.library = library
        self.model = library.llama_model_load_from_file(file.encode(), library.llama_model_default_params())
        if not self.model:
            raise SystemExit(f"llama.cpp does not load {file}")
        self.context_size = library.llama_model_n_ctx_train(self.model)
        options = library.llama_context_default_params()
        (c.c_uint32 * 1).from_buffer(options)[0] = self.context_size  # n_ctx is the first member
        self.context = library.llama_init_from_model(self.model, options)
        if not self.context or library.llama_n_ctx(self.context) < self.context_size:
            raise SystemExit("llama.cpp's structures are not what this script knows")
        vocabulary = library.llama_model_get_vocab(self.model)
        self.vocab_size = library.llama_vocab_n_tokens(vocabulary)
        self.end_mark = library.llama_vocab_eos(vocabulary)
        self.batch = library.llama_batch_init(self.context_size, 0, 1)

    def close(self):
        self.library.llama_free(self.context)
        self.library.llama_model_free(self.model)

    def clear(self):
        self.library.llama_memory_clear(self.library.llama_get_memory(self.context), True)
        self.length = 0

    def feed(self, tokens):
        """Logits [tokens, V] after each."""
        batch = self.batch
        batch.count = len(tokens)
        for i, token in enumerate(tokens):
            batch.token[i], batch.position[i] = token, self.length + i
            batch.sequences[i], batch.sequence[i][0], batch.wanted[i] = 1, 0, 1
        if self.library.llama_decode(self.context, batch) != 0:
            raise SystemExit("llama_decode failed")
        self.length += len(tokens)
        return np.stack([np.ctypeslib.as_array(self.library.llama_get_logits_ith(self.context, i), (self.vocab_size,))
                         for i in range(len(tokens))])


class Inkstone:
    def __init__(self, program, file):
        self.program, self.file = program, file

    def run(self, command, *arguments):
        return json.loads(subprocess.run([self.program, command, self.file, *arguments, "--json"], check=True,
                                         capture_output=True, text=True).stdout)

    def score(self, text):
        scored = self.run("score", "--context", "", "--completion", text)
        return [token["id"] for token in scored["tokens"]], scored["log_prob"]

    def greedy(self, prompt, count):
        return self.run("generate", "--prompt", prompt, "--temperature", "0", "--max-tokens", str(count), "--bytes",
                        "--ignore-eos")["tokens"]


def log_softmax(logits):
    x = logits.astype(np.float64)
    x -= x.max(axis=-1, keepdims=True)
    return x - np.log(np.exp(x).sum(axis=-1, keepdims=True))


def perplexities(ours, llama, passages):
    mine = theirs = 0.0
    count = 0
    for passage in passages:
        tokens, log_prob = ours.score(passage)
        if len(tokens) > llama.context_size:
            continue
        llama.clear()
        table = log_softmax(llama.feed([llama.end_mark] + tokens[:-1]))
        mine += log_prob
        theirs += sum(table[i, token] for i, token in enumerate(tokens))
        count += len(tokens)
    return math.exp(-mine / count), math.exp(-theirs / count), count


def greedy_agreement(ours, llama, prompt, count):
    """Tokens that are the same, of how many, and llama.cpp's margin where they part."""
    begin, _ = ours.score(prompt)
    count = min(count, llama.context_size - len(begin))
    llama.clear()
    logits = llama.feed(begin)[-1]
    for i, token in enumerate(ours.greedy(prompt, count)):
        if (best := int(logits.argmax())) != token:
            return f"{i}/{count} (margin {logits[best] - logits[token]:.2g})"
        if i + 1 < count:
            logits = llama.feed([token])[-1]
    return f"{count}/{count}"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inkstone")
    parser.add_argument("text")
    parser.add_argument("files", nargs="+")
    parser.add_argument("--tokens", type=int, default=300)
    parser.add_argument("--passages", type=int, default=40)
    parser.add_argument("--prompts", type=int, default=3)
    a = parser.parse_args()
    with open(a.text, encoding="utf-8") as text:
        paragraphs = [line.strip() for line in text]
    passages = [p[:420] for p in paragraphs if 300 < len(p.encode()) < 900][:a.passages]
    if not passages:
        raise SystemExit(f"{a.text} has no paragraph of 300 to 900 bytes")
    prompts = [" ".join(p.split()[:5]) for p in passages[:a.prompts]]
    library = load_library()
    for file in a.files:
        ours, llama = Inkstone(a.inkstone, file), Llama(library, file)
        mine, theirs, count = perplexities(ours, llama, passages)
        texts = ", ".join(greedy_agreement(ours, llama, p, a.tokens) for p in prompts)
        print(f"{os.path.basename(file)}: perplexity of {count} tokens {mine:.3f}, llama.cpp {theirs:.3f} "
              f"(ratio {mine / theirs:.5f}); greedy text the same: {texts}", flush=True)
        llama.close()


if __name__ == "__main__":
    main()
