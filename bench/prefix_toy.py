#!/usr/bin/env python3
"""A task whose answer depends on the whole prompt: which of twelve symbols is the r-th in their order?

Prompts are twelve different ones of 64 symbols in any order and a mark for r; the completion is one symbol. To find it, how
many of the symbols are smaller has to be known of each, those behind it included. Writes train.jsonl and val.jsonl of
{"prompt", "completion"}, prompts.txt and answers.txt (of val.jsonl).

  prefix_toy.py FOLDER [examples]
  prefix_toy.py --score FOLDER COMPLETIONS.jsonl      the part of the answers that `inkstone generate --json` got right
"""
import json
import pathlib
import random
import string
import sys


SYMBOLS = "0123456789" + string.ascii_uppercase + string.ascii_lowercase + "{}"  # in their order
MARKS = "!#$%&()*,.:;"  # of the ranks


def example(chance):
    symbols = chance.sample(SYMBOLS, 12)
    rank = chance.randrange(12)
    return "".join(symbols) + MARKS[rank], sorted(symbols)[rank]


def write(folder, count):
    folder.mkdir(parents=True, exist_ok=True)
    chance = random.Random(20261128)
    train, val = ([example(chance) for _ in range(n)] for n in (count, 1000))
    for name, examples in (("train", train), ("val", val)):
        lines = [json.dumps({"prompt": p, "completion": c}) + "\n" for p, c in examples]
        (folder / f"{name}.jsonl").write_text("".join(lines))
    (folder / "prompts.txt").write_text("".join(p + "\n" for p, _ in val))
    (folder / "answers.txt").write_text("".join(c + "\n" for _, c in val))


def score(folder, completions):
    answers = (folder / "answers.txt").read_text().split()
    written = [json.loads(line) for line in completions.read_text().splitlines()]
    right = sum(w["text"][:1] == answers[w["prompt_index"]] for w in written)
    print(f"{right / len(written):.3f} of {len(written)}")


def main():
    arguments = sys.argv[1:]
    if arguments[:1] == ["--score"] and len(arguments) == 3:
        score(*map(pathlib.Path, arguments[1:]))
    elif 1 <= len(arguments) <= 2 and not arguments[0].startswith("-"):
        write(pathlib.Path(arguments[0]), int(arguments[1]) if len(arguments) == 2 else 20000)
    else:
        sys.exit(__doc__)


if __name__ == "__main__":
    main()
