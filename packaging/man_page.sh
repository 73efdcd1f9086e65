#!/bin/sh
# man_page.sh PROGRAM: inkstone(1), written from what PROGRAM and each of its commands print for --help.
set -eu
program=$1
export LC_ALL=C  # in English

# The lines under "Subcommands:" of a help text: "name   description".
subcommands() {
  "$program" "$@" --help |
    awk '/^[A-Z][A-Za-z]+:$/ { inside = tolower($0) == "subcommands:"; next } inside && /^  [a-z]/ { print $1 }'
}

# One help text as roff. Options, positionals and subcommands are tagged paragraphs: two blanks, the term, and from
# column 30, or on the next line, what it does.
section() {
  "$program" "$@" --help | awk '
    function roff(text) {
      gsub(/\\/, "\\e", text); gsub(/-/, "\\-", text); gsub(/`/, "\\(ga", text); gsub(/\047/, "\\(aq", text)
      return substr(text, 1, 1) == "." ? "\\&" text : text
    }
    NR == 1 { description = $0; next }
    /^Usage: / { print ".B " roff(substr($0, 8)); print ".PP"; print roff(description); next }
    /^[A-Z][A-Za-z]+:$/ { heading = $0; print ".PP"; print roff(heading); next }
    /^ *$/ { if (heading != "Example:") heading = ""; next }
    heading == "Example:" { print ".PP"; print ".nf"; print roff($0); print ".fi"; next }
    heading && /^  [^ ]/ {
      short = substr($0, 30, 1) == " "
      term = short ? substr($0, 3, 27) : substr($0, 3)
      sub(/ +$/, "", term)
      print ".TP"; print ".B " roff(term); if (short) print roff(substr($0, 31))
      next
    }
    heading { sub(/^ +/, ""); print roff($0); next }
    { print ".PP"; print roff($0) }'
}

commands() {
  for command in $(subcommands "$@"); do
    printf '.SS "inkstone %s"\n' "$*${*:+ }$command"
    section "$@" "$command"
    commands "$@" "$command"
  done
}

version=$("$program" --version)
summary=$("$program" --help | sed -n '1s/^Inkstone: //; 1s/\.$//p')
cat <<ROFF
.\\" Written by packaging/man_page.sh from the --help of the program.
.TH INKSTONE 1 "" "$version" "User Commands"
.SH NAME
inkstone \\- $summary
.SH SYNOPSIS
.B inkstone
.I COMMAND
[\\fIOPTION\\fR]...
.SH DESCRIPTION
ROFF
section
printf '.SH COMMANDS\n'
commands
cat <<'ROFF'
.SH EXIT STATUS
0 done; 1 failed; 2 wrong usage; 130 stopped by Ctrl\-C after everything was saved.
ROFF
