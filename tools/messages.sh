#!/bin/sh
# messages.sh OUTPUT: the messages of src/ for translators, as a .pot file. Where they stand is told by the keywords:
# functions of base/message.h and base/error.h, and those that give an option or a command its help text.
set -eu
output=$(realpath "$1")
cd "$(dirname "$0")/.."
find src -name '*.cc' -o -name '*.h' | LC_ALL=C sort |
  xgettext --files-from=- --from-code=UTF-8 --language=C++ --no-location --sort-output --no-wrap \
    --keyword --keyword=fail:2 --keyword=message:1 --keyword=localized:1 --keyword=marked:1 \
    --keyword=add_option:3 --keyword=add_flag:3 --keyword=add_flag_callback:3 --keyword=add_subcommand:2 \
    --keyword=add_command:4 --output="$output"
sed -i '/^#, \(no-\)\?c-format$/d' "$output"  # the fields are fmt's, not printf's
