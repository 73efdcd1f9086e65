#!/usr/bin/env bash
# completion_test.sh COMPLETION PROGRAM: what the completion offers for some beginnings of a command line.
set -euo pipefail
source "$1"
program=$(realpath "$2")
cd "$(mktemp -d)"
trap 'rm -rf "$PWD"' EXIT
touch book.txt

expect() {
  local expected=$1
  shift
  COMP_WORDS=("$program" "$@") COMP_CWORD=$#
  COMPREPLY=()
  _inkstone
  if [[ "${COMPREPLY[*]}" != "$expected" ]]; then
    printf "for 'inkstone %s' it offers '%s', expected '%s'\n" "$*" "${COMPREPLY[*]}" "$expected" >&2
    exit 1
  fi
}

expect 'train' tr
expect 'train' tokenizer tr
expect '--output' prepare --outp
expect '-o' train -o
expect 'cosine constant' train --schedule co
expect 'bf16' generate model --dtype b
expect 'book.txt' prepare bo
expect 'book.txt' tokenizer train bo
expect '' train --no-such-option
echo "the completion offers what is expected"
