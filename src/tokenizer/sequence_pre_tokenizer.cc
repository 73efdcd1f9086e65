#include "tokenizer/sequence_pre_tokenizer.h"

#include <array>

#include "base/utf8.h"
#include "tokenizer/invalid_run.h"

namespace inkstone {
namespace {

bool is_continuation(char c) { return (static_cast<uint8_t>(c) & 0xC0) == 0x80; }

// Where the character that ends at `at` begins.
size_t previous(std::string_view text, size_t at) {
  size_t begin = at - 1;
  while (begin > 0 && at - begin < 4 && is_continuation(text[begin])) --begin;
  return begin;
}

size_t stretch_end(std::string_view text, size_t at) {
  if (const size_t end = invalid_run_end(text, at); end > at) return end;
  while (at < text.size()) {
    const Utf8Step step = decode_utf8(text, at);
    if (!step.ok) break;
    at += static_cast<size_t>(step.size_bytes);
  }
  return at;
}

}  // namespace

bool SequencePreTokenizer::split_further(size_t step, std::string_view text, size_t begin, size_t end,
                                         const Take& take) const {
  if (step == steps_.size()) return take(end);
  const std::string_view piece = text.substr(begin, end - begin);
  std::array<size_t, 64> ends;
  for (size_t at = 0; at < piece.size();) {
    const size_t count = steps_[step].pre_tokenizer->split(piece, at, ends);
    for (size_t i = 0; i < count; at = ends[i++]) {
      if (!split_further(step + 1, text, begin + at, begin + ends[i], take)) return false;
    }
  }
  return true;
}

size_t SequencePreTokenizer::split(std::string_view text, size_t at, std::span<size_t> ends) const {
  size_t count = 0;
  if (steps_.empty()) {
    for (; count < ends.size() && at < text.size(); ++count) ends[count] = at = stretch_end(text, at);
    return count;
  }
  size_t begin = at;
  while (begin > 0 && !is_cut(text, begin)) --begin;
  split_further(0, text, begin, text.size(), [&](size_t end) {
    if (end > at) ends[count++] = end;
    return count < ends.size();
  });
  return count;
}

// Each step is asked about the two characters at the place alone: it may see no more of the text than them.
bool SequencePreTokenizer::is_cut(std::string_view text, size_t at) const {
  if (is_continuation(text[at])) return false;
  const size_t begin = previous(text, at);
  const auto size = static_cast<size_t>(decode_utf8(text, at).size_bytes);
  const std::string_view both = text.substr(begin, at + size - begin);
  for (const Step& step : steps_) {
    if (step.pre_tokenizer->is_cut(both, at - begin)) return true;
    if (!step.is_local) return false;
  }
  return false;
}

}  // namespace inkstone
