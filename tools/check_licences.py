#!/usr/bin/env python3
"""check_licences.py PROGRAM: has every library that PROGRAM is linked with a row in docs/dependencies.md, with a
licence that allows it?

Reads the tables of docs/dependencies.md and tools/packages.txt, and what the program is linked with from
`objdump -p`. Every fault is one line, and the exit status is then 1. --self-test proves that each kind is found.
"""
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent


def rows(text, first):
    """The rows of the table whose first heading is `first`, as dictionaries by heading."""
    lines = iter(text.splitlines())
    cells = lambda line: [cell.strip() for cell in line.strip("|").split("|")]
    for line in lines:
        if line.startswith(f"| {first} |"):
            headings = cells(line)
            next(lines)
            found = []
            for row in lines:
                if not row.startswith("|"):
                    break
                found.append(dict(zip(headings, cells(row))))
            return found
    sys.exit(f"docs/dependencies.md has no table that begins with '{first}'")


def allowed_licences(document):
    """The first cell of the second table: a licence, or several separated by commas."""
    return {name.strip() for row in rows(document, "licence") for name in row["licence"].split(",")}


def faults(document, linked, packages):
    table = rows(document, "package")
    allowed = allowed_licences(document)
    by_library = {name.strip(): row for row in table for name in row["linked"].split(",") if name.strip()}
    by_package = {name for row in table for name in re.split(r"[ ,()]+", row["package"])}
    found = [f"the program is linked with {name}, which has no row in docs/dependencies.md"
             for name in linked if name not in by_library]
    found += [f"{row['package']}: the licence '{row['licence']}' is not among those that docs/dependencies.md explains"
              for row in table if row["linked"] and row["licence"] not in allowed]
    found += [f"tools/packages.txt installs {name}, which has no row in docs/dependencies.md"
              for name in packages if name not in by_package]
    return found


def linked_with(program):
    """libfoo of every 'NEEDED libfoo.so.1'."""
    text = subprocess.run(["objdump", "-p", program], check=True, capture_output=True, text=True).stdout
    names = re.findall(r"^\s*NEEDED\s+(\S+)", text, re.MULTILINE)
    if not names:
        sys.exit(f"{program} is linked with no shared library: is it the program?")
    return sorted({re.sub(r"\.so(\..*)?$", "", name) for name in names})


def packages_of(text):
    return [line.split()[1] for line in text.splitlines() if line.strip() and not line.startswith("#")]


def self_test():
    document = ("| package | licence | linked |\n|---|---|---|\n| libgood-dev (Good) | MIT | libgood |\n"
                "| tool | | |\n\n| licence | why |\n|---|---|\n| Apache-2.0, MIT | permissive |\n")
    cases = {
        "nothing wrong": (document, ["libgood"], ["libgood-dev", "tool"], 0),
        "a library without a row": (document, ["libgood", "libnew"], [], 1),
        "a licence that is not explained": (document.replace("| MIT | libgood", "| GPL-3.0 | libgood"), [], [], 1),
        "a package without a row": (document, [], ["libnew-dev"], 1),
    }
    for what, (text, linked, packages, expected) in cases.items():
        found = faults(text, linked, packages)
        if len(found) != expected:
            sys.exit(f"self-test FAILED: {what}: found {found}")
        print(f"ok: {what}" + (f": {found[0]}" if found else ""))


def main():
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    linked = linked_with(sys.argv[1])
    found = faults((ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8"), linked,
                   packages_of((ROOT / "tools" / "packages.txt").read_text(encoding="utf-8")))
    if found:
        sys.exit("\n".join(found))
    print(f"{len(linked)} linked libraries, each with a licence that allows it: {', '.join(linked)}")


if __name__ == "__main__":
    main()
