// Tables, parsed by libcsv. The parser calls back for each field and row; rows wait in a queue.
#include <csv.h>
#include <malloc.h>

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstdlib>
#include <deque>
#include <exception>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "base/error.h"
#include "corpus/read/record_reader.h"

namespace inkstone {
namespace {

constexpr size_t kMostColumns = 10'000;
constexpr size_t kLongestName_bytes = 1000;

// libcsv keeps one field; it grows no further than this.
void* bounded_realloc(void* block, size_t size_bytes) {
  if (size_bytes > kLongestRecord_bytes) return nullptr;
  // libcsv asks for a little more each time, which would copy a long field a thousand times.
  if (block != nullptr && ::malloc_usable_size(block) >= size_bytes) return block;
  return std::realloc(block, std::bit_ceil(size_bytes));
}

// RFC 4180: spaces belong to the field.
int is_never_space(unsigned char) { return 0; }

std::optional<size_t> as_number(std::string_view text) {
  size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number == 0) return std::nullopt;
  return number;
}

class CsvReader : public RecordReader {
 public:
  CsvReader(ReadBytes read, std::string column, char delimiter)
      : read_(std::move(read)), name_(std::move(column)) {
    if (csv_init(&parser_, CSV_REPALL_NL) != 0) throw std::bad_alloc();
    csv_set_delim(&parser_, static_cast<unsigned char>(delimiter));
    csv_set_space_func(&parser_, &is_never_space);
    csv_set_realloc_func(&parser_, &bounded_realloc);
    csv_set_blk_size(&parser_, kBlock_bytes);
  }
  CsvReader(const CsvReader&) = delete;
  CsvReader& operator=(const CsvReader&) = delete;
  ~CsvReader() override { csv_free(&parser_); }

  bool next(Record& record) override {
    while (records_.empty() && !finished_) parse_block();
    if (records_.empty()) return false;
    record = std::move(records_.front());
    records_.pop_front();
    return true;
  }

 private:
  static constexpr size_t kBlock_bytes = 64 * 1024;

  void parse_block() {
    const size_t got = read_(block_.data(), block_.size());
    const bool parsed = csv_parse(&parser_, block_.data(), got, &on_field, &on_row, this) == got;
    if (error_) std::rethrow_exception(error_);
    if (stopped_) {
      finished_ = true;
    } else if (!parsed) {
      finish(csv_error(&parser_) == CSV_ENOMEM
                 ? fmt::format("a field longer than {} MiB (is a quotation mark not closed?); the "
                               "rest of the table "
                               "is left out",
                               kLongestRecord_bytes >> 20)
                 : csv_strerror(csv_error(&parser_)));
    } else if (got < block_.size()) {
      // These two options only make csv_fini say that a quotation mark is not closed.
      csv_set_opts(&parser_, CSV_REPALL_NL | CSV_STRICT | CSV_STRICT_FINI);
      if (csv_fini(&parser_, &on_field, &on_row, this) != 0)
        finish("the text ends inside a quoted field");
      if (error_) std::rethrow_exception(error_);
      finished_ = true;
    }
  }

  void finish(const std::string& why_not) {
    add_dropped(why_not);
    finished_ = true;
  }

  // No exception may pass through libcsv.
  static void on_field(void* data, size_t size_bytes, void* self) {
    static_cast<CsvReader*>(self)->guarded([&](CsvReader& reader) {
      reader.add_field({static_cast<const char*>(data), size_bytes});
    });
  }
  static void on_row(int terminator, void* self) {
    static_cast<CsvReader*>(self)->guarded([&](CsvReader& reader) { reader.end_row(terminator); });
  }
  template <typename F>
  void guarded(F&& f) {
    if (error_ || stopped_) return;
    try {
      f(*this);
    } catch (...) {
      error_ = std::current_exception();
    }
  }

  void add_field(std::string_view field) {
    ++fields_;
    lines_in_row_ += std::count(field.begin(), field.end(), '\n');
    if (!wanted_) {
      if (fields_ == 1) text_ = field;
      if (fields_ <= kMostColumns) first_row_.emplace_back(field.substr(0, kLongestName_bytes));
    } else if (fields_ == *wanted_) {
      text_ = field;
    }
  }

  // `terminator`: the byte that ended the row, -1 at the end of the text. "\r\n" ends two, the
  // second empty.
  void end_row(int terminator) {
    const bool second_of_pair = terminator == '\n' && after_return_ && fields_ == 0;
    if (fields_ > 0) finish_row();
    line_ += lines_in_row_ + (second_of_pair ? 0 : 1);
    after_return_ = terminator == '\r';
    fields_ = 0;
    lines_in_row_ = 0;
    text_.clear();
  }

  void finish_row() {
    if (!wanted_) {
      if (choose_column()) return;  // a header row
      if (stopped_) return;
    }
    if (fields_ < *wanted_) {
      add_dropped(fmt::format("{} column{}, and column {} is wanted", fields_,
                              fields_ == 1 ? "" : "s", *wanted_));
    } else {
      records_.push_back({.text = std::move(text_), .why_not = "", .replaced = 0});
    }
  }

  // From the first row; true if that row holds names. Stops when it has no such column.
  bool choose_column() {
    const auto found = std::find(first_row_.begin(), first_row_.end(), name_);
    const auto number = as_number(name_);
    const bool single = fields_ == 1;
    bool header = true;
    if (found != first_row_.end()) {
      wanted_ = static_cast<size_t>(found - first_row_.begin()) + 1;
    } else if (single) {
      wanted_ = 1;
      header = false;
    } else if (number && *number <= fields_) {
      wanted_ = *number;
    } else {
      add_dropped(fmt::format("no column '{}' in the header row; its {} columns are {}", name_,
                              fields_, names()));
      stopped_ = true;
    }
    first_row_.clear();
    return header && !stopped_;
  }

  std::string names() const {
    std::string text;
    for (size_t i = 0; i < std::min<size_t>(first_row_.size(), 10); ++i) {
      text += fmt::format("{}'{}'", i > 0 ? ", " : "", first_row_[i].substr(0, 40));
    }
    return first_row_.size() > 10 ? text + ", ..." : text;
  }

  void add_dropped(const std::string& why_not) {
    records_.push_back(
        {.text = "", .why_not = fmt::format("line {}: {}", line_, why_not), .replaced = 0});
  }

  ReadBytes read_;
  std::string name_;
  csv_parser parser_{};
  std::array<char, kBlock_bytes> block_;
  std::deque<Record> records_;

  std::optional<size_t> wanted_;        // the column, from 1; unknown until the first row ends
  std::vector<std::string> first_row_;  // until then
  std::string text_;                    // of the current row
  size_t fields_ = 0;                   // of the current row so far
  int64_t line_ = 1, lines_in_row_ = 0;
  bool after_return_ = false;
  bool stopped_ = false;  // the table has no such column
  bool finished_ = false;
  std::exception_ptr error_;
};

}  // namespace

std::unique_ptr<RecordReader> open_csv(ReadBytes read, std::string column, char delimiter) {
  return std::make_unique<CsvReader>(std::move(read), std::move(column), delimiter);
}

}  // namespace inkstone
