#!/usr/bin/env python3
"""check_translations.py: is every catalogue of po/ complete?

Takes the messages of src/ by xgettext (tools/messages.sh) and compares each po/LANGUAGE.po with them: messages without a
translation, fuzzy ones, those that no source has any more, and translations whose {} fields, --options or `commands`
are not those of the message. Every fault is one line and is counted, and the exit status is then 1. --self-test proves
that each kind is found.
"""
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(__file__).resolve().parent.parent
STRING = re.compile(r'"((?:[^"\\]|\\.)*)"')


def entries(text):
    """(msgid, msgstr, fuzzy, obsolete) of each entry but the header; strings as they are written."""
    found = []
    for block in re.split(r"\n\s*\n", text):
        lines = block.strip().splitlines()
        obsolete = any(line.startswith("#~") for line in lines)
        lines = [line.removeprefix("#~ ") for line in lines]
        fuzzy = any(line.startswith("#,") and "fuzzy" in line for line in lines)
        parts = {"msgid": "", "msgstr": ""}
        at = None
        for line in lines:
            if line.startswith("#"):
                continue
            at = line.split(" ", 1)[0] if line.startswith("msg") else at
            parts[at] = parts.get(at, "") + "".join(STRING.findall(line))
        if parts["msgid"]:
            found.append((parts["msgid"], parts["msgstr"], fuzzy, obsolete))
    return found


def fields(text):
    """The {} fields by number, with their formats: "{} {:.2f}" and "{1:.2f} {0}" have the same."""
    found = re.findall(r"\{(\d*)(:[^{}]*)?\}", text.replace("{{", "").replace("}}", ""))
    return sorted({(int(number) if number else i, form) for i, (number, form) in enumerate(found)})


def plain(text):
    return text.replace("\\n", "\n")


def faults(messages, catalogue):
    translated = {english: (text, fuzzy) for english, text, fuzzy, obsolete in catalogue if not obsolete}
    found = [f"obsolete: {english}" for english, _, _, obsolete in catalogue if obsolete]
    found += [f"in no source: {english}" for english in translated if english not in messages]
    for english in messages:
        text, fuzzy = translated.get(english, ("", False))
        if not text:
            found.append(f"untranslated: {english}")
            continue
        if fuzzy:
            found.append(f"fuzzy: {english}")
        if fields(text) != fields(english):
            found.append(f"other fields: {english} => {text}")
        numbered = [bool(number) for number in re.findall(r"\{(\d*)(?::[^{}]*)?\}", text.replace("{{", ""))]
        if len(set(numbered)) > 1:
            found.append(f"fields with and without numbers: {english} => {text}")
        for what, pattern in (("options", r"(?<![\w-])--[a-z][a-z-]*"), ("commands", r"`[^`]*`")):
            if set(re.findall(pattern, plain(text), re.ASCII)) != set(re.findall(pattern, plain(english))):
                found.append(f"other {what}: {english} => {text}")
    return found


def messages_of_sources():
    with tempfile.TemporaryDirectory() as folder:
        template = pathlib.Path(folder) / "inkstone.pot"
        subprocess.run([ROOT / "tools" / "messages.sh", template], check=True)
        return [english for english, _, _, _ in entries(template.read_text(encoding="utf-8"))]


def self_test():
    messages = ["a {} b {:.2f}", "take --this or `that`"]
    right = [("a {} b {:.2f}", "{1:.2f} {0}", False, False), ("take --this or `that`", "--this `that`", False, False)]
    cases = {
        "nothing wrong": (right, 0),
        "a message without a translation": (right[:1], 1),
        "an empty translation": ([right[0], (messages[1], "", False, False)], 1),
        "a fuzzy one": ([right[0], (*right[1][:2], True, False)], 1),
        "one that no source has": (right + [("c", "d", False, False)], 1),
        "an obsolete one": (right + [("c", "d", False, True)], 1),
        "a field too few": ([(messages[0], "{}", False, False), right[1]], 1),
        "another format": ([(messages[0], "{} {:.3f}", False, False), right[1]], 1),
        "fields with and without numbers": ([(messages[0], "{} {1:.2f}", False, False), right[1]], 1),
        "another option": ([right[0], (messages[1], "--those `that`", False, False)], 1),
        "another command": ([right[0], (messages[1], "--this `those`", False, False)], 1),
    }
    for what, (catalogue, expected) in cases.items():
        found = faults(messages, catalogue)
        if len(found) != expected:
            sys.exit(f"self-test FAILED: {what}: found {found}")
        print(f"ok: {what}")
    text = 'msgid ""\nmsgstr ""\n"Language: zh\\n"\n\n#, fuzzy\nmsgid "a"\nmsgstr ""\n"b "\n"c"\n\n#~ msgid "d"\n#~ msgstr "e"\n'
    if entries(text) != [("a", "b c", True, False), ("d", "e", False, True)]:
        sys.exit(f"self-test FAILED: parsing gave {entries(text)}")


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 1:
        sys.exit(__doc__)
    messages = messages_of_sources()
    count = 0
    for catalogue in sorted((ROOT / "po").glob("*.po")):
        found = faults(messages, entries(catalogue.read_text(encoding="utf-8")))
        print("\n".join(f"{catalogue.name}: {fault}" for fault in found))
        print(f"{catalogue.name}: {len(messages)} messages, {len(found)} faults")
        count += len(found)
    if count:
        sys.exit(1)


if __name__ == "__main__":
    main()
