#!/usr/bin/env python3
"""check_documents.py [--program PROGRAM] [ROOT]: do the documents say the same in both languages, and does it exist?

A page of docs/zh/ has the same sections as its English twin in docs/, in the same order, and in each of them the same
commands in blocks of code, the same code between backticks (options, keys, names of files; but for text that is not
ASCII), as many list items, and as many rows of tables with the same numbers. Code and commands of README.md are in the
same section of README.zh.md, which may have more. Twins link to each other, README.zh.md to each page, and each link
and each "docs/..." in a document leads to a file. With PROGRAM, the options that these pages give its commands are
those of its --help. Every fault is one line, and the exit status is then 1. --self-test proves that each is found.
"""
import argparse
import collections
import difflib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

PAGES = ("command_line.md", "data.md", "cleaning.md", "tokenizer.md")  # that there must be in docs/zh/
READMES = ("README.md", "README.zh.md")
GROUPS = ("tokenizer",)  # commands that have commands of their own
CODE = re.compile(r"(`+)((?:(?!\n\n).)+?)\1", re.DOTALL)  # in one paragraph
OPTION = re.compile(r"(?<![\w-])(?:--[a-z][a-z-]*|-[a-z](?![\w-]))")
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
MENTION = re.compile(r"(?<![\w/.-])docs/[\w/.]*\w")
NUMBER = re.compile(r"\d+(?:[.,]\d+)*(?:e-?\d+)?")


class Section:
    def __init__(self, line, heading):
        self.line, self.heading = line, heading
        self.level = len(heading) - len(heading.lstrip("#"))
        self.title = heading.strip("# ")
        self.text, self.rows, self.commands = [], [], []  # text: without blocks of code
        self.items = 0

    def code(self):
        """What stands between backticks, by what it says: ASCII as it is, of other text the options."""
        found = set()
        for _, span in CODE.findall("\n".join(self.text)):
            span = " ".join(span.replace("\\|", "|").split())
            found |= {span} if span.isascii() else set(OPTION.findall(span))
        return found

    def key(self):
        return self.level, frozenset(self.code()), len(self.rows), self.items, tuple(self.commands)


class Page:
    def __init__(self, root, name):
        self.root, self.name = root, name
        self.sections = [Section(1, "")]
        in_block = False
        for number, line in enumerate((root / name).read_text(encoding="utf-8").splitlines(), 1):
            section = self.sections[-1]
            if line.startswith("```"):
                in_block = not in_block
            elif in_block:
                section.commands += command_of(line)
            elif re.match("#{1,6} ", line):
                self.sections.append(Section(number, line))
            else:
                section.text.append(line)
                section.items += line.startswith("- ")
                if line.startswith("|"):
                    section.rows.append(line)

    def links(self):
        prose = (CODE.sub("", "\n".join(section.text)) for section in self.sections)
        return [link for text in prose for link in LINK.findall(text) if not re.match(r"[a-z]+:|#", link)]

    def leads_to(self, link):
        return (self.root / self.name).parent / link.split("#")[0]

    def links_to(self, name):
        return any(self.leads_to(link).resolve() == (self.root / name).resolve() for link in self.links())


def command_of(line):
    """The command in a line of a block: its program and commands with the options; no arguments, texts, comments."""
    words = re.sub(r"(?:^|\s)#.*", "", re.sub(r"'[^']*'|\"[^\"]*\"", "''", line)).split()
    if not words:
        return []
    length = 1
    if words[0] == "inkstone":
        length = 3 if words[1:2] and words[1] in GROUPS else 2
    options = [option for word in words for option in OPTION.findall(word.split("=")[0])]
    return [" ".join(words[:length] + options)]


def compare_rows(own, twin, where):
    if len(own.rows) != len(twin.rows):
        yield f"{where} has {len(own.rows)} rows of tables, expected {len(twin.rows)} as in '{twin.title}'"
        return
    for row, other in zip(own.rows, twin.rows):
        numbers, expected = (collections.Counter(NUMBER.findall(text)) for text in (row, other))
        if numbers != expected:
            wrong = ", ".join((numbers - expected).elements()) or "nothing"
            missing = ", ".join((expected - numbers).elements()) or "nothing"
            yield f"{where} has {wrong} in place of {missing} in the row: {other}"


def compare_sections(page, own, twin_page, twin, may_have_more):
    where = f"{page.name}:{own.line}: section '{own.title}'"
    for what, here, there in (("code", own.code(), twin.code()), ("command", set(own.commands), set(twin.commands))):
        for missing in sorted(there - here):
            yield f"{where} lacks the {what} `{missing}`, which {twin_page.name} has in '{twin.title}'"
        for more in sorted(here - there if not may_have_more else ()):
            yield f"{where} has the {what} `{more}`, which {twin_page.name} does not have in '{twin.title}'"
    yield from compare_rows(own, twin, where)
    if may_have_more:
        return
    if own.commands != twin.commands and set(own.commands) == set(twin.commands):
        yield f"{where} has its commands in another order or number than '{twin.title}' of {twin_page.name}"
    if own.items != twin.items:
        yield f"{where} has {own.items} list items, expected {twin.items} as in '{twin.title}' of {twin_page.name}"


def compare_pages(page, twin, may_have_more):
    for one, other in ((page, twin), (twin, page)):
        if not one.links_to(other.name):
            yield f"{one.name}:1: no link to {other.name}, the same in the other language"
    if [s.level for s in page.sections] == [s.level for s in twin.sections]:
        for own, other in zip(page.sections, twin.sections):
            yield from compare_sections(page, own, twin, other, may_have_more)
        return
    keys = [[section.key() for section in one.sections] for one in (page, twin)]
    yield (f"{page.name}:1: {len(page.sections) - 1} headings, expected {len(twin.sections) - 1} as in {twin.name}, at "
           "the same levels")
    for tag, a, b, c, d in difflib.SequenceMatcher(None, *keys, autojunk=False).get_opcodes():
        for one, other, sections in ((page, twin, page.sections[a:b]), (twin, page, twin.sections[c:d])):
            for section in sections if tag != "equal" else ():
                yield f"{one.name}:{section.line}: section '{section.title}' has none like it in {other.name}"


def check_pairs(root):
    english, chinese = (Page(root, name) for name in READMES)
    yield from compare_pages(chinese, english, may_have_more=True)
    translated = {path.name for path in (root / "docs" / "zh").glob("*.md")}
    for name in sorted(translated | set(PAGES)):
        names = [f"docs/zh/{name}", f"docs/{name}"]
        absent = [path for path in names if not (root / path).exists()]
        if absent:
            yield f"{absent[0]}:1: this page is not there: {' and '.join(names)} are the same in two languages"
            continue
        yield from compare_pages(*(Page(root, path) for path in names), may_have_more=False)
        if not chinese.links_to(names[0]):
            yield f"{chinese.name}:1: no link to {names[0]}"


def documents(root):
    found = [path for path in root.glob("*.md")] + [path for path in (root / "docs").rglob("*.md")]
    return [Page(root, str(path.relative_to(root))) for path in sorted(found)]


def check_links(root):
    for page in documents(root):
        for link in page.links():
            if not page.leads_to(link).exists():
                yield f"{page.name}:1: the link to {link} leads nowhere"
        for section in page.sections:
            for mention in MENTION.findall("\n".join(section.text)):
                if next(root.glob(mention + "*"), None) is None:
                    yield f"{page.name}:{section.line}: there is no {mention}, which section '{section.title}' names"


def faults_of_code(text, commands):
    """What the program does not know of a command or an option; nothing where it is another program's."""
    words = re.sub(r"'[^']*'|\"[^\"]*\"", "''", text).split()
    is_named = words[0] == "inkstone"
    words = words[is_named:] or [""]
    name = next((name for name in (" ".join(words[:2]), words[0]) if name and name in commands), "")
    if is_named and not name and re.fullmatch("[a-z]+", words[0]):
        return [f"the program has no command {words[0]}"]
    if not (is_named or name or words[0].startswith("-")):
        return []
    known = commands[name] | commands[""] if name else set().union(*commands.values())
    return [f"{option} is no option of inkstone {name}".rstrip()
            for option in sorted(set(OPTION.findall(" ".join(words))) - known)]


def check_options(root, commands):
    """commands: {"tokenizer train": {"--type", ...}, ...}, "" the program itself."""
    for page in documents(root):
        if page.name not in READMES and not re.match(r"docs/(zh/)?(%s)$" % "|".join(PAGES), page.name):
            continue
        for section in page.sections:
            for text in sorted(section.code() | set(section.commands)):
                for fault in faults_of_code(text, commands):
                    yield f"{page.name}:{section.line}: section '{section.title}': `{text}`: {fault}"


def help_of(program, *words):
    environment = {**os.environ, "LC_ALL": "C", "LANGUAGE": "en"}
    return subprocess.run([program, *words, "--help"], env=environment, check=True, capture_output=True,
                          encoding="utf-8").stdout


def options_in(text):
    """Options stand at the beginning of a line of help, behind two blanks: "  -o,--output TEXT"."""
    terms = re.findall(r"^  (-\S+)", text, re.MULTILINE)
    return {option for term in terms for option in OPTION.findall(term.replace(",", " "))}


def subcommands_in(text):
    return re.findall(r"^  ([a-z]+)  ", text.partition("\nSubcommands:\n")[2], re.MULTILINE)


def commands_of_program(program, *words):
    text = help_of(program, *words)
    found = {" ".join(words): options_in(text)}
    for name in subcommands_in(text):
        found |= commands_of_program(program, *words, name)
    return found


def check(root, commands=None):
    return [*check_pairs(root), *check_links(root), *(check_options(root, commands) if commands else ())]


ENGLISH = """# A
[中文](zh/{0})
## B
`--steps N`

| a | 1,000 |

- x
## C
```
inkstone train 'book 1' -o run  # --x
```
"""
CHINESE = """# 甲
[English](../{0})
## 乙
`--steps N`，`叫“一”`

| 甲 | 1,000 |

- 子
## 丙
```
inkstone train 书 -o run
```
"""
COMMANDS = {"": {"--help"}, "train": {"--steps", "-o"}, "tokenizer": set(), "tokenizer train": {"--type"}}


def good_tree():
    links = "".join(f" [x](docs/zh/{name})" for name in PAGES)
    tree = {"README.md": "# A\n[中文](README.zh.md)\n`--steps`\n## B\ndocs/data.md\n",
            "README.zh.md": f"# 甲\n[English](README.md)\n`--steps`，`--help`{links}\n## 乙\n"}
    for name in PAGES:
        tree |= {f"docs/{name}": ENGLISH.format(name), f"docs/zh/{name}": CHINESE.format(name)}
    return tree


# What is done to a page of the good tree, and what is said of it.
BREAKS = {
    "a section is missing": (
        "docs/zh/data.md", "## 丙\n```\ninkstone train 书 -o run\n```\n", "", "docs/data.md:9: section 'C' has none like it"),
    "an option is missing": ("docs/zh/data.md", "`--steps N`", "", "lacks the code `--steps N`"),
    "an option is another": ("docs/data.md", "`--steps N`", "`--step N`", "has the code `--steps N`"),
    "a command is another": (
        "docs/zh/data.md", "inkstone train", "inkstone prepare", "lacks the command `inkstone train -o`"),
    "a command comes twice": (
        "docs/zh/data.md", "run\n", "run\ninkstone train 书 -o run\n", "another order or number"),
    "a row is missing": ("docs/zh/data.md", "| 甲 | 1,000 |\n", "", "0 rows of tables, expected 1"),
    "a number is another": ("docs/zh/data.md", "1,000", "1,00", "has 1,00 in place of 1,000"),
    "an item is missing": ("docs/zh/data.md", "- 子\n", "", "0 list items, expected 1"),
    "a heading has another level": ("docs/zh/data.md", "## 丙", "### 丙", "has none like it"),
    "no link to the other language": ("docs/data.md", "[中文](zh/data.md)", "", "no link to docs/zh/data.md"),
    "the Chinese README lacks an option": ("README.zh.md", "`--steps`，", "", "lacks the code `--steps`"),
    "the Chinese README links to no page": ("README.zh.md", " [x](docs/zh/data.md)", "", "no link to docs/zh/data.md"),
    "a link leads nowhere": ("README.md", "## B", "[b](docs/b.md)\n## B", "the link to docs/b.md leads nowhere"),
    "a document that is named is not there": ("README.md", "docs/data.md", "docs/b.md", "there is no docs/b.md"),
    "the program has no such option": ("README.zh.md", "`--help`", "`--halp`", "--halp is no option of inkstone"),
    "another command has the option": (
        "README.zh.md", "`--help`", "`train --type`", "--type is no option of inkstone train"),
    "the program has no such command": (
        "README.zh.md", "`--help`", "`inkstone test`", "the program has no command test"),
}


def self_test():
    text = "A\n\nOptions:\n  -h,--help   Print\n  -o,--output RUN  as --help\n\nSubcommands:\n  train    Learn\n"
    assert options_in(text) == {"-h", "--help", "-o", "--output"} and subcommands_in(text) == ["train"], "reading help"
    with tempfile.TemporaryDirectory() as folder:
        for number, (what, broken) in enumerate([("nothing wrong", None), *BREAKS.items()]):
            root, tree = pathlib.Path(folder) / str(number), good_tree()
            if broken:
                assert tree[broken[0]].count(broken[1]) == 1, broken
                tree[broken[0]] = tree[broken[0]].replace(*broken[1:3])
            for name, text in tree.items():
                (root / name).parent.mkdir(parents=True, exist_ok=True)
                (root / name).write_text(text, encoding="utf-8")
            found = check(root, COMMANDS)
            if bool(found) != bool(broken) or (broken and not any(broken[3] in fault for fault in found)):
                sys.exit(f"self-test FAILED: {what}: found {found}")
            print(f"ok: {what}" + (f": {found[0]}" if found else ""))
        (root / "docs" / "zh" / PAGES[0]).unlink()
        assert any("is not there" in fault for fault in check(root)), "a page is missing"


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program")
    parser.add_argument("--self-test", action="store_true")
    parser.add_argument("root", nargs="?", default=pathlib.Path(__file__).parent.parent, type=pathlib.Path)
    arguments = parser.parse_args()
    if arguments.self_test:
        return self_test()
    commands = commands_of_program(arguments.program) if arguments.program else None
    faults = check(arguments.root.resolve(), commands)
    if faults:
        sys.exit("\n".join(faults))
    print("the documents are the same in both languages, and what they name is there")


if __name__ == "__main__":
    main()
