// The tokens of a training step as a pure function of (options, step), and those of the validation
// split.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "corpus/load/batch_loader.h"
#include "corpus/load/mixture.h"
#include "formats/trained_spans.h"
#include "inkstone/trainer.h"
#include "train/fill_in_middle.h"
#include "train/objective.h"
#include "train/record_windows.h"
#include "train/token_batch.h"

namespace inkstone {

class TrainingBatches {
 public:
  // What the model and the tokenizer say. `context` is the window wanted; of a single stream that
  // is shorter, the window is the whole. With options.align_documents, `end_of_text` must be there;
  // a stream without one then throws kUsage.
  struct Shape {
    int64_t context, vocab_size;
    std::optional<TokenId> end_of_text = std::nullopt, mask = std::nullopt;
    WordBounds words = {};
    std::shared_ptr<const FillInMiddle> fill_in = nullptr;
    // Of each stream, as DataSets has them; empty: every token is trained.
    std::span<const std::optional<TrainedSpans>> spans = {};
  };
  // Mixes the streams by `weights` (as Mixture; one for each stream). Several streams must have
  // more than `context` tokens each. The streams must outlive it.
  TrainingBatches(std::span<const TokenStream> streams, std::span<const double> weights,
                  const TrainOptions& options, const Shape& shape);

  // T of every batch.
  int64_t window() const { return sources_.front().length(); }
  // Windows of an epoch of stream `source`.
  int64_t windows_per_epoch(size_t source = 0) const {
    const Source& s = sources_[source];
    return s.records ? s.records->packed().windows_per_epoch() : s.order->windows_per_epoch();
  }
  // Of a stream of records with a completion; nullptr: it is text.
  const RecordWindows* records(size_t source) const {
    return sources_[source].records ? &*sources_[source].records : nullptr;
  }
  // Micro-batch `micro` (0 to accumulate - 1) of step `step`, made by the objective.
  void read(int64_t step, int64_t micro, TokenBatch& batch) const;
  const Objective& objective() const { return objective_; }

 private:
  // A text, or records with a completion.
  struct Source {
    const TokenStream* stream;
    std::optional<WindowOrder> order;
    std::optional<RecordWindows> records;

    int64_t length() const { return records ? records->length() : order->length(); }
  };
  void read_turned(int64_t index, const Source& source, int64_t begin, int64_t b,
                   TokenBatch& batch) const;
  static Source make_source(const TokenStream& stream, const TrainedSpans* spans,
                            const TrainOptions& options, const Shape& shape, uint64_t seed,
                            bool is_alone);

  std::vector<Source> sources_;
  Mixture mixture_;
  int64_t batch_, accumulate_;
  std::shared_ptr<const FillInMiddle> fill_in_;
  Objective objective_;
};

// How many tokens mean_loss() predicts: those from the stream's second on. count() >= 2.
int64_t predicted_tokens(const TokenStream& stream, int64_t most_tokens);

// What a validation reads: the first `most_tokens` tokens of a stream, in windows that do not
// overlap, as the objective has them.
struct ValidationShape {
  int64_t batch, window, most_tokens;
};

// Mean loss in nats per token that is predicted. Waits for the device once, at the end.
double mean_loss(TrainingPass& pass, const TokenStream& stream, const ValidationShape& shape,
                 const Objective& objective = {});

}  // namespace inkstone
