#include "inkstone/copy_index.h"

#include <algorithm>
#include <tuple>

#include "base/error.h"

namespace inkstone {
namespace {

// A polynomial in the tokens modulo 2^64, of which the window moves on in constant time.
constexpr uint64_t kBase = 0x9E3779B97F4A7C15;

uint64_t with_next(uint64_t hash, TokenId token) {
  return hash * kBase + static_cast<uint64_t>(token) + 1;
}

uint64_t power(int64_t exponent) {
  uint64_t result = 1;
  for (int64_t i = 0; i < exponent; ++i) result *= kBase;
  return result;
}

// The upper bits, which all tokens reach.
uint32_t folded(uint64_t hash) { return static_cast<uint32_t>((hash ^ hash >> 29) * kBase >> 32); }

}  // namespace

CopyIndex::CopyIndex(std::vector<TokenId> text, int64_t most, std::span<const TokenId> end_marks)
    : text_(std::move(text)), most_(most) {
  if (most < 1) fail(ErrorCode::kUsage, "copies of at most {} tokens, expected 1 or more", most);
  if (text_.size() > UINT32_MAX) {
    fail(ErrorCode::kUsage,
         "a text of {} tokens, of which nothing is to be copied: expected at most {}", text_.size(),
         UINT32_MAX);
  }
  add_passages(end_marks);
  keep_different();
}

// Every `most` + 1 tokens without an end mark.
void CopyIndex::add_passages(std::span<const TokenId> end_marks) {
  passages_.reserve(text_.size());
  const uint64_t oldest = power(most_);
  uint64_t hash = 0;
  int64_t length = 0;  // tokens of the document up to here
  for (size_t i = 0; i < text_.size(); ++i) {
    if (std::ranges::find(end_marks, text_[i]) != end_marks.end()) {
      hash = 0;
      length = 0;
      continue;
    }
    const auto begin = static_cast<int64_t>(i) - most_;
    if (length >= most_)
      passages_.push_back({folded(hash), static_cast<uint32_t>(begin), text_[i]});
    hash = with_next(hash, text_[i]);
    if (length >= most_)
      hash -= (static_cast<uint64_t>(text_[static_cast<size_t>(begin)]) + 1) * oldest;
    ++length;
  }
}

bool CopyIndex::same(const Passage& a, const Passage& b) const {
  const auto begin = text_.begin() + a.begin;
  return a.hash == b.hash && a.next == b.next &&
         std::equal(begin, begin + most_, text_.begin() + b.begin);
}

// Of equal passages the first one.
void CopyIndex::keep_different() {
  std::ranges::sort(passages_, [](const Passage& a, const Passage& b) {
    return std::tie(a.hash, a.next, a.begin) < std::tie(b.hash, b.next, b.begin);
  });
  const auto rest = std::unique(passages_.begin(), passages_.end(),
                                [this](const Passage& a, const Passage& b) { return same(a, b); });
  passages_.erase(rest, passages_.end());
  passages_.shrink_to_fit();
}

std::vector<TokenId> CopyIndex::next(std::span<const TokenId> written) const {
  std::vector<TokenId> tokens;
  if (static_cast<int64_t>(written.size()) < most_) return tokens;
  const auto last = written.last(static_cast<size_t>(most_));
  uint64_t hash = 0;
  for (const TokenId token : last) hash = with_next(hash, token);
  auto at = std::ranges::lower_bound(passages_, folded(hash), {}, &Passage::hash);
  for (; at != passages_.end() && at->hash == folded(hash); ++at) {
    if (!std::ranges::equal(last, std::span(text_).subspan(at->begin, last.size()))) continue;
    if (tokens.empty() || tokens.back() != at->next) tokens.push_back(at->next);
  }
  return tokens;
}

}  // namespace inkstone
