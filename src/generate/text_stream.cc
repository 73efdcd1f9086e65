#include "generate/text_stream.h"

#include <algorithm>

#include "base/utf8.h"

namespace inkstone {
namespace {

// Length of the longest proper prefix of `pattern` that ends `text`.
size_t overlap(std::string_view text, std::string_view pattern) {
  for (size_t length = std::min(text.size(), pattern.size() - 1); length > 0; --length) {
    if (text.ends_with(pattern.substr(0, length))) return length;
  }
  return 0;
}

}  // namespace

// Where tokens end does not matter: what counts is where a stop string is complete.
void TextStream::cut_at_stop(size_t old_size) {
  size_t begin = 0, end = std::string::npos;
  for (const std::string& stop : stop_) {
    // It may have begun earlier.
    const size_t from = old_size < stop.size() ? 0 : old_size - stop.size() + 1;
    const size_t at = text_.find(stop, from);
    if (at == std::string::npos) continue;
    const size_t its_end = at + stop.size();
    if (its_end > end || (its_end == end && at > begin)) continue;
    begin = at;
    end = its_end;
  }
  if (end == std::string::npos) return;
  stopped_ = true;
  text_.resize(keep_stop_ ? end : begin);
}

std::string_view TextStream::push(std::string_view bytes) {
  if (stopped_) return {};
  const size_t old_size = text_.size();
  text_ += bytes;
  cut_at_stop(old_size);
  const size_t begin = std::min(shown_, text_.size());
  const size_t held = stopped_ ? 0 : held_back();
  const size_t end = std::max(begin, text_.size() - held);
  shown_ = end;
  return std::string_view(text_).substr(begin, end - begin);
}

std::string_view TextStream::finish() {
  const size_t end = text_.size() - (stopped_ ? 0 : unfinished()), begin = std::min(shown_, end);
  shown_ = end;
  return std::string_view(text_).substr(begin, end - begin);
}

size_t TextStream::unfinished() const { return static_cast<size_t>(incomplete_utf8_tail(text_)); }

size_t TextStream::held_back() const {
  size_t held = unfinished();
  if (keep_stop_) return held;
  for (const std::string& stop : stop_) held = std::max(held, overlap(text_, stop));
  return held;
}

}  // namespace inkstone
