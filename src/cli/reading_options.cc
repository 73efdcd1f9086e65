#include "cli/reading_options.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "base/error.h"
#include "corpus/clean/option_names.h"

namespace inkstone::cli {
namespace {

// 0: none is given.
char parse_delimiter(const std::string& name) {
  if (name.empty()) return 0;
  if (name == "tab" || name == "\\t") return '\t';
  if (name.size() == 1 && name != "\"" && name != "\n" && name != "\r") return name[0];
  fail(ErrorCode::kUsage,
       "the delimiter '{}' is no single character (of ASCII, no quotation mark); give ',', ';', "
       "'|', tab or another",
       name);
}

}  // namespace

ReadOptions ReadingArguments::read_options() const {
  ReadOptions result = options;
  result.format = parse_input_format(format);
  result.csv_delimiter = parse_delimiter(delimiter);
  result.records = parse_records(records);
  return result;
}

std::optional<TurnTemplate> ReadingArguments::turn_template() const {
  if (turns.empty()) return std::nullopt;
  return load_turn_template(turns);
}

std::string shown_source(const std::string& source) {
  return source == "standard input" ? translated(source) : source;
}

void note_sources(const std::vector<SourceFacts>& sources) {
  constexpr int kShown = 5;
  int unsure = 0, noted = 0;
  for (const SourceFacts& facts : sources) {
    if (facts.is_unsure() && ++unsure <= kShown) {
      note(
          message("note: {}: read as {}, which is a guess ({:.0f} % sure); if the text looks "
                  "wrong, give its encoding: --encoding GB18030, Big5, Shift_JIS, "
                  "windows-1251, ...",
                  shown_source(facts.source), facts.encoding, 100 * facts.certainty));
    }
    if (facts.notes.empty() || ++noted > kShown) continue;
    for (const Message& text : facts.notes)
      note(message("note: {}: {}", shown_source(facts.source), text));
  }
  if (unsure > kShown)
    note(message("note: the encodings of {} more files are unsure guesses", unsure - kShown));
  if (noted > kShown) note(message("note: the same kind of notes on {} more", noted - kShown));
}

void add_reading_options(CLI::App* command, ReadingArguments& a) {
  command->add_option("--format", a.format, "of the inputs; auto: by their names and contents")
      ->check(
          one_of({"auto", "text", "markdown", "jsonl", "json", "csv", "tsv", "html", "srt", "vtt"}))
      ->capture_default_str();
  command
      ->add_option("--separator", a.options.separator,
                   "of texts: where documents end, beside lines <|endoftext|>: blank (lines), line "
                   "(each is a document, as for verses), or a regular expression: a line in which "
                   "it is found divides; with (?=...) it begins the next document")
      ->type_name("blank|line|REGEX");
  command
      ->add_option("--json-field", a.options.json_field,
                   "of JSON objects: the member with the text, a.b for b in a; title,text for "
                   "several, a line each; an array of strings is lines")
      ->capture_default_str();
  command
      ->add_option("--csv-column", a.options.csv_column,
                   "of CSV and TSV: a name in the first row, or a number from 1")
      ->capture_default_str();
  command
      ->add_option("--delimiter", a.delimiter,
                   "of CSV and TSV: a character, or tab; else told by the first rows")
      ->type_name("CHAR");
  command->add_flag("--no-header{false}", a.options.csv_header,
                    "of CSV and TSV: the first row is text, and --csv-column a number");
  command->add_option("--encoding", a.options.encoding,
                      "of the text (UTF-8, GB18030, Big5, ...); else detected");
}

void add_records_options(CLI::App* command, ReadingArguments& a) {
  a.records = "auto";
  command
      ->add_option("--records", a.records,
                   "of JSON and tables: {prompt, completion}, {messages} and {instruction, input, "
                   "output} are trained in their completions alone; auto: records that have no "
                   "text; text: none; completion: all, and nothing else is taken")
      ->check(one_of({"auto", "text", "completion"}))
      ->capture_default_str();
  command
      ->add_option("--template", a.turns,
                   localized("how the turns of such records are written: {}, or a file (the "
                             "model's; else plain for pairs with white space between them, "
                             "else turns)",
                             fmt::join(turn_template_names(), ", ")))
      ->type_name("NAME|FILE");
}

void add_writing_options(CLI::App* command, CleanOptions& clean) {
  command
      ->add_option("--normalize", clean.normalization,
                   "Unicode normalisation: none (default), nfc, nfkc (which makes ，：！？ ASCII), "
                   "nfkc-cjk (which keeps them)")
      ->transform(one_of_named(kNormalizationNames))
      ->type_name("none|nfc|nfkc|nfkc-cjk");
  command
      ->add_option("--convert", clean.conversion,
                   "Chinese into simplified or traditional characters (none); a vocabulary and the "
                   "data that it encodes should be made with the same")
      ->transform(one_of_named(kConversionNames))
      ->type_name("none|simplified|traditional");
}

}  // namespace inkstone::cli
