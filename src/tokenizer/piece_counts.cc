#include "tokenizer/piece_counts.h"

#include <array>
#include <span>

#include "base/error.h"
#include "base/hash.h"

namespace inkstone {

PieceCounts::PieceCounts() : slots_(1 << 12, kEmpty) {}

void PieceCounts::add(std::string_view text) {
  std::array<size_t, 256> ends;
  for (size_t at = 0; at < text.size();) {
    const size_t count = pre_tokenizer_.split(text, at, ends);
    for (const size_t end : std::span(ends).first(count)) {
      count_piece(text.substr(at, end - at));
      at = end;
    }
  }
}

void PieceCounts::count_piece(std::string_view text) {
  const uint64_t hash = hash64(text);
  const size_t mask = slots_.size() - 1;
  size_t at = static_cast<size_t>(hash) & mask;
  for (; slots_[at] != kEmpty; at = (at + 1) & mask) {
    Piece& known = pieces_[slots_[at]];
    if (known.hash == hash && piece(slots_[at]) == text) {
      ++known.count;
      return;
    }
  }
  if (pieces_.size() >= kEmpty)
    fail(ErrorCode::kUnsupported, "the text has more than {} distinct pieces", kEmpty);
  slots_[at] = static_cast<uint32_t>(pieces_.size());
  pieces_.push_back({.begin = bytes_.size(), .size_bytes = text.size(), .hash = hash, .count = 1});
  bytes_ += text;
  if (2 * pieces_.size() > slots_.size()) grow();
}

void PieceCounts::grow() {
  slots_.assign(2 * slots_.size(), kEmpty);
  const size_t mask = slots_.size() - 1;
  for (size_t i = 0; i < pieces_.size(); ++i) {
    size_t at = static_cast<size_t>(pieces_[i].hash) & mask;
    while (slots_[at] != kEmpty) at = (at + 1) & mask;
    slots_[at] = static_cast<uint32_t>(i);
  }
}

}  // namespace inkstone
