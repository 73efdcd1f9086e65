// Files of JSON lines: the rows of a data set, and what lm-eval logs of its samples.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"

namespace inkstone::evaluate {

// A row whose values are asked for by key. What is missing or of another kind throws kInvalidData
// that names the key, and the keys that the row has.
class Row {
 public:
  // `json`: an object. `line`: its number in the file `source`, from 1.
  Row(std::string source, int64_t line, Json json)
      : source_(std::move(source)), line_(line), json_(std::move(json)) {}

  int64_t line() const { return line_; }
  // "'rows.jsonl', line 3", for messages.
  Message place() const;
  const Json& json() const { return json_; }

  bool has(std::string_view key) const { return json_.contains(key); }
  const std::string& text(std::string_view key) const;
  // A list of texts, none empty of them all.
  std::vector<std::string> texts(std::string_view key) const;
  // A whole number, as a number or as a text of digits: 3, "3".
  int64_t number(std::string_view key) const;
  // The object under the key as a row of the same line.
  Row inner(std::string_view key) const;

 private:
  const Json& at(std::string_view key) const;

  std::string source_;
  int64_t line_;
  Json json_;
};

// The objects of a file of JSON lines, in their order; lines without anything are passed over. Half
// a surrogate, as Python's json writes it, becomes U+FFFD. Throws kInvalidData naming
// the line that is no JSON object, and for a file without any; kUnsupported for the bytes of a
// Parquet, Arrow or compressed file, saying how to convert it.
std::vector<Row> parse_rows(std::string_view bytes, const std::string& source);

// parse_rows of a file, and of several one after the other. Throws as MappedFile besides.
std::vector<Row> read_rows(const std::string& path);
std::vector<Row> read_rows(const std::vector<std::string>& paths);

}  // namespace inkstone::evaluate
