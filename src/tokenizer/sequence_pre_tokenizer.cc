#include "tokenizer/sequence_pre_tokenizer.h"

#include <functional>

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
  const size_t end = invalid_run_end(text, at);
  return end > at ? end : valid_end(text, at);
}

}  // namespace

void SequencePreTokenizer::split_from(size_t step, std::string_view part, size_t offset,
                                      PieceBatch& batch) const {
  if (step == steps_.size()) return batch.add(offset + part.size());
  const auto take = [&](size_t at, std::span<const size_t> ends) {
    for (const size_t end : ends) {
      split_from(step + 1, part.substr(at, end - at), offset + at, batch);
      at = end;
    }
  };
  steps_[step].pre_tokenizer->split(part, std::ref(take));
}

void SequencePreTokenizer::split(std::string_view text, const Take& take) const {
  if (steps_.empty())
    return split_by_piece_end(text, take, [&](size_t at) { return stretch_end(text, at); });
  PieceBatch batch(take);
  split_from(0, text, 0, batch);
  batch.flush();
}

// Each step is asked about the two characters at the place alone: it may see no more of the text
// than them.
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
