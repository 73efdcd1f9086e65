#include "corpus/read/csv_rows.h"

#include <algorithm>
#include <utility>

#include "base/message.h"
#include "corpus/read/record_reader.h"

namespace inkstone {
namespace {

constexpr size_t kCsvBlock_bytes = 64 * 1024;
// Each reads the rest of the text again.
constexpr int kMostRestarts = 100;

bool is_line_end(char c) { return c == '\n' || c == '\r'; }

int64_t count_line_ends(std::string_view text) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++at) {
    const bool pair = text[at] == '\r' && at + 1 < text.size() && text[at + 1] == '\n';
    count += is_line_end(text[at]) && !pair ? 1 : 0;
  }
  return count;
}

}  // namespace

CsvRows::CsvRows(ReadBytes read, char delimiter, int64_t first_line)
    : read_(std::move(read)), delimiter_(delimiter), line_(first_line) {}

bool CsvRows::refill() {
  if (end_) return false;
  buffer_.clear();
  at_ = 0;
  const size_t got = read_more(read_, kCsvBlock_bytes, buffer_);
  end_ = got < kCsvBlock_bytes;
  return got > 0;
}

void CsvRows::skip_line_feed() {
  if (std::exchange(after_return_, false) && !at_end() && buffer_[at_] == '\n') ++at_;
}

bool CsvRows::next(CsvRow& row) {
  skip_line_feed();
  if (at_end()) return false;
  row.fields.clear();
  row.field_count = 0;
  row.raw.clear();
  row.line = line_;
  row.why_not = {};
  state_ = State::kStartField;
  is_too_long_ = row_ended_ = false;
  read_fields(row);
  return true;
}

void CsvRows::read_fields(CsvRow& row) {
  while (!row_ended_ && !at_end()) read_part(row);
  if (row_ended_) return;
  if (state_ == State::kInQuotes) return begin_again_behind_first_line(row);
  end_row(row);
}

// One special character, or all ordinary ones up to the next.
void CsvRows::read_part(CsvRow& row) {
  const char c = buffer_[at_];
  is_too_long_ = is_too_long_ || row.raw.size() > kLongestRecord_bytes;
  if (state_ == State::kInQuotes) {
    const size_t quote = std::min(buffer_.find('"', at_), buffer_.size());
    take(row, std::string_view(buffer_).substr(at_, quote - at_));
    at_ = quote;
    if (at_ == buffer_.size()) return;
    if (!is_too_long_) row.raw.push_back('"');
    ++at_;
    state_ = State::kQuoteInQuotes;
    return;
  }
  if (c == '"' && state_ != State::kInField) {
    if (state_ == State::kQuoteInQuotes && !is_too_long_) field_.push_back('"');
    state_ = State::kInQuotes;
  } else if (c == delimiter_) {
    end_field(row);
    state_ = State::kStartField;
  } else if (is_line_end(c)) {
    ++at_;
    after_return_ = c == '\r';
    end_row(row);
    ++line_;
    return;
  } else {
    size_t end = at_ + 1;
    while (end < buffer_.size() && buffer_[end] != delimiter_ && !is_line_end(buffer_[end])) ++end;
    take(row, std::string_view(buffer_).substr(at_, end - at_));
    at_ = end;
    state_ = State::kInField;
    return;
  }
  if (!is_too_long_) row.raw.push_back(c);
  ++at_;
}

void CsvRows::take(CsvRow& row, std::string_view text) {
  is_too_long_ = is_too_long_ || row.raw.size() + text.size() > kLongestRecord_bytes;
  if (is_too_long_) {
    line_ += count_line_ends(text);
    return;
  }
  row.raw += text;
  field_ += text;
}

void CsvRows::end_field(CsvRow& row) {
  if (++row.field_count <= kMostColumns) row.fields.push_back(std::move(field_));
  field_.clear();
}

void CsvRows::end_row(CsvRow& row) {
  // An empty line has no field.
  if (!row.raw.empty() || state_ != State::kStartField) end_field(row);
  if (is_too_long_)
    row.why_not = marked("a row longer than 256 MiB (is a quotation mark not closed?)");
  static_assert(kLongestRecord_bytes == size_t{256} << 20);
  line_ += count_line_ends(row.raw);
  row_ended_ = true;
}

void CsvRows::begin_again_behind_first_line(CsvRow& row) {
  field_.clear();
  row.why_not = is_too_long_ || ++restarts_ > kMostRestarts
                    ? marked(
                          "a quotation mark that is never closed; the rest of the table is left "
                          "out")
                    : marked("a quotation mark that is never closed");
  if (is_too_long_ || restarts_ > kMostRestarts) return;
  const size_t line_end = std::min(row.raw.find_first_of("\r\n"), row.raw.size());
  buffer_ = row.raw.substr(line_end);
  row.raw.resize(line_end);
  at_ = 0;
  if (buffer_.empty()) return;
  after_return_ = buffer_[at_++] == '\r';
  ++line_;
}

}  // namespace inkstone
