// Draws of a window: its texts, prompts and masks.
#include "train/objective.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.h"
#include "base/rng.h"
#include "train/objective_tokens.h"

namespace inkstone {
namespace {

// Of windows in both directions where no rate is given: between what BERT masks and what Wettig et
// al. 2023 (arXiv:2202.08005) find better for small models.
constexpr double kMaskLow = 0.15, kMaskHigh = 0.3;
// The position of a window's rate among its random numbers: behind those of every token.
constexpr uint64_t kRateIndex = ~uint64_t{0};
constexpr double kUnits = 0x1p32;

}  // namespace

Objective::Objective(const TrainOptions& options, ObjectiveTokens tokens)
    : tokens_(std::move(tokens)),
      seed_(options.seed),
      rate_low_(options.mask_rate.first),
      rate_high_(options.mask_rate.second),
      masked_share_(static_cast<uint64_t>(std::llround(options.masked_fraction * kUnits))),
      separate_(options.separate_documents),
      prefix_(options.prefix_lm),
      with_mask_token_(needs_mask_token(options)) {
  if (masked_share_ > 0 && rate_high_ == 0) rate_low_ = kMaskLow, rate_high_ = kMaskHigh;
  if (options.mask_unit == MaskUnit::kToken) tokens_.words = WordBounds();
  INK_CHECK(!separate_ || tokens_.end_of_text, "documents cannot be told apart");
  INK_CHECK(!with_mask_token_ || tokens_.mask, "there is no mask token");
}

bool Objective::reads_both_ways(int64_t window) const {
  // floor(i share + phase) steps up at i: evenly spread. The phase is half a window: the first of
  // them is neither at once nor late.
  __extension__ using Wide = unsigned __int128;
  const auto before = [&](int64_t i) {
    return static_cast<uint64_t>((static_cast<Wide>(i) * masked_share_ + (uint64_t{1} << 31)) >>
                                 32);
  };
  return before(window + 1) > before(window);
}

void Objective::apply(int64_t window, int64_t of_set, int64_t b, int64_t T,
                      TokenBatch& batch) const {
  if (!sees_otherwise() && rate_high_ == 0) return;
  const bool both_ways = reads_both_ways(of_set);
  const int64_t first = b * T;
  std::vector<Extent> extents = texts(std::span(batch.inputs).subspan(first, T));
  if (both_ways) {
    for (Extent& e : extents) e.prompt_end = e.end;
  } else if (prefix_) {
    draw_prompts(seed_, window, extents);
  }
  if (sees_otherwise()) {
    const auto view = both_ways || prefix_ ? PromptView::kWhole : PromptView::kCausal;
    set_extents(batch, b, T, extents, view);
  }
  if (both_ways) {  // what comes after a text is not masked either
    for (const Extent& e : extents) batch.targets[first + e.end - 1] = -1;
  }
  mask(window, both_ways, extents, first, batch);
}

void Objective::apply_to_validation(int64_t window, int64_t b, int64_t T, int64_t length,
                                    TokenBatch& batch) const {
  if (!separate_ && !prefix_) return;
  std::vector<Extent> extents = texts(std::span(batch.inputs).subspan(b * T, length));
  if (prefix_) draw_prompts(0, window, extents);
  if (length < T) extents.push_back({length, length, T});
  set_extents(batch, b, T, extents, prefix_ ? PromptView::kWhole : PromptView::kCausal);
}

// The whole window, or its documents: an end mark is the beginning of the next one, which is
// predicted from it.
std::vector<Extent> Objective::texts(std::span<const TokenId> inputs) const {
  std::vector<Extent> extents = {{0, 0, static_cast<int64_t>(inputs.size())}};
  for (size_t t = 1; separate_ && t < inputs.size(); ++t) {
    if (inputs[t] != *tokens_.end_of_text) continue;
    const auto at = static_cast<int64_t>(t);
    const int64_t end = extents.back().end;
    extents.back().end = at;
    extents.push_back({at, at, end});
  }
  return extents;
}

// Uniform: 1 to all but one of a text's positions are its prompt.
void Objective::draw_prompts(uint64_t seed, int64_t window, std::span<Extent> extents) const {
  const Random random(seed, RandomStream::kPrefix, static_cast<uint64_t>(window));
  for (Extent& e : extents) {
    const auto choices = static_cast<uint64_t>(e.end - e.begin - 1);
    if (choices == 0) continue;
    e.prompt_end = e.begin + 1 +
                   static_cast<int64_t>(random.below(choices, static_cast<uint64_t>(e.begin)));
  }
}

double Objective::draw_rate(int64_t window, bool both_ways) const {
  if (masked_share_ > 0 && !both_ways) return 0;
  if (rate_high_ == rate_low_) return rate_low_;
  const Random random(seed_, RandomStream::kInputMask, static_cast<uint64_t>(window));
  return rate_low_ + (rate_high_ - rate_low_) * random.uniform(kRateIndex);
}

// Each word of a text with the window's rate. A token that is masked is predicted at the position
// before it, also where nothing else is.
void Objective::mask(int64_t window, bool both_ways, std::span<const Extent> extents, int64_t first,
                     TokenBatch& batch) const {
  const double rate = draw_rate(window, both_ways);
  if (rate == 0) return;
  const Random random(seed_, RandomStream::kInputMask, static_cast<uint64_t>(window));
  for (const Extent& e : extents) {
    bool masked = false;
    TokenId before = -1;  // what the text has there
    for (int64_t t = e.begin; t < e.end; ++t) {
      TokenId& input = batch.inputs[first + t];
      const auto at = 2 * static_cast<uint64_t>(t);
      if (!tokens_.words.joined(before, input)) masked = random.uniform(at) < rate;
      before = input;
      if (!masked || (both_ways && t == e.begin)) continue;
      if (t > e.begin) batch.targets[first + t - 1] = input;
      input = with_mask_token_ ? *tokens_.mask
                               : static_cast<TokenId>(random.below(
                                     static_cast<uint64_t>(tokens_.vocab_size), at + 1));
    }
  }
}

}  // namespace inkstone
