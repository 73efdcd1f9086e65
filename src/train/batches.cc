#include "train/batches.h"

#include <algorithm>

#include "base/check.h"
#include "base/error.h"
#include "model/training_pass.h"

namespace inkstone {

namespace {

ObjectiveTokens tokens_of(const TrainingBatches::Shape& shape) {
  return {.vocab_size = shape.vocab_size,
          .end_of_text = shape.end_of_text,
          .mask = shape.mask,
          .words = shape.words};
}

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
      fill_in_(shape.fill_in),
      objective_(options, tokens_of(shape)) {
  INK_CHECK(streams.size() == weights.size(), "a weight for each stream");
  for (size_t k = 0; k < streams.size(); ++k) {
    const bool is_text = shape.spans.empty() || !shape.spans[k];
    sources_.push_back(make_source(streams[k], is_text ? nullptr : &*shape.spans[k], options, shape,
                                   order_seed(options.seed, k), streams.size() == 1));
    INK_CHECK(sources_[k].length() == window(), "windows of different lengths");
  }
}

TrainingBatches::Source TrainingBatches::make_source(const TokenStream& stream,
                                                     const TrainedSpans* spans,
                                                     const TrainOptions& options,
                                                     const Shape& shape, uint64_t seed,
                                                     bool is_alone) {
  if (spans == nullptr) return {&stream, window_order(stream, shape, options, seed), std::nullopt};
  if (options.mask_rate.second > 0 || options.masked_fraction > 0 || options.fim_rate > 0) {
    fail(ErrorCode::kUsage,
         "'{}' has records with a completion, whose windows --mask-rate, --masked-fraction and "
         "--fim-rate do not know: leave these out, or prepare the data with --records text",
         stream.folder().string());
  }
  return {&stream, std::nullopt,
          RecordWindows(stream, *spans,
                        {.context = shape.context,
                         .seed = seed,
                         .prompt_weight = options.prompt_loss_weight,
                         .length = is_alone ? PackedRecords::Length::kShortest
                                            : PackedRecords::Length::kContext,
                         .view = prompt_view(options)})};
}

void TrainingBatches::read(int64_t step, int64_t micro, TokenBatch& batch) const {
  const int64_t T = window();
  clear(batch);
  batch.inputs.resize(batch_ * T);
  batch.targets.resize(batch_ * T);
  for (int64_t b = 0; b < batch_; ++b) {
    const int64_t index = (step * accumulate_ + micro) * batch_ + b;
    const Mixture::Draw draw = mixture_.draw(index);
    const Source& source = sources_[draw.source];
    if (source.records) {
      source.records->read(draw.index, b, batch);
      continue;
    }
    const int64_t begin = source.order->begin(draw.index);
    if (fill_in_) {
      read_turned(index, source, begin, b, batch);
    } else {
      source.stream->read(begin, std::span(batch.inputs).subspan(b * T, T));
      source.stream->read(begin + 1, std::span(batch.targets).subspan(b * T, T));
    }
    objective_.apply(index, draw.index, b, T, batch);
  }
}

// Special tokens are not predicted: where they stand is the reader's choice. Behind the last text
// of a window there may be none.
void TrainingBatches::read_turned(int64_t index, const Source& source, int64_t begin, int64_t b,
                                  TokenBatch& batch) const {
  const int64_t T = window();
  std::vector<TokenId> tokens(static_cast<size_t>(T + 1));
  source.stream->read(begin, tokens);
  fill_in_->apply(index, tokens);
  for (int64_t t = 0; t < T; ++t) {
    const TokenId target = tokens[t + 1];
    batch.inputs[b * T + t] = std::max(tokens[t], 0);
    batch.targets[b * T + t] = fill_in_->is_sentinel(target) ? -1 : target;
  }
}

int64_t predicted_tokens(const TokenStream& stream, int64_t most_tokens) {
  return std::min(stream.count() - 1, most_tokens);
}

double mean_loss(TrainingPass& pass, const TokenStream& stream, const ValidationShape& shape,
                 const Objective& objective) {
  const int64_t predictions = predicted_tokens(stream, shape.most_tokens);
  const int64_t T = std::min(shape.window, predictions);
  const EvalWindows windows(predictions + 1, T);
  TokenBatch batch;
  double weight = 0;
  for (int64_t first = 0; first < windows.count(); first += shape.batch) {
    const int64_t rows = std::min(shape.batch, windows.count() - first);
    clear(batch);
    batch.inputs.assign(rows * T, 0);
    batch.targets.assign(rows * T, -1);  // the end of the last window has no targets
    for (int64_t b = 0; b < rows; ++b) {
      const int64_t begin = windows.begin(first + b), length = windows.length(first + b);
      stream.read(begin, std::span(batch.inputs).subspan(b * T, length));
      stream.read(begin + 1, std::span(batch.targets).subspan(b * T, length));
      objective.apply_to_validation(first + b, b, T, length, batch);
    }
    weight += trained_weight(batch);
    MicroBatch part = micro_batch(batch);
    part.accumulate = first > 0;
    pass.forward(part, T);
  }
  return pass.read_loss() / weight;
}

}  // namespace inkstone
