#include "generate/prefix_cache.h"

#include <algorithm>
#include <new>

#include "kernels/backend.h"

namespace inkstone {

int64_t common_length(std::span<const TokenId> a, std::span<const TokenId> b) {
  const size_t most = std::min(a.size(), b.size());
  return std::mismatch(a.begin(), a.begin() + static_cast<std::ptrdiff_t>(most), b.begin()).first -
         a.begin();
}

void PrefixCache::close(std::list<Kept>::iterator kept) {
  decoder_->close(kept->sequence);
  tokens_ -= static_cast<int64_t>(kept->tokens.size());
  kept_.erase(kept);
}

// True if a kept one begins with `tokens`; closes those that `tokens` begin with.
bool PrefixCache::absorb(std::span<const TokenId> tokens) {
  for (auto at = kept_.begin(); at != kept_.end();) {
    const auto kept = at++;
    const auto common = static_cast<size_t>(common_length(kept->tokens, tokens));
    if (common == tokens.size()) {
      kept_.splice(kept_.begin(), kept_, kept);
      return true;
    }
    if (common == kept->tokens.size()) close(kept);
  }
  return false;
}

void PrefixCache::keep(int64_t sequence, std::vector<TokenId> tokens) {
  if (most_ <= 0 || tokens.empty() || absorb(tokens)) {
    decoder_->close(sequence);
    return;
  }
  try {
    kept_.push_front({sequence, std::move(tokens)});
  } catch (const std::bad_alloc&) {
    decoder_->close(sequence);
    return;
  }
  tokens_ += static_cast<int64_t>(kept_.front().tokens.size());
  while (tokens_ > most_) shorten_oldest();
}

PrefixHit PrefixCache::find(std::span<const TokenId> tokens) {
  PrefixHit best;
  auto holder = kept_.end();
  for (auto kept = kept_.begin(); kept != kept_.end(); ++kept) {
    const int64_t common = common_length(kept->tokens, tokens);
    if (common <= best.length) continue;
    best = {kept->sequence, common};
    holder = kept;
  }
  if (holder != kept_.end()) kept_.splice(kept_.begin(), kept_, holder);
  return best;
}

void PrefixCache::make_free(int64_t pages) {
  while (decoder_->free_pages() < pages && !kept_.empty()) shorten_oldest();
}

void PrefixCache::shorten_oldest() {
  const auto oldest = std::prev(kept_.end());
  const auto length = static_cast<int64_t>(oldest->tokens.size());
  const int64_t shorter = (length - 1) / kPagePositions * kPagePositions;
  if (shorter == 0) return close(oldest);
  decoder_->truncate(oldest->sequence, shorter);
  oldest->tokens.resize(static_cast<size_t>(shorter));
  tokens_ -= length - shorter;
}

}  // namespace inkstone
