// The rows of a table, cut as Python's csv module cuts them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/read/byte_source.h"

namespace inkstone {

struct CsvRow {
  std::vector<std::string> fields;  // the first kMostColumns; none: an empty line
  size_t field_count = 0;
  std::string raw;           // its bytes, without the end of the line
  int64_t line = 1;          // in which it begins
  std::string_view why_not;  // why it cannot be read; empty when it can
};

// csv.reader with the dialect "excel" and any delimiter (Python 3.11, Modules/_csv.c): a field that
// begins with a quotation mark ends at the next single one, and holds delimiters, line ends and
// doubled quotation marks; what follows its end belongs to it; a quotation mark inside any other
// field is an ordinary character. "\n", "\r\n" and "\r" end a row. Where it differs: a quotation
// mark that the text never closes costs its own line alone, not all that follows.
class CsvRows {
 public:
  static constexpr size_t kMostColumns = 10'000;

  // first_line: the number of the line in which the text begins.
  CsvRows(ReadBytes read, char delimiter, int64_t first_line = 1);

  // False at the end. Bad input never throws.
  bool next(CsvRow& row);

 private:
  enum class State { kStartField, kInField, kInQuotes, kQuoteInQuotes };

  bool refill();
  bool at_end() { return at_ == buffer_.size() && !refill(); }
  void skip_line_feed();
  void read_fields(CsvRow& row);
  void read_part(CsvRow& row);
  void take(CsvRow& row, std::string_view text);
  void end_field(CsvRow& row);
  void end_row(CsvRow& row);
  void begin_again_behind_first_line(CsvRow& row);

  ReadBytes read_;
  char delimiter_;
  std::string buffer_;
  size_t at_ = 0;  // in buffer_
  bool end_ = false;
  State state_ = State::kStartField;
  std::string field_;
  bool is_too_long_ = false, row_ended_ = false, after_return_ = false;
  int64_t line_;
  int restarts_ = 0;
};

}  // namespace inkstone
