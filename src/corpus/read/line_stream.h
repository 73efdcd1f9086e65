// Texts line by line, and what is made of the lines as a stream again.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <string_view>
#include <utility>

#include "corpus/read/byte_source.h"

namespace inkstone {

inline constexpr size_t kLongestLineEnd_bytes = 3;

// The bytes of the line end that `text` begins with: a newline function (clean/characters.h), or
// CR LF. 0: it begins with none.
size_t leading_line_end(std::string_view text);

// The same of the line end that `text` ends with.
size_t trailing_line_end(std::string_view text);

// Calls on_line(line, out) for each line, with its end (none at the end of the text), and gives
// what it appends to `out`. At the end of the text on_end(out) is
// called. A line longer than kLongestLine_bytes comes in parts, the first of which is called a
// line.
class LineStream {
 public:
  static constexpr size_t kLongestLine_bytes = size_t{1} << 20;
  using OnLine = std::function<void(std::string_view line, std::string& out)>;
  using OnEnd = std::function<void(std::string& out)>;

  LineStream(ReadBytes read, OnLine on_line, OnEnd on_end)
      : read_(std::move(read)), on_line_(std::move(on_line)), on_end_(std::move(on_end)) {}

  // As ReadBytes.
  size_t read(char* out, size_t size_bytes);

 private:
  bool make_more();
  size_t line_end() const;

  ReadBytes read_;
  OnLine on_line_;
  OnEnd on_end_;
  std::string in_;
  size_t in_at_ = 0;
  MadeText out_;
  bool end_ = false;
};

// The line without its end.
std::string_view without_line_end(std::string_view line);

}  // namespace inkstone
