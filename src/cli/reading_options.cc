#include "cli/reading_options.h"

namespace inkstone::cli {

ReadOptions ReadingArguments::read_options() const {
  ReadOptions result = options;
  result.format = parse_input_format(format);
  return result;
}

void add_reading_options(CLI::App* command, ReadingArguments& a) {
  command->add_option("--format", a.format, "of the inputs; auto: by their names and contents")
      ->check(CLI::IsMember({"auto", "text", "markdown", "jsonl", "json", "csv", "tsv", "html"}))
      ->capture_default_str();
  command
      ->add_option("--json-field", a.options.json_field,
                   "of JSON objects: the member with the text, a.b for b in a")
      ->capture_default_str();
  command
      ->add_option("--csv-column", a.options.csv_column,
                   "of CSV and TSV: a name in the first row, or a number from 1")
      ->capture_default_str();
  command->add_option("--encoding", a.options.encoding,
                      "of the text (UTF-8, GB18030, Big5, ...); else detected");
}

}  // namespace inkstone::cli
