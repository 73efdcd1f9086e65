# bash completion for inkstone: commands, options, the words that an option takes, and files. It asks the program
# itself (--help, in English), so it fits the version that is installed.
_inkstone() {
  local program=${COMP_WORDS[0]} current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD - 1]}
  local command=() word help names choices
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    [[ $word == [a-z]* ]] || break
    command+=("$word")
    [[ $word == tokenizer ]] || break
  done
  help=$("$program" "${command[@]}" --help --lang en 2>/dev/null) || return

  if [[ $current == -* ]]; then
    # "  -o,--output RUN  what it does": the names stand in the first 28 columns.
    names=$(awk '/^  -/ { sub(/^ +/, ""); while (match($0, /^-[-a-z0-9A-Z]+,? */)) {
      name = substr($0, 1, RLENGTH); gsub(/[, ]/, "", name); print name; $0 = substr($0, RLENGTH + 1) } }' <<<"$help")
    mapfile -t COMPREPLY < <(compgen -W "$names" -- "$current")
    return
  fi
  if [[ $previous == -* ]]; then
    choices=$(awk -v option="$previous" '
      /^  -/ && match($0, "(^|[ ,])" option " ") && match($0, /\{[^}]*\}/) {
        text = substr($0, RSTART + 1, RLENGTH - 2); gsub(/,/, " ", text); print text; exit }' <<<"$help")
  else
    choices=$(awk '/^[A-Z][A-Za-z]+:$/ { inside = tolower($0) == "subcommands:"; next }
      inside && /^  [a-z]/ { print $1 }' <<<"$help")
  fi
  if [[ -n $choices ]]; then
    mapfile -t COMPREPLY < <(compgen -W "$choices" -- "$current")
  else
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
    compopt -o filenames 2>/dev/null || true  # fails where no completion is going on, as in the test
  fi
}
complete -F _inkstone inkstone
