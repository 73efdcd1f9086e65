// How text of any kind is read: formats, encodings, and what is said of a source that was read.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "inkstone/message.h"

namespace inkstone {

enum class InputFormat { kAuto, kText, kJsonLines, kJson, kCsv, kTsv, kHtml, kSubtitles };

// "auto", "text", "markdown" (which is text), "jsonl", "json", "csv", "tsv", "html", "srt" or "vtt"
// (subtitles). Throws kUsage for other names.
InputFormat parse_input_format(const std::string& name);
std::string name_of(InputFormat format);

// What a record of a JSON file or a table is.
enum class Records {
  // A record with the field or column of the text is text; another one of a known shape is a
  // conversation, of which the assistant's part is trained.
  kAuto,
  kText,        // text, of its field or column
  kCompletion,  // a conversation of a known shape, else left out
};

// "auto", "text", "completion". Throws kUsage for other names.
Records parse_records(const std::string& name);
std::string name_of(Records records);

struct ReadOptions {
  // kAuto: by the name's ending, after that of its compression (.jsonl .ndjson .json .csv .tsv
  // .html .htm .xhtml); what begins as a page does is HTML, and as subtitles do, subtitles; all
  // else is text. DOCX, ODT and EPUB are known by their content, as compressed files are, whatever
  // the format.
  InputFormat format = InputFormat::kAuto;
  // Divides texts (not records: JSON, tables, pages) into documents, beside lines that are exactly
  // "<|endoftext|>": "" nowhere; "blank", at blank lines; "line", after each line; else a regular
  // expression of ICU's. A line in which it is found divides and belongs to no document; where what
  // it finds is empty, as with (?=...), the line begins the next one.
  std::string separator = "";
  // Of an object: a string, or an array of strings, which are joined by lines. "a.b" is the member
  // b of a; "a,b" is both, in lines of their own, as far as they are there.
  std::string json_field = "text";
  std::string csv_column = "text";  // a name in the first row, or a number from 1
  char csv_delimiter = 0;           // 0: of , ; tab | the one that the table's beginning tells
  bool csv_header = true;           // false: the first row is text, and csv_column a number
  std::string encoding = "";        // a name of ICU's; empty: detected, file by file
  // The known shapes: {prompt, completion}; {messages: [{role, content}, ...]}; Alpaca's
  // {instruction, input, output}, where the input may be absent. The contents are strings.
  Records records = Records::kText;
  // The roles that turns may have.
  std::vector<std::string> roles = {"system", "user", "assistant"};
};

// Sources with something to tell that a report lists; there may be millions.
inline constexpr size_t kToldSources = 1000;

// What is known of a source once it is read.
struct SourceFacts {
  std::string source;
  std::string encoding;  // of its bytes; "UTF-8" for ASCII too
  // How many guesses like this one are right, in hundredths of a hundred; 1 where nothing had to be
  // guessed.
  double certainty = 1;
  // Of a table: its delimiter and header, rows that do not fit: a sentence each.
  std::vector<Message> notes = {};

  bool is_unsure() const { return certainty < 0.9; }
  // That something was guessed, or is to be noted.
  bool tells() const { return certainty < 1 || !notes.empty(); }
};

// Something that was found and is not part of the corpus, and why.
struct DroppedDocument {
  std::string source;  // a path; of a member of an archive "corpus.zip/inner/name.txt"
  Message reason;      // "empty", "binary", "blank", "hidden", "unreadable: Permission denied", ...
  int64_t document = 0;  // its number in the source, from 1; 0: the source as a whole
};

}  // namespace inkstone
