#include "train/record_windows.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/utf8.h"
#include "model/training_pass.h"

namespace inkstone {

RecordWindows::RecordWindows(const TokenStream& stream, const TrainedSpans& spans,
                             const Shape& shape)
    : stream_(stream),
      spans_(spans),
      packed_(spans, shape.context, shape.seed, shape.length),
      prompt_weight_(shape.prompt_weight),
      view_(shape.view) {
  const PackedCounts& c = packed_.counts();
  if (c.untrained == c.records) {
    fail(ErrorCode::kInvalidData,
         "none of the {} records of '{}' has a token that can be trained: nothing stands before "
         "their completions",
         c.records, stream.folder().string());
  }
  if (c.completions_cut + c.untrained == c.records) {
    fail(ErrorCode::kUsage,
         "the completions of all {} records of '{}' are longer than the context of {} tokens, and "
         "their ends would be cut off: give a larger --context, or shorter records",
         c.records, stream.folder().string(), shape.context);
  }
}

// Calls f(t, is_trained) for the targets of a text, t = 0 to inputs - 1.
template <typename F>
void RecordWindows::for_each_target(const PackedText& text, F&& f) const {
  const int64_t before = text.begin - spans_.begin(text.document);
  auto span = spans_.spans(text.document).begin();
  const auto end = spans_.spans(text.document).end();
  for (int64_t t = 0; t < text.inputs; ++t) {
    const int64_t place = before + t + 1;
    while (span != end && span->end <= place) ++span;
    f(t, span != end && place >= span->begin);
  }
}

void RecordWindows::read(int64_t index, int64_t b, TokenBatch& batch) const {
  const int64_t T = length();
  const auto first = static_cast<size_t>(b * T), size = static_cast<size_t>(T);
  const auto inputs = std::span(batch.inputs).subspan(first, size);
  const auto targets = std::span(batch.targets).subspan(first, size);
  std::fill(inputs.begin(), inputs.end(), 0);
  std::fill(targets.begin(), targets.end(), -1);
  if (prompt_weight_ > 0 && batch.weights.size() != batch.inputs.size())
    batch.weights.assign(batch.inputs.size(), 1.0f);
  std::vector<Extent> extents;
  int64_t at = 0;
  for (const PackedText& text : packed_.texts(index)) {
    const auto begin = static_cast<size_t>(at), count = static_cast<size_t>(text.inputs);
    stream_.read(text.begin, inputs.subspan(begin, count));
    stream_.read(text.begin + 1, targets.subspan(begin, count));
    int64_t prompt = text.inputs;  // inputs before the one that predicts the first trained token
    for_each_target(text, [&](int64_t t, bool is_trained) {
      const size_t n = begin + static_cast<size_t>(t);
      if (is_trained) {
        prompt = std::min(prompt, t);
      } else if (prompt_weight_ > 0) {
        batch.weights[first + n] = static_cast<float>(prompt_weight_);
      } else {
        targets[n] = -1;
      }
    });
    extents.push_back({at, std::min(at + prompt + 1, at + text.inputs), at + text.inputs});
    at += text.inputs;
  }
  if (at < T) extents.push_back({at, at, T});
  set_extents(batch, b, T, extents, view_);
}

int64_t RecordWindows::trained_tokens(int64_t windows) const {
  int64_t tokens = 0;
  for (int64_t i = 0; i < windows; ++i) {
    for (const PackedText& text : packed_.texts(i))
      for_each_target(text, [&](int64_t, bool is_trained) { tokens += is_trained ? 1 : 0; });
  }
  return tokens;
}

int64_t RecordWindows::windows_for(int64_t most_tokens) const {
  int64_t windows = 0, tokens = 0;
  for (; windows < packed_.windows_per_epoch() && tokens < most_tokens; ++windows) {
    for (const PackedText& text : packed_.texts(windows))
      for_each_target(text, [&](int64_t, bool is_trained) { tokens += is_trained ? 1 : 0; });
  }
  return windows;
}

TextRates RecordWindows::rates(int64_t windows, const Tokenizer& tokenizer) const {
  const auto end_mark = tokenizer.end_of_text();
  double bytes = 0, characters = 0, tokens = 0;
  std::vector<TokenId> targets;
  for (int64_t i = 0; i < windows; ++i) {
    for (const PackedText& text : packed_.texts(i)) {
      targets.resize(static_cast<size_t>(text.inputs));
      stream_.read(text.begin + 1, targets);
      for_each_target(text, [&](int64_t t, bool is_trained) {
        const TokenId id = targets[static_cast<size_t>(t)];
        tokens += is_trained ? 1 : 0;
        if (!is_trained || id == end_mark) return;
        bytes += static_cast<double>(tokenizer.token_bytes(id).size());
        characters += static_cast<double>(count_characters(tokenizer.token_bytes(id)));
      });
    }
  }
  return {bytes / tokens, characters / tokens};
}

PromptView prompt_view(const TrainOptions& options) {
  return options.prefix_lm ? PromptView::kWhole : PromptView::kCausal;
}

double mean_loss(TrainingPass& pass, const RecordWindows& records, int64_t batch, int64_t windows) {
  const int64_t T = records.length();
  TokenBatch tokens;
  double weight = 0;
  for (int64_t first = 0; first < windows; first += batch) {
    const int64_t rows = std::min(batch, windows - first);
    clear(tokens);
    tokens.inputs.resize(static_cast<size_t>(rows * T));
    tokens.targets.resize(static_cast<size_t>(rows * T));
    for (int64_t b = 0; b < rows; ++b) records.read(first + b, b, tokens);
    weight += trained_weight(tokens);
    MicroBatch part = micro_batch(tokens);
    part.accumulate = first > 0;
    pass.forward(part, T);
  }
  return pass.read_loss() / weight;
}

}  // namespace inkstone
