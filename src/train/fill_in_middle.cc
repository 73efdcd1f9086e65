// Cuts at characters of the decoded text; windows put together again.
#include "train/fill_in_middle.h"

#include <algorithm>
#include <string>
#include <utility>

#include "base/check.h"
#include "base/rng.h"

namespace inkstone {
namespace {

// Random numbers of a document of a window.
enum Draw : uint64_t { kWhether, kOrder, kFirstCut, kSecondCut, kDraws };

Random random_of(uint64_t seed, int64_t window) {
  return Random(seed, RandomStream::kFillInMiddle, static_cast<uint64_t>(window));
}

// Where its characters begin, and its end.
std::vector<size_t> bounds_of_characters(std::string_view text) {
  std::vector<size_t> bounds;
  for (size_t at = 0; at < text.size(); ++at) {
    if ((static_cast<uint8_t>(text[at]) & 0xC0) != 0x80) bounds.push_back(at);
  }
  bounds.push_back(text.size());
  return bounds;
}

void append(std::vector<TokenId>& ids, std::span<const TokenId> more) {
  ids.insert(ids.end(), more.begin(), more.end());
}

}  // namespace

FillInMiddle::FillInMiddle(const Tokenizer& tokenizer, double rate, uint64_t seed)
    : tokenizer_(tokenizer), rate_(rate), seed_(seed) {
  const auto sentinels = fill_in_tokens(tokenizer);
  const auto end_of_text = tokenizer.end_of_text();
  INK_CHECK(sentinels && end_of_text, "tokens for filling in");
  sentinels_ = *sentinels;
  end_of_text_ = *end_of_text;
}

std::optional<FillInMiddle::Parts> FillInMiddle::cut(int64_t window, uint64_t document,
                                                     std::span<const TokenId> tokens) const {
  const Random random = random_of(seed_, window);
  const uint64_t draws = document * kDraws;
  if (tokens.empty() || random.uniform(draws + kWhether) >= rate_) return std::nullopt;
  const std::string text = tokenizer_.decode(tokens);
  const std::vector<size_t> bounds = bounds_of_characters(text);
  size_t first = bounds[random.below(bounds.size(), draws + kFirstCut)],
         second = bounds[random.below(bounds.size(), draws + kSecondCut)];
  if (first > second) std::swap(first, second);
  const std::string_view view = text;
  return Parts{.beginning = tokenizer_.encode(view.substr(0, first)),
               .middle = tokenizer_.encode(view.substr(first, second - first)),
               .end = tokenizer_.encode(view.substr(second))};
}

std::vector<TokenId> FillInMiddle::turned(const Parts& parts, bool end_first) const {
  std::vector<TokenId> ids = {sentinels_.beginning};
  if (!end_first) append(ids, parts.beginning);
  ids.push_back(sentinels_.end);
  append(ids, parts.end);
  ids.push_back(sentinels_.middle);
  if (end_first) append(ids, parts.beginning);
  append(ids, parts.middle);
  ids.push_back(end_of_text_);
  return ids;
}

void FillInMiddle::apply(int64_t window, std::span<TokenId> tokens) const {
  std::vector<TokenId> out;
  uint64_t document = 0;
  for (auto at = tokens.begin(); at != tokens.end() && out.size() < tokens.size(); ++document) {
    const auto end = std::find(at, tokens.end(), end_of_text_);
    const auto next = end == tokens.end() ? end : end + 1;
    const size_t room = tokens.size() - out.size();
    std::optional<Parts> parts = cut(window, document, std::span(at, end));
    constexpr size_t kMarks = 4;
    const size_t count = !parts ? 0
                                : parts->beginning.size() + parts->middle.size() +
                                      parts->end.size() + kMarks;
    const size_t excess = count > room ? count - room : 0;
    if (!parts || excess > parts->end.size()) {
      append(out, std::span(at, next));
    } else {
      parts->end.resize(parts->end.size() - excess);
      const Random random = random_of(seed_, window);
      append(out, turned(*parts, random.bits(document * kDraws + kOrder) % 2 == 1));
    }
    at = next;
  }
  out.resize(tokens.size(), -1);
  std::ranges::copy(out, tokens.begin());
}

}  // namespace inkstone
