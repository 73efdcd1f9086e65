#include "train/batches.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "base/rng.h"
#include "model/training_pass.h"

namespace inkstone {

namespace {

// Of data set k; the first one's is the run's, so that one data set alone has the order that it
// always had.
uint64_t order_seed(uint64_t seed, size_t k) { return seed + k * 0x9E3779B97F4A7C15u; }

WindowOrder window_order(const TokenStream& stream, const TrainingBatches::Shape& shape,
                         const TrainOptions& options, uint64_t seed) {
  if (!options.align_documents) return WindowOrder(stream.count(), shape.context, seed);
  INK_CHECK(shape.end_of_text, "documents cannot be told apart");
  DocumentWindows windows(stream, shape.context, *shape.end_of_text, options.runtime.pool());
  if (windows.ends() == 0) {
    fail(ErrorCode::kUsage,
         "'{}' has no <|endoftext|> in its training text, which is one document: leave out "
         "--align-documents",
         stream.folder().string());
  }
  return WindowOrder(std::move(windows), seed);
}

}  // namespace

TrainingBatches::TrainingBatches(std::span<const TokenStream> streams,
                                 std::span<const double> weights, const TrainOptions& options,
                                 const Shape& shape)
    : mixture_(weights, options.seed),
      batch_(options.batch),
      accumulate_(options.accumulate),
      vocab_size_(shape.vocab_size),
      mask_rate_(options.mask_rate),
      seed_(options.seed) {
  INK_CHECK(streams.size() == weights.size(), "a weight for each stream");
  for (size_t k = 0; k < streams.size(); ++k) {
    sources_.push_back(
        {&streams[k], window_order(streams[k], shape, options, order_seed(seed_, k))});
    INK_CHECK(sources_[k].order.length() == window(), "windows of different lengths");
  }
}

void TrainingBatches::read(int64_t step, int64_t micro, TokenBatch& batch) const {
  const int64_t T = window();
  batch.inputs.resize(batch_ * T);
  batch.targets.resize(batch_ * T);
  for (int64_t b = 0; b < batch_; ++b) {
    const int64_t index = (step * accumulate_ + micro) * batch_ + b;
    const Mixture::Draw draw = mixture_.draw(index);
    const Source& source = sources_[draw.source];
    const int64_t begin = source.order.begin(draw.index);
    const auto inputs = std::span(batch.inputs).subspan(b * T, T);
    source.stream->read(begin, inputs);
    source.stream->read(begin + 1, std::span(batch.targets).subspan(b * T, T));
    if (mask_rate_ > 0) mask(index, inputs);
  }
}

void TrainingBatches::mask(int64_t window, std::span<TokenId> inputs) const {
  const Random random(seed_, RandomStream::kInputMask, static_cast<uint64_t>(window));
  for (size_t t = 0; t < inputs.size(); ++t) {
    if (random.uniform(2 * t) < mask_rate_) {
      inputs[t] = static_cast<TokenId>(random.below(static_cast<uint64_t>(vocab_size_), 2 * t + 1));
    }
  }
}

int64_t predicted_tokens(const TokenStream& stream, int64_t most_tokens) {
  return std::min(stream.count() - 1, most_tokens);
}

double mean_loss(TrainingPass& pass, const TokenStream& stream, int64_t batch, int64_t window,
                 int64_t most_tokens) {
  const int64_t predictions = predicted_tokens(stream, most_tokens);
  const int64_t T = std::min(window, predictions);
  const EvalWindows windows(predictions + 1, T);
  std::vector<TokenId> inputs(batch * T), targets(batch * T);
  for (int64_t first = 0; first < windows.count(); first += batch) {
    const int64_t rows = std::min(batch, windows.count() - first);
    std::fill(inputs.begin(), inputs.end(), 0);
    std::fill(targets.begin(), targets.end(), -1);  // the end of the last window has no targets
    for (int64_t b = 0; b < rows; ++b) {
      const int64_t begin = windows.begin(first + b), length = windows.length(first + b);
      stream.read(begin, std::span(inputs).subspan(b * T, length));
      stream.read(begin + 1, std::span(targets).subspan(b * T, length));
    }
    pass.forward({.inputs = std::span(inputs).first(rows * T),
                  .targets = std::span(targets).first(rows * T),
                  .accumulate = first > 0},
                 T);
  }
  return pass.read_loss() / static_cast<double>(predictions);
}

}  // namespace inkstone
