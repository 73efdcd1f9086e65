// Tables: which column of which rows is text.
#include <algorithm>
#include <array>
#include <cctype>
#include <charconv>
#include <cstring>
#include <optional>
#include <string_view>
#include <tuple>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/read/dialogue.h"
#include "corpus/read/csv_rows.h"
#include "corpus/read/record_reader.h"
#include "corpus/read/shape_notes.h"

namespace inkstone {
namespace {

constexpr size_t kSniffed_bytes = 64 * 1024;
constexpr size_t kSniffedRows = 50;
constexpr size_t kLongestHeader_bytes = 40;

std::optional<size_t> as_number(std::string_view text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

bool has_white_space(std::string_view text) { return text.find_first_of(" \t\r\n") != text.npos; }

Message delimiter_name(char delimiter) {
  return delimiter == '\t' ? marked("tab") : fmt::format("'{}'", delimiter);
}

// The columns of a conversation, from 0.
struct TurnColumns {
  RecordShape shape;
  size_t prompt, answer;
  std::optional<size_t> input;  // Alpaca's
};

std::optional<size_t> find_column(const CsvRow& header, std::string_view name) {
  const auto at = std::find(header.fields.begin(), header.fields.end(), name);
  if (at == header.fields.end()) return std::nullopt;
  return static_cast<size_t>(at - header.fields.begin());
}

std::optional<TurnColumns> find_turn_columns(const CsvRow& header) {
  const auto prompt = find_column(header, "prompt"), completion = find_column(header, "completion");
  if (prompt && completion) return TurnColumns{RecordShape::kPair, *prompt, *completion, {}};
  const auto instruction = find_column(header, "instruction");
  const auto output = find_column(header, "output");
  if (!instruction || !output) return std::nullopt;
  return TurnColumns{RecordShape::kAlpaca, *instruction, *output, find_column(header, "input")};
}

// How the beginning of a table looks when it is cut at a delimiter.
struct Sniffed {
  char delimiter = ',';
  size_t columns = 0;     // of the first row
  bool has_name = false;  // one of these is the wanted column
  double agreement = 0;   // the share of rows with as many

  // A table rather than a text that has this character here and there.
  bool is_table() const { return columns > 1 && (has_name || agreement >= 0.5); }
  auto rank() const { return std::make_tuple(is_table(), has_name, agreement, columns); }
};

Sniffed sniff(std::string_view head, char delimiter, const CsvOptions& options) {
  Sniffed found{.delimiter = delimiter};
  CsvRows rows(read_from(head), delimiter);
  size_t count = 0, agreeing = 0;
  for (CsvRow row; count < kSniffedRows && rows.next(row);) {
    if (row.field_count == 0 || !row.why_not.empty()) continue;
    if (count++ == 0) {
      found.columns = row.field_count;
      found.has_name = find_column(row, options.column).has_value() ||
                       (options.records != Records::kText && find_turn_columns(row));
    }
    agreeing += row.field_count == found.columns ? 1 : 0;
  }
  if (count > 0) found.agreement = static_cast<double>(agreeing) / static_cast<double>(count);
  return found;
}

class CsvReader : public RecordReader {
 public:
  CsvReader(ReadBytes read, CsvOptions options)
      : options_(std::move(options)), read_(std::move(read)) {}

  bool next(Record& record) override {
    record = {};
    if (!rows_) start();
    if (stopped_) return false;
    do {
      if (!next_row()) return false;
    } while (row_.field_count == 0 && row_.why_not.empty());
    if (!row_.why_not.empty()) return drop(record, row_, std::string(row_.why_not));
    if (turns_) return take_dialogue(row_, record);
    return wanted_ == 0 ? choose_column(record) : take(row_, record);
  }

  std::vector<Message> notes() const override {
    std::vector<Message> notes = notes_;
    for (Message& note : shapes_.notes()) notes.push_back(std::move(note));
    if (long_rows_ > 0 && is_single_) {
      notes.push_back(
          message("{} rows have {} in their text and were kept whole, the first in "
                  "line {}",
                  long_rows_, delimiter_name(delimiter_), first_long_line_));
    } else if (long_rows_ > 0) {
      notes.push_back(
          message("{} rows have more fields than the first row, the first in line "
                  "{}: is a text with {} in it not quoted?",
                  long_rows_, first_long_line_, delimiter_name(delimiter_)));
    }
    return notes;
  }

 private:
  // Looks at the beginning, which is read again.
  void start() {
    read_more(read_, kSniffed_bytes, head_);
    take_named_delimiter();
    Sniffed best;
    for (const char delimiter : options_.delimiters) {
      const Sniffed found = sniff(head_, delimiter, options_);
      if (best.columns == 0 || found.rank() > best.rank()) best = found;
    }
    is_single_ = options_.delimiters.size() == 1 ? best.columns <= 1 : !best.is_table();
    delimiter_ = is_single_ ? options_.delimiters.front() : best.delimiter;
    if (!is_single_ && delimiter_ != options_.delimiters.front())
      notes_.push_back(message("the delimiter is {}", delimiter_name(delimiter_)));
    rows_.emplace(
        [this](char* out, size_t size_bytes) {
          const size_t n = std::min(size_bytes, head_.size() - head_at_);
          std::memcpy(out, head_.data() + head_at_, n);
          head_at_ += n;
          return n == size_bytes ? n : n + read_(out + n, size_bytes - n);
        },
        delimiter_, first_line_);
  }

  // "sep=;" alone in the first line: how Excel names the delimiter.
  void take_named_delimiter() {
    constexpr std::string_view kName = "sep=";
    const size_t size_bytes = std::min(head_.find_first_of("\r\n"), head_.size());
    if (!head_.starts_with(kName) || size_bytes != kName.size() + 1) return;
    const char named = head_[kName.size()];
    if (named != '\t' && (!std::ispunct(static_cast<unsigned char>(named)) || named == '"')) return;
    if (options_.delimiters.size() > 1) {
      options_.delimiters = named;
      notes_.push_back(message("the first line names the delimiter: {}", delimiter_name(named)));
    }
    head_.erase(0, size_bytes + (head_.substr(size_bytes, 2) == "\r\n" ? 2 : 1));
    first_line_ = 2;
  }

  bool next_row() {
    if (!has_second_) return rows_->next(row_);
    has_second_ = false;
    std::swap(row_, second_);
    return true;
  }

  // From the first row, which is a header or text.
  bool choose_column(Record& record) {
    CsvRow& first = row_;
    first_fields_ = first.field_count;
    if (options_.records != Records::kText && is_table_of_turns(first)) {
      wanted_ = 1;
      return next(record);
    }
    if (options_.records == Records::kCompletion) {
      stopped_ = true;
      return drop(record, first,
                  message("the header row has {}, expected the columns prompt and completion, or "
                          "instruction and output",
                          names(first)));
    }
    const auto found = std::find(first.fields.begin(), first.fields.end(), options_.column);
    const auto number = as_number(options_.column);
    if (options_.header && found != first.fields.end()) {
      wanted_ = static_cast<size_t>(found - first.fields.begin()) + 1;
    } else if (is_single_) {
      wanted_ = 1;
      if (!options_.header || !looks_like_header(first)) return first_is_text(first, record);
    } else if (number && *number <= first.field_count) {
      wanted_ = *number;
      if (!options_.header) return first_is_text(first, record);
    } else {
      stopped_ = true;
      return drop(record, first, why_no_column(first));
    }
    notes_.push_back(
        message("the first row was taken for a header: {}; the text is column {} "
                "(--no-header: it is text)",
                names(first), wanted_));
    return next(record);
  }

  // Whether its rows are conversations: then turns_ says of which columns.
  bool is_table_of_turns(const CsvRow& header) {
    if (!options_.header) return false;
    turns_ = find_turn_columns(header);
    if (!turns_ || options_.records == Records::kCompletion ||
        !find_column(header, options_.column))
      return turns_.has_value();
    text_shape_ = turns_->shape;
    turns_.reset();
    return false;
  }

  bool take_dialogue(CsvRow& row, Record& record) {
    if (row.field_count > first_fields_ && long_rows_++ == 0) first_long_line_ = row.line;
    const size_t last = std::max(turns_->prompt, turns_->answer);
    if (row.fields.size() <= last) {
      return drop(record, row,
                  message("{} columns, and column {} is wanted", row.field_count, last + 1));
    }
    std::string &prompt = row.fields[turns_->prompt], &answer = row.fields[turns_->answer];
    const bool has_input = turns_->input && *turns_->input < row.fields.size();
    const Dialogue dialogue = turns_->shape == RecordShape::kPair
                                  ? pair_of(std::move(prompt), std::move(answer))
                                  : alpaca_of(std::move(prompt),
                                              has_input ? row.fields[*turns_->input] : "",
                                              std::move(answer));
    if (const Message why_not = why_not_trained(dialogue); !why_not.empty())
      return drop(record, row, why_not);
    shapes_.count(dialogue.shape);
    record.text = pack(dialogue);
    record.is_dialogue = true;
    return true;
  }

  bool first_is_text(CsvRow& first, Record& record) {
    notes_.push_back(is_single_ && options_.header
                         ? message("one column, and its first row was taken for text, not for "
                                   "a header: '{}' (--csv-column with this name: a header)",
                                   shortened(first.raw))
                         : message("no header; the text is column {}", wanted_));
    return take(first, record);
  }

  // A word alone, and then a text.
  bool looks_like_header(const CsvRow& first) {
    const std::string& name = first.fields[0];
    if (name.size() > kLongestHeader_bytes || has_white_space(name)) return false;
    do {
      has_second_ = rows_->next(second_);
    } while (has_second_ && second_.field_count == 0 && second_.why_not.empty());
    return has_second_ && !second_.fields.empty() && has_white_space(second_.fields[0]);
  }

  bool take(CsvRow& row, Record& record) {
    if (text_shape_) shapes_.count_as_text(*text_shape_);
    if (row.field_count > (is_single_ ? 1 : first_fields_)) {
      if (long_rows_++ == 0) first_long_line_ = row.line;
      if (is_single_) return record.text = std::move(row.raw), true;
    }
    if (row.fields.size() < wanted_) {
      return drop(record, row,
                  row.field_count == 1
                      ? message("1 column, and column {} is wanted", wanted_)
                      : message("{} columns, and column {} is wanted", row.field_count, wanted_));
    }
    record.text = std::move(row.fields[wanted_ - 1]);
    return true;
  }

  static bool drop(Record& record, const CsvRow& row, const Message& why_not) {
    record.why_not = message("line {}: {}", row.line, why_not);
    return true;
  }

  Message why_no_column(const CsvRow& first) const {
    if (!options_.header) {
      return message("no column '{}' without a header; give --csv-column a number from 1 to {}",
                     options_.column, first.field_count);
    }
    return message(
        "no column '{}' in the header row; its {} columns are {} (--csv-column NAME "
        "or number; --no-header if this row is text; --delimiter if it is cut "
        "wrongly)",
        options_.column, first.field_count, names(first));
  }

  static std::string shortened(std::string_view text) {
    return std::string(utf8_beginning(text, kLongestHeader_bytes)) +
           (text.size() > kLongestHeader_bytes ? "..." : "");
  }

  static std::string names(const CsvRow& row) {
    std::string text;
    for (size_t i = 0; i < std::min<size_t>(row.fields.size(), 10); ++i)
      text += fmt::format("{}'{}'", i > 0 ? ", " : "", shortened(row.fields[i]));
    return row.fields.size() > 10 ? text + ", ..." : text;
  }

  CsvOptions options_;
  ReadBytes read_;
  std::string head_;
  size_t head_at_ = 0;
  int64_t first_line_ = 1;  // that the rows begin in
  std::optional<CsvRows> rows_;
  char delimiter_ = ',';
  bool is_single_ = false;  // one column: a row is text as a whole
  size_t wanted_ = 0;       // the column, from 1; 0 until the first row is read
  size_t first_fields_ = 0;
  std::optional<TurnColumns> turns_;       // the rows are conversations
  std::optional<RecordShape> text_shape_;  // they could be, and are text
  ShapeNotes shapes_;
  CsvRow row_, second_;
  bool has_second_ = false;  // second_ has been read and not been given
  bool stopped_ = false;     // the table has no such column
  std::vector<Message> notes_;
  int64_t long_rows_ = 0, first_long_line_ = 0;
};

}  // namespace

std::unique_ptr<RecordReader> open_csv(ReadBytes read, CsvOptions options) {
  return std::make_unique<CsvReader>(std::move(read), std::move(options));
}

}  // namespace inkstone
