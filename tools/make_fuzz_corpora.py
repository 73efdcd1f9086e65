#!/usr/bin/env python3
"""make_fuzz_corpora.py FOLDER: seeds for the targets of tests/fuzz, FOLDER/TARGET/NAME.

Python's standard library only; the same files at every run.
"""
import bz2
import gzip
import io
import json
import lzma
import pathlib
import struct
import sys
import tarfile
import zipfile

END = "<|endoftext|>"
TEXTS = [
    "",
    "Shall I compare thee to a summer's day?\nThou art more lovely, and more temperate.\n",
    "明月光 夜来风雨声，花落知多少。\n",
    "Ünïcödé — “quotes” … €5 ½ №\r\n",
    "😀👩‍👩‍👧 🇩🇪 e\u0301 \u00a0\u3000\ufeff\u2028",
]


def byte_alphabet():
    """GPT-2's characters of the 256 bytes."""
    visible = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [b for b in range(256) if b not in visible]
    characters = {b: chr(b) for b in visible} | {b: chr(256 + k) for k, b in enumerate(others)}
    return [characters[b] for b in visible + others]


MERGES = [("Ġ", "t"), ("h", "e"), ("Ġt", "he"), ("a", "a"), ("aa", "aa"), ("Ġ", "Ġ"), ("1", "2"), ("Ċ", "Ċ")]


def vocabulary(merges):
    tokens = byte_alphabet() + [a + b for a, b in merges]
    return {token: i for i, token in enumerate(tokens)}


BYTE_LEVEL = {"type": "ByteLevel", "add_prefix_space": False, "trim_offsets": True, "use_regex": True}
NO_REGEX = BYTE_LEVEL | {"use_regex": False}
CL100K = (r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|"
          r"\s*[\r\n]+|\s+(?!\S)|\s+")


def split(pattern, behavior="Isolated", invert=False, kind="Regex"):
    return {"type": "Split", "pattern": {kind: pattern}, "behavior": behavior, "invert": invert}


def sequence(*steps):
    return {"type": "Sequence", "pretokenizers": list(steps)}


PRE_TOKENIZERS = {
    "gpt2": BYTE_LEVEL,
    "prefix": BYTE_LEVEL | {"add_prefix_space": True},
    "cl100k": sequence(split(CL100K), NO_REGEX),
    "removed": sequence(split(CL100K, "Removed", True), NO_REGEX),
    "icu": sequence(split(r"[a-z]+|\s\S|(?i:x)+"), NO_REGEX),
    "string": sequence(split("the", kind="String"), BYTE_LEVEL),
    "digits": sequence({"type": "Digits", "individual_digits": True}, BYTE_LEVEL),
    "punctuation": sequence({"type": "Punctuation", "behavior": "Isolated"}, BYTE_LEVEL),
}


def tokenizer_json(pre_tokenizer, merges=MERGES, pairs=False, **changes):
    added = {"id": 256 + len(merges), "content": END, "single_word": False, "lstrip": False, "rstrip": False,
             "normalized": False, "special": True}
    model = {"type": "BPE", "ignore_merges": False, "vocab": vocabulary(merges),
             "merges": [list(m) if pairs else " ".join(m) for m in merges]}
    root = {"version": "1.0", "added_tokens": [added], "normalizer": None, "pre_tokenizer": pre_tokenizer,
            "post_processor": None, "decoder": BYTE_LEVEL, "model": model}
    return root | changes


def char_tokenizer():
    tokens = [END, *"ab é中"] + [f"<0x{b:02X}>" for b in range(256) if chr(b) not in "ab "]
    steps = {"type": "Sequence", "decoders": [{"type": "ByteFallback"}, {"type": "Fuse"}]}
    root = tokenizer_json(None, decoder=steps)
    root["added_tokens"][0]["id"] = 0
    root["model"] = {"type": "BPE", "byte_fallback": True, "vocab": {t: i for i, t in enumerate(tokens)}, "merges": []}
    return root


def compact(value):
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def tokenizers():
    yield from ((name, compact(tokenizer_json(pre))) for name, pre in PRE_TOKENIZERS.items())
    yield "pairs", compact(tokenizer_json(BYTE_LEVEL, pairs=True))
    yield "bytes", compact(tokenizer_json(BYTE_LEVEL, merges=[]))
    yield "nfc", compact(tokenizer_json(BYTE_LEVEL, normalizer={"type": "NFC"}))
    yield "char", compact(char_tokenizer())
    yield "short", b'{"model":{"type":"BPE","vocab":{"a":0},"merges":["a a",["b","c"]]},"pre_tokenizer":null}'


def vocab_merges():
    lines = "#version: 0.2\n" + "".join(f"{a} {b}\n" for a, b in MERGES)
    vocab = vocabulary(MERGES) | {END: 256 + len(MERGES)}
    added = {"<pad>": 257 + len(MERGES)}
    yield "gpt2", compact(vocab) + b"\0" + lines.encode()
    yield "added", compact(vocab) + b"\0" + lines.encode() + b"\0" + compact(added)
    yield "short", compact({"a": 0, "b": 1, "ab": 2}) + b"\0a b\r\n"


def shards():
    """Magic number, version and count, then the tokens: the target adds the rest of the header."""
    ids = [0, 1, 50256, 65535]
    yield "16", struct.pack("<3i4H", 20240520, 1, 4, *ids)
    yield "32", struct.pack("<3i4I", 20240801, 7, 4, *ids)
    yield "negative", struct.pack("<3iI", 20240801, 7, 1, 0x80000000)
    yield "empty", struct.pack("<3i", 20240520, 1, 0)


def safetensors():
    header = {"__metadata__": {"format": "pt"},
              "w": {"dtype": "F32", "shape": [2, 2], "data_offsets": [0, 16]},
              "b": {"dtype": "BF16", "shape": [2], "data_offsets": [16, 20]}}
    yield "two", compact(header) + b"\0" + bytes(range(20))
    yield "scalar", compact({"s": {"dtype": "I64", "shape": [], "data_offsets": [0, 8]}}) + b"\0" + bytes(8)
    yield "none", b"{}"
    yield "file", struct.pack("<Q", 2) + b"{}"


def adapters():
    """Both files of an adapter for the model of adapter_fuzz.cc: one layer, width 4, 3 positions, 5 tokens."""
    def stored(tensors):
        header, data = {}, b""
        for name, shape in tensors.items():
            count = 4
            for size in shape:
                count *= size
            header["base_model.model." + name] = {"dtype": "F32", "shape": shape,
                                                  "data_offsets": [len(data), len(data) + count]}
            data += bytes(count)
        text = compact(header)
        return struct.pack("<Q", len(text)) + text + data

    config = {"peft_type": "LORA", "r": 2, "lora_alpha": 4, "target_modules": ["c_attn"]}
    layer = "transformer.h.0.attn.c_attn."
    pair = {layer + "lora_A.weight": [2, 4], layer + "lora_B.weight": [12, 2]}
    yield "plain", compact(config) + b"\0" + stored(pair)
    yield "dora", compact(config | {"use_dora": True, "use_rslora": True}) + b"\0" + stored(
        pair | {layer + "lora_magnitude_vector": [12]})
    yield "patterns", compact(config | {"rank_pattern": {"^transformer.h.0": 3}, "alpha_pattern": {"c_attn": 1},
                                        "layers_to_transform": 0}) + b"\0" + stored(pair)
    yield "embedding", compact(config | {"target_modules": "w.*"}) + b"\0" + stored(
        {"transformer.wte.lora_embedding_A": [2, 5], "transformer.wte.lora_embedding_B": [4, 2]})
    yield "whole", compact(config | {"modules_to_save": ["wte"], "bias": "lora_only"}) + b"\0" + stored(
        pair | {layer + "base_layer.bias": [12], "transformer.wte.weight": [6, 4], "lm_head.weight": [6, 4]})


def gguf_text(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data


def gguf_field(key, kind, value):
    return gguf_text(key) + struct.pack("<I", kind) + value


def gguf_strings(texts):
    return struct.pack("<IQ", 8, len(texts)) + b"".join(map(gguf_text, texts))


def gguf_file(fields, tensors=(), version=3):
    """Tensors are (name, dimensions in the file's order, type, bytes)."""
    header = b"GGUF" + struct.pack("<IQQ", version, len(tensors), len(fields)) + b"".join(fields)
    data = b""
    for name, dimensions, kind, content in tensors:
        header += gguf_text(name) + struct.pack(f"<I{len(dimensions)}QIQ", len(dimensions), *dimensions, kind, len(data))
        data += content + bytes(-len(content) % 32)
    return header + bytes(-len(header) % 32) + data


def gguf_tokenizer():
    tokens = [*byte_alphabet(), *(a + b for a, b in MERGES), END, "[PAD265]"]
    types = [1] * (len(tokens) - 2) + [3, 5]
    return [gguf_field("tokenizer.ggml.model", 8, gguf_text("gpt2")),
            gguf_field("tokenizer.ggml.pre", 8, gguf_text("gpt-2")),
            gguf_field("tokenizer.ggml.tokens", 9, gguf_strings(tokens)),
            gguf_field("tokenizer.ggml.token_type", 9, struct.pack(f"<IQ{len(types)}i", 5, len(types), *types)),
            gguf_field("tokenizer.ggml.merges", 9, gguf_strings([f"{a} {b}" for a, b in MERGES])),
            gguf_field("tokenizer.ggml.eos_token_id", 4, struct.pack("<I", len(tokens) - 2))]


def gguf_model():
    """One layer of width 2."""
    sizes = {"block_count": 1, "context_length": 3, "embedding_length": 2, "attention.head_count": 1}
    fields = [gguf_field("general.architecture", 8, gguf_text("gpt2")),
              *(gguf_field(f"gpt2.{key}", 4, struct.pack("<I", size)) for key, size in sizes.items()),
              gguf_field("gpt2.attention.layer_norm_epsilon", 6, struct.pack("<f", 1e-5))]
    shapes = {"token_embd.weight": [2, 5], "position_embd.weight": [2, 3]}
    for part, wide, narrow in (("attn_norm", [2], None), ("attn_qkv", [6], [2, 6]), ("attn_output", [2], [2, 2]),
                               ("ffn_norm", [2], None), ("ffn_up", [8], [2, 8]), ("ffn_down", [2], [8, 2])):
        shapes |= {f"blk.0.{part}.weight": narrow or wide, f"blk.0.{part}.bias": wide}
    shapes |= {"output_norm.weight": [2], "output_norm.bias": [2]}
    floats = {name: bytes(4 * shape[0] * (shape[1] if len(shape) > 1 else 1)) for name, shape in shapes.items()}
    return fields, [(name, shape, 0, floats[name]) for name, shape in shapes.items()]


def ggufs():
    values = [gguf_field(f"t{kind}", kind, bytes([1] * size)) for kind, size in
              ((0, 1), (1, 1), (2, 2), (3, 2), (4, 4), (5, 4), (6, 4), (7, 1), (10, 8), (11, 8), (12, 8))]
    inner = gguf_strings(["a", "", "中"])
    nested = struct.pack("<IQ", 9, 2) + inner + struct.pack("<IQ3?", 7, 3, True, False, True)
    yield "values", gguf_file([*values, gguf_field("s", 8, gguf_text("é")), gguf_field("n", 9, nested)])
    blocks = [("q8_0", [32, 2], 8, bytes(68)), ("q6_k", [256], 14, bytes(210)), ("f16", [3], 1, bytes(6)),
              ("none", [0, 2], 0, b""), ("scalar", [], 0, bytes(4)), ("other", [7], 4711, bytes(9))]
    alignment = gguf_field("general.alignment", 4, struct.pack("<I", 32))
    yield "tensors", gguf_file([alignment], blocks, version=2)
    yield "tokenizer", gguf_file(gguf_tokenizer())
    fields, tensors = gguf_model()
    yield "model", gguf_file(fields, tensors)
    yield "untied", gguf_file(fields, [*tensors, ("output.weight", [2, 5], 1, bytes(20))])


def sweep_specs():
    yield "grid", b"options: {data: data, steps: 9}\naxes:\n  lr: [1e-3, 0.002]\n  s: [{layers: 2, width: 8}, {TEXT: a/b}]\nseeds: 2\n"
    yield "random", b"command: finetune\noptions: {MODEL: m, TEXT: [a, b]}\naxes:\n  lr: {from: 1e-5, to: 0.1, scale: log}\n" \
                    b"  layers: {from: 2, to: 8}\nmethod: random\npoints: 9\nseed: 7\nseeds: [3, 4]\n"
    yield "halving", b"options: {steps: 90, eval-every: 5}\naxes: {lr: [1, 2, 3]}\nmethod: halving\nrungs: [10, 30]\nfactor: 2\n"
    yield "yaml", b"%YAML 1.1\n---\n? [a, {b: c}]\n: &x |\n  text\n- *x\n- !!str \"\\x41\"\n...\n"


def jsons():
    yield "object", compact({"n": 3, "a": [1.5, -2e9, None, True, {"b": "x\n\"\\中"}]})
    yield "deep", b"[" * 20 + b"]" * 20
    yield "numbers", b"[0,-0,1e308,1e-320,18446744073709551615,-9223372036854775808,0.1]"
    yield "strings", rb'["\u0041\ud83d\ude00\u0000","\b\f\n\r\t\/"]'


def run_options(**changes):
    model = {"layers": 2, "heads": 2, "width": 32, "context": 16, "vocab_size": 300, "layer_norm_epsilon": 1e-5,
             "initializer_range": 0.02, "scale_attention_by_inverse_layer": False}
    options = {"data": ["data", "/more/data"], "weights": [0.7, 0.3], "align_documents": True, "init": "", "model": model,
               "steps": 40, "seconds": 60.0, "batch": 4, "accumulate": 2, "context": 0, "optimizer": "muon", "lr": 1e-3, "muon_lr": 0.02,
               "min_lr": 0.0,
               "schedule": "wsd", "warmup": 4, "decay_fraction": 0.2, "weight_decay": 0.1, "beta1": 0.9, "beta2": 0.99,
               "epsilon": 1e-8, "clip": 1.0, "dropout": 0.1, "mask_rate": 0.0, "dtype": "bf16", "device": "cpu", "seed": 1,
               "eval_every": 10, "eval_tokens": 0, "sample_every": 0, "sample_prompt": "中", "save_every": 10, "keep": 2,
               "patience": 0, "log_every": 5}
    return options | changes


def runs():
    yield "run", compact({"program": "inkstone", "data_fingerprint": "train 9 val 1", "options": run_options()})
    early = run_options(data="/data")
    for key in ("weights", "align_documents", "seconds", "optimizer", "muon_lr"):
        del early[key]
    yield "early", compact({"program": "inkstone", "options": early})
    yield "huge", compact({"options": run_options(batch=1 << 40, accumulate=1 << 40, steps=1 << 40)})


def trainer_states():
    state = {"step": 20, "planned_steps": 40, "elapsed_s": 31.5, "best_val_loss": 3.2, "best_step": 20,
             "evaluations_without_improvement": 0, "loss_sum": 9.5, "loss_count": 3, "stopped_early": False,
             "data_fingerprint": "train 9 val 1", "options": run_options()}
    yield "state", compact(state)
    yield "late", compact(state | {"elapsed_s": 1e300, "best_val_loss": None, "planned_steps": 1 << 40})


def metrics():
    line = {"step": 10, "loss": 4.5, "lr": 1e-3, "grad_norm": 1.0, "tokens_per_s": 900.0, "elapsed_s": 3.5}
    evaluated = line | {"step": 20, "val_loss": 4.25, "val_nats_per_character": 3.5, "val_bits_per_byte": 1.7}
    yield "cut", compact(line) + b"\n" + compact(evaluated) + b"\n" + compact(evaluated)[:30]
    yield "odd", b"[]\n\n" + compact({"step": "3", "val_loss": 1}) + b"\r\n" + compact({"step": 5, "val_loss": None})


def command_records():
    record = {"program": "inkstone", "command": "train", "given": {"TEXT": ["/book.txt", "-"], "steps": ["300"]}}
    yield "train", compact(record)
    yield "odd", compact({"command": "", "given": {"": [], "--": ["@list", "中文"]}})
    yield "broken", compact(record | {"given": {"TEXT": "/book.txt"}})


def evaluations():
    """The first byte picks the task of a row, in the order of src/evaluate/task.cc."""
    choices = {"text": ["a", "b"], "label": ["A", "B"]}
    rows = [{"page": " = T = \n \n a @-@ b ( c ) \" d ' e \n"}, {"text": "one two  three"}, {"text": "one"},
            {"activity_label": "L", "ctx_a": "a [title] b", "ctx_b": "cD", "endings": ["x [y] z", "w"], "label": "1"},
            {"goal": "g", "sol1": "a", "sol2": "b", "label": 1}, {"question": "q", "choices": choices, "answerKey": "B"},
            {"question": "q", "choices": choices, "answerKey": "A"},
            {"sentence": "a _ b", "option1": "x", "option2": "y", "answer": "2"},
            {"question_stem": "s", "choices": choices, "answerKey": " A"},
            {"text": "The cat. He ran", "pronoun": "He", "pronoun_loc": 9, "options": ["The man", "It"], "label": 0},
            {"sentence_good": "a b", "sentence_bad": "b a", "UID": "u"}, {"ctx": "a", "endings": ["x", "y"], "label": 0}]
    for i, row in enumerate(rows):
        yield f"row{i}", bytes([i]) + compact(row)
    logged = {"doc": rows[4], "arguments": {f"gen_args_{i}": {"arg_0": "q", "arg_1": " a"} for i in range(2)},
              "resps": [[["-1.5", "True"]], [["-2", "False"]]]}
    yield "logged", b"\4" + compact(logged)
    yield "values", b"\4" + compact(logged | {"arguments": [["q", " a"], ["q", " b"]], "resps": [[[-1.5, True]], [[-2, False]]]})
    yield "page", b"\0" + compact({"doc": rows[0], "arguments": [["text"]], "resps": [["-12.5"]]})


def hf_configs():
    config = {"model_type": "gpt2", "n_layer": 2, "n_head": 2, "n_embd": 32, "n_positions": 64, "vocab_size": 400,
              "activation_function": "gelu_new", "eos_token_id": 0, "bos_token_id": 0}
    yield "both", compact(config) + b"\0" + compact({"eos_token_id": [0, 5], "pad_token_id": -1})
    yield "alone", compact(config | {"n_ctx": 64, "n_inner": None, "tie_word_embeddings": True})


def special_roles():
    token = {"content": END, "lstrip": False, "special": True}
    yield "both", compact({"eos_token": END, "bos_token": None}) + b"\0" + compact({"eos_token": token})
    yield "map", b"\0" + compact({"bos_token": END, "pad_token": END})


def prompts():
    """The first byte says whether the file's name ends in .jsonl."""
    yield "text", b'0one\n"two," she said\n\n{x}\n'
    yield "objects", b'0{"prompt": "one"}\n{"prompt": 2}\n{"prompt": "thr\n'
    yield "named", b'1{"prompt": "one"}\n"two"\nthree\n'


def conversations():
    turns = [{"user": "one", "reply": "two"}, {"user": "", "reply": [228, 184, 10]}]
    yield "two", compact({"format": "inkstone conversation 1", "turns": turns})


def histories():
    yield "new", "one\n却说\\n宝玉\nback\\\\slash\n".encode()
    yield "libedit", b"_HiStOrY_V2_\n/set\\040seed\\0405\\012\n"


def terminals():
    settings = {"utf8": b"\x00\x28\x05\x03", "gbk": b"\x01\x14\x03\x02"}
    for name, head in settings.items():
        encoding = "utf-8" if name == "utf8" else name
        yield name, head + "却说宝玉\x01ab\x7f\x05\x1b[D\x1b[1;5C\x14\x17\x19\x1bf\x1b[A\x0b".encode(encoding)
        yield f"{name}_paste", head + "\x1b[200~一\r\n二\t三\x1b[201~\x1b[A\x1b[B“".encode(encoding)
    yield "emoji", settings["utf8"] + "👨\u200d👩\u200d👧e\u0301🇨🇳\x1b[D\x7f".encode()


def jsonl():
    lines = [compact({"text": text, "id": i}) for i, text in enumerate(TEXTS)]
    yield "lines", b"\n".join(lines) + b"\n"
    yield "crlf", b"\r\n".join(lines)
    yield "array", b"[" + b",\n".join(lines) + b"]"
    yield "nested", compact({"meta": {"text": "inner"}, "text": TEXTS[1]}) + b"\n\n{}\n"
    yield "broken", lines[1] + b'\n{"text": "cut\n' + lines[2]


def csv():
    yield "plain", b"id,text\n1,one\n2,two words\n"
    yield "quoted", 'id,text\r\n1,"a ""quote"", a comma"\r\n2,"two\nlines"\r\n'.encode()
    yield "tsv", "id\ttext\n1\t中文\n2\t\n".encode()
    yield "broken", b'text\n"open\n"a"b",c\n,,,\n'
    yield "bom", b"\xef\xbb\xbftext\nx\n"


def records():
    """The first byte picks the format and what is taken."""
    pair = {"prompt": "one ", "completion": TEXTS[1]}
    turns = [{"role": "user", "content": "one"}, {"role": "assistant", "content": [{"type": "text", "text": "two"}]}]
    alpaca = {"instruction": "one", "input": None, "output": "two"}
    lines = b"\n".join(compact(record) for record in (pair, {"messages": turns}, alpaca, {"prompt": 1}))
    yield "lines", b"\x00" + lines
    yield "completion", b"\x04" + lines
    yield "json", b"\x01[" + compact(pair) + b"," + compact({"text": "a", "messages": turns}) + b"]"
    yield "csv", b"\x02id,prompt,completion\n1,a,b\n2,c,\n3\n"
    yield "tsv", b"\x07instruction\tinput\toutput\na\t\tb\n"


def trained_spans():
    """What follows the magic and the version: counts, and documents with their spans."""
    documents = struct.pack("<4I", 5, 1, 2, 5) + struct.pack("<6I", 9, 2, 0, 1, 4, 9)
    yield "two", struct.pack("<3Q", 2, 3, 14) + documents
    yield "empty", struct.pack("<3Q", 0, 0, 0)


def turn_templates():
    roles = {"user": {"before": "Q: ", "after": "\n"}, "assistant": {"before": "<|end|>", "after": ""}}
    yield "two", compact({"version": 1, "begin": END, "roles": roles})


def tar_of(files, mode):
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode=mode) as tar:
        for name, data in files:
            entry = tarfile.TarInfo(name)
            entry.size = len(data)
            tar.addfile(entry, io.BytesIO(data))
    return out.getvalue()


def zip_of(files, method):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", method) as archive:
        for name, data in files:
            archive.writestr(zipfile.ZipInfo(name), data, method)
    return out.getvalue()


def archives():
    text = TEXTS[1].encode() * 2
    files = [("a.txt", text), ("folder/b.jsonl", b'{"text": "b"}\n'), ("folder/c.csv", b"text\nc\n")]
    tar = tar_of(files, "w")
    yield "a.tar", tar
    for name, compress in (("gz", lambda data: gzip.compress(data, mtime=0)), ("xz", lzma.compress), ("bz2", bz2.compress)):
        yield f"a.txt.{name}", compress(text)
        yield f"a.tar.{name}", compress(tar)
    yield "stored.zip", zip_of(files, zipfile.ZIP_STORED)
    yield "deflated.zip", zip_of(files, zipfile.ZIP_DEFLATED)
    yield "nested.zip", zip_of([("a.tar", tar_of(files[:1], "w"))], zipfile.ZIP_DEFLATED)
    word = b"<w:document><w:body><w:p><w:r><w:t>one</w:t></w:r></w:p></w:body></w:document>"
    yield "a.docx", zip_of([("[Content_Types].xml", b"<Types/>"), ("word/document.xml", word)], zipfile.ZIP_DEFLATED)
    page = b"<html><body><p>one</p></body></html>"
    yield "a.epub", zip_of([("mimetype", b"application/epub+zip"), ("a.xhtml", page)], zipfile.ZIP_STORED)
    yield "windows.zip", zip_of([("x", text)], zipfile.ZIP_STORED).replace(b"\0x", b"\0\xd0")
    yield "two.gz", gzip.compress(b"one\n", mtime=0) + gzip.compress(b"two\n", mtime=0)
    yield "cut.gz", gzip.compress(text, mtime=0)[:-9]


def html():
    yield "page", ("<!DOCTYPE html><html><head><meta charset=utf-8><title>T</title><style>p{}</style>"
                   "<script>if (a<b) {}</script></head><body><h1>中文 &amp; &eacute; &#x4e2d;</h1><p>one<br>two"
                   "<pre> kept\n  so</pre><ul><li>a<li>b</ul><table><tr><td>1<td>2</table></body></html>").encode()
    yield "broken", b"<p><b>bold<i>both</b>italic</p></div><!-- open <a href='x>y"
    yield "deep", b"<div>" * 40 + b"x"
    yield "latin", '<meta http-equiv="Content-Type" content="text/html; charset=iso-8859-1">café'.encode("latin-1")


def charsets():
    """Short texts in the encodings that are to be detected."""
    chinese = "床前明月光，疑是地上霜。舉頭望明月，低頭思故鄉。"
    samples = {"utf-8": TEXTS[2], "utf-8-sig": TEXTS[3], "utf-16": TEXTS[4], "utf-16-le": TEXTS[1],
               "utf-16-be": TEXTS[2], "gb18030": TEXTS[2] + TEXTS[4], "big5": chinese,
               "shift_jis": "古池や蛙飛びこむ水の音", "latin-1": "Grüße, café, naïve, ½ £5\n"}
    yield from ((name, text.encode(name)) for name, text in samples.items())
    yield "mixed", b"\0" + (chinese * 2 + "\n").encode("gb18030") + (chinese + "\n").encode()


W = 'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'


def packages():
    """The first byte picks DOCX, ODT or EPUB; NULs stand between the parts."""
    body = ('<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr><w:r><w:t>一 &amp; 二</w:t><w:tab/><w:br/></w:r>'
            '<w:del><w:r><w:delText>x</w:delText></w:r></w:del><w:r><w:footnoteReference w:id="2"/></w:r></w:p>'
            '<w:tbl><w:tr><w:tc><w:p><w:r><w:t>a</w:t></w:r></w:p></w:tc><w:tc><w:p/></w:tc></w:tr></w:tbl>'
            '<w:p><w:r><mc:AlternateContent><mc:Choice><w:txbxContent><w:p><w:r><w:t>box</w:t></w:r></w:p>'
            '</w:txbxContent></mc:Choice><mc:Fallback><w:t>no</w:t></mc:Fallback></mc:AlternateContent></w:r></w:p>')
    notes = f'<w:footnotes {W}><w:footnote w:id="2"><w:p><w:r><w:t>note</w:t></w:r></w:p></w:footnote></w:footnotes>'
    yield "docx", b"\0" + f'<w:document {W}><w:body>{body}</w:body></w:document>'.encode() + b"\0" + notes.encode()
    odt = ('<office:document-content><office:body><office:text><text:h>一</text:h><text:p>a<text:s text:c="3"/>b'
           '<text:tab/><text:line-break/><text:note><text:note-citation>1</text:note-citation><text:note-body><text:p>n'
           '</text:p></text:note-body></text:note></text:p><table:table><table:table-row><table:table-cell><text:p>c'
           '</text:p></table:table-cell></table:table-row></table:table></office:text></office:body>'
           '</office:document-content>')
    yield "odt", b"\1" + odt.encode()
    opf = ('<package><manifest><item id="a" href="a.xhtml"/><item id="b" href="b%201.html" properties="nav"/></manifest>'
           '<spine><itemref idref="a"/><itemref idref="b"/></spine></package>')
    yield "epub", b"\2" + opf.encode() + b"\0" + "<html><body><p>一<ruby>字<rt>zi</rt></ruby></body></html>".encode()


def subtitles():
    """The first byte picks a separator."""
    yield "srt", b"\0" + "1\r\n00:00:01,000 --> 00:00:02,000\r\n<i>你好</i> {\\an8}1 < 2\r\n\r\n2\r\n00:00:03,0".encode()
    yield "vtt", b"\1WEBVTT\n\nNOTE x\n\nname\n00:01.000 --> 00:02.000 line:0\n<v Ann>a &amp; b<00:01.500> c\n\nSTYLE\n"
    yield "poems", b"\2" + "一\n二\n\n\u3000\n三\n".encode()
    yield "titles", b"\4a\nb\na\n#\nc"


def reports():
    """What prepare leaves: the first byte picks report.json or a checkpoint."""
    tokenizer = {"type": "byte", "vocab_size": 257}
    split = {"documents": 1, "bytes": 2, "tokens": 3, "shards": [{"file": "train_000000.bin", "tokens": 3, "hash128": "0"}]}
    yield "report", b"\0" + compact({"program": "inkstone prepare", "tokenizer": tokenizer, "train": split})
    yield "other", b"\0" + compact({"program": "another", "train": []})
    yield "state", b"\1" + compact({"fingerprint": "fingerprint", "hash128": "0" * 32, "state": {"stage": "scan"}})


TARGETS = {
    "tokenizer_json": tokenizers, "vocab_merges": vocab_merges, "shard": shards, "safetensors_header": safetensors,
    "gguf": ggufs, "adapter": adapters,
    "json": jsons, "hf_config": hf_configs, "special_roles": special_roles, "prompts": prompts,
    "evaluate": evaluations, "conversation": conversations,
    "jsonl": jsonl, "csv": csv, "archive": archives, "html": html, "charset": charsets,
    "package": packages, "subtitles": subtitles,
    "records": records, "trained_spans": trained_spans, "turn_template": turn_templates,
    "run_json": runs, "trainer_state": trainer_states, "metrics": metrics, "sweep_spec": sweep_specs,
    "command_record": command_records, "history": histories, "terminal": terminals, "report": reports,
}


def main():
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    for target, seeds in TARGETS.items():
        folder = pathlib.Path(sys.argv[1]) / target
        folder.mkdir(parents=True, exist_ok=True)
        for name, data in seeds():
            (folder / name).write_bytes(data)


if __name__ == "__main__":
    main()
