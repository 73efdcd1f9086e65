#!/usr/bin/env python3
"""check_includes.py [ROOT]: do includes point one way?

The layers of src/ stand in the order of docs/architecture.md; a file may include its own layer and those that
ALLOWED lists. A public header (include/inkstone/) belongs to the layer that implements it, includes only other
public headers and the C++ standard library, and thus no header of src/ or of a third party. Every violation is
one line, and the exit status is then 1. --self-test proves on small trees that each kind is found.
"""
import pathlib
import re
import sys
import tempfile

# Directly below; what stands below that is allowed as well.
BELOW = {
    "base": [],
    "tensor": ["base"],
    "formats": ["tensor"],
    "kernels": ["tensor"],
    "tokenizer": ["formats"],
    "corpus": ["tokenizer"],
    "model": ["formats", "kernels", "tokenizer"],
    "train": ["model", "corpus"],
    "generate": ["model"],
    "evaluate": ["generate"],
    "cli": ["train", "evaluate"],
}
# The lowest layer that may see a public header. model_config.h and TokenId are plain data, which the files hold.
PUBLIC = {
    "error.h": "base",
    "message.h": "base",
    "runtime.h": "base",
    "model_config.h": "base",
    "lora.h": "base",
    "recompute.h": "base",
    "tokenizer.h": "formats",
    "turns.h": "formats",
    "reading.h": "corpus",
    "cleaning.h": "corpus",
    "prepare.h": "corpus",
    "vocabulary.h": "corpus",
    "model.h": "model",
    "adapter.h": "model",
    "copy_index.h": "generate",
    "engine.h": "generate",
    "fill_in.h": "tokenizer",
    "quantize.h": "model",
    "generator.h": "generate",
    "communicator.h": "train",
    "trainer.h": "train",
    "training_plan.h": "train",
    "learning_rate.h": "train",
}
INCLUDE = re.compile(r'^\s*#\s*include\s*([<"])([^>"]+)[>"]')
SOURCES = {".h", ".cc", ".cpp", ".cu", ".cuh", ".inc"}


def with_below(layer):
    seen, todo = set(), [layer]
    while todo:
        name = todo.pop()
        if name not in seen:
            seen.add(name)
            todo += BELOW[name]
    return seen


ALLOWED = {layer: with_below(layer) for layer in BELOW}


def includes(path):
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1):
        match = INCLUDE.match(line)
        if match:
            yield number, match.group(1) == "<", match.group(2)


def violation_in_layer(layer, system, name):
    """What is wrong with this include in a file of the layer; None: nothing."""
    first, _, rest = name.partition("/")
    if first == "inkstone":
        if rest not in PUBLIC:
            return f"the public header {name} has no layer: add it to PUBLIC in tools/check_includes.py"
        if PUBLIC[rest] not in ALLOWED[layer]:
            return f"{name} belongs to {PUBLIC[rest]}, which does not stand below {layer}"
    elif first in BELOW and rest:
        if first not in ALLOWED[layer]:
            return f"{layer} includes {name}, and {first} does not stand below {layer}"
    elif not system:
        return f'"{name}" names no layer: write "layer/file.h" for ours, <...> for others'
    return None


def violation_in_public_header(header, system, name):
    first, _, rest = name.partition("/")
    if first == "inkstone" and not system:
        below = ALLOWED[PUBLIC[header]] if header in PUBLIC else set()
        if rest in PUBLIC and header in PUBLIC and PUBLIC[rest] not in below:
            return f"{name} belongs to {PUBLIC[rest]}, which does not stand below {PUBLIC[header]}"
        return None
    if system and re.fullmatch(r"[a-z_0-9]+", name):
        return None
    return f"a public header includes {name}: only inkstone/*.h and the C++ standard library are allowed"


def check(root):
    """All violations as lines 'file:line: what'."""
    found = []
    files = sorted(p for p in (root / "src").rglob("*") if p.suffix in SOURCES)
    for path in files:
        relative = path.relative_to(root)
        layer = relative.parts[1]
        if layer not in BELOW:
            found.append(f"{relative}:1: src/{layer} is no layer: add it to BELOW in tools/check_includes.py")
            continue
        for number, system, name in includes(path):
            what = violation_in_layer(layer, system, name)
            if what:
                found.append(f"{relative}:{number}: {what}")
    headers = sorted((root / "include" / "inkstone").rglob("*.h"))
    for path in headers:
        relative = path.relative_to(root)
        if path.name not in PUBLIC:
            found.append(f"{relative}:1: this public header has no layer: add it to PUBLIC in tools/check_includes.py")
        for number, system, name in includes(path):
            what = violation_in_public_header(path.name, system, name)
            if what:
                found.append(f"{relative}:{number}: {what}")
    return found, len(files) + len(headers)


def self_test():
    good = {
        "src/base/a.h": "#include <string>\n#include <fmt/format.h>\n",
        "src/tensor/a.h": '#include "base/a.h"\n',
        "src/model/a.cc": '#include "kernels/a.h"\n#include "base/a.h"\n#include "inkstone/model.h"\n',
        "src/train/a.cc": '#include "corpus/a.h"\n#include "inkstone/trainer.h"\n',
        "include/inkstone/model.h": '#include <vector>\n#include "inkstone/model_config.h"\n',
        "include/inkstone/model_config.h": "#include <cstdint>\n",
    }
    bad = {
        "a layer includes one above it": ("src/base/b.cc", '#include "tensor/a.h"\n'),
        "a sibling": ("src/kernels/b.cc", '#include "formats/a.h"\n'),
        "the trainer knows no generation": ("src/train/b.cc", '#include "generate/a.h"\n'),
        "the same in angle brackets": ("src/base/b.cc", "#  include <cli/command.h>\n"),
        "in a nested folder": ("src/kernels/cpu/b.cc", '#include "model/a.h"\n'),
        "a public header from too low": ("src/base/b.h", '#include "inkstone/trainer.h"\n'),
        "a path relative to the file": ("src/base/b.cc", '#include "a.h"\n'),
        "an unknown layer": ("src/extra/b.cc", ""),
        "a public header includes src": ("include/inkstone/tokenizer.h", '#include "base/a.h"\n'),
        "a public header includes a third party": ("include/inkstone/tokenizer.h", "#include <nlohmann/json.hpp>\n"),
        "a public header points up": ("include/inkstone/error.h", '#include "inkstone/model.h"\n'),
        "a public header without a layer": ("include/inkstone/new.h", ""),
    }
    with tempfile.TemporaryDirectory() as folder:
        for number, (what, extra) in enumerate([("nothing wrong", None), *bad.items()]):
            root = pathlib.Path(folder) / str(number)
            for name, text in [*good.items(), *([extra] if extra else [])]:
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            found, _ = check(root)
            expected = 1 if extra else 0
            if len(found) != expected or (extra and not found[0].startswith(f"{extra[0]}:1: ")):
                sys.exit(f"self-test FAILED: {what}: found {found}")
            print(f"ok: {what}" + (f": {found[0]}" if found else ""))


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    root = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else pathlib.Path(__file__).parent.parent).resolve()
    found, files = check(root)
    if not files:
        sys.exit(f"no source files under {root}")
    if found:
        sys.exit("\n".join(found))
    print(f"{files} files: includes point one way")


if __name__ == "__main__":
    main()
