#include "corpus/read/line_stream.h"

#include <algorithm>

#include "base/utf8.h"
#include "corpus/clean/characters.h"

namespace inkstone {
namespace {

constexpr size_t kLineBlock_bytes = 256 * 1024;

}  // namespace

size_t LineStream::read(char* out, size_t size_bytes) {
  return out_.read(out, size_bytes, [this] { return make_more(); });
}

// Behind the first line that is whole; in_.size() when none is, npos when more must be read first.
size_t LineStream::line_end() const {
  const std::string_view text = in_;
  const size_t longest = in_at_ + kLongestLine_bytes;
  // What a line end may begin with.
  for (size_t at = text.find_first_of("\n\r\v\f\xC2\xE2", in_at_);
       at < std::min(text.size(), longest); at = text.find_first_of("\n\r\v\f\xC2\xE2", at + 1)) {
    if (!end_ && text.size() - at < kLongestLineEnd_bytes) return text.npos;
    if (const size_t size = leading_line_end(text.substr(at)); size > 0) return at + size;
  }
  if (text.size() >= longest) return longest;
  return end_ ? text.size() : text.npos;
}

// False at the end of the text.
bool LineStream::make_more() {
  while (out_.text.empty()) {
    if (in_at_ == in_.size() && end_) {
      if (on_end_) std::exchange(on_end_, nullptr)(out_.text);
      return !out_.text.empty();
    }
    if (!end_) {
      in_.erase(0, std::exchange(in_at_, 0));
      end_ = read_more(read_, kLineBlock_bytes, in_) < kLineBlock_bytes;
    }
    for (size_t end = line_end(); in_at_ < in_.size() && end != in_.npos; end = line_end()) {
      on_line_(std::string_view(in_).substr(in_at_, end - in_at_), out_.text);
      in_at_ = end;
    }
  }
  return true;
}

size_t leading_line_end(std::string_view text) {
  if (text.empty()) return 0;
  const Utf8Step step = decode_utf8(text, 0);
  if (!step.ok || !is_newline_function(step.code_point)) return 0;
  return text.starts_with("\r\n") ? 2 : static_cast<size_t>(step.size_bytes);
}

size_t trailing_line_end(std::string_view text) {
  for (size_t size = kLongestLineEnd_bytes; size > 0; --size) {
    if (text.size() >= size && leading_line_end(text.substr(text.size() - size)) == size)
      return size;
  }
  return 0;
}

std::string_view without_line_end(std::string_view line) {
  return line.substr(0, line.size() - trailing_line_end(line));
}

}  // namespace inkstone
