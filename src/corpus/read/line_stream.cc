#include "corpus/read/line_stream.h"

namespace inkstone {
namespace {

constexpr size_t kLineBlock_bytes = 256 * 1024;

}  // namespace

size_t LineStream::read(char* out, size_t size_bytes) {
  return out_.read(out, size_bytes, [this] { return make_more(); });
}

// Behind the first line that is whole; in_.size() when none is, npos when more must be read first.
size_t LineStream::line_end() const {
  const size_t at = in_.find_first_of("\r\n", in_at_);
  if (at == in_.npos || (at - in_at_ >= kLongestLine_bytes)) {
    if (in_.size() - in_at_ >= kLongestLine_bytes) return in_at_ + kLongestLine_bytes;
    return end_ ? in_.size() : in_.npos;
  }
  if (in_[at] == '\n') return at + 1;
  if (at + 1 == in_.size()) return end_ ? at + 1 : in_.npos;
  return in_[at + 1] == '\n' ? at + 2 : at + 1;
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

std::string_view without_line_end(std::string_view line) {
  if (line.ends_with('\n')) line.remove_suffix(1);
  if (line.ends_with('\r')) line.remove_suffix(1);
  return line;
}

}  // namespace inkstone
