// Windows of records with a completion, as batches and as what is validated on.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "corpus/load/batch_loader.h"
#include "corpus/load/packed_records.h"
#include "corpus/load/text_rates.h"
#include "inkstone/trainer.h"
#include "train/token_batch.h"

namespace inkstone {

class RecordWindows {
 public:
  struct Shape {
    int64_t context = 0;
    uint64_t seed = 0;
    // Of the losses of a prompt's tokens, 0 to 1; those of completions weigh 1.
    double prompt_weight = 0;
    PackedRecords::Length length = PackedRecords::Length::kShortest;
    PromptView view = PromptView::kCausal;
  };
  // The stream and its spans must outlive it. Throws kInvalidData when no record can be trained,
  // kUsage when every completion would be cut.
  RecordWindows(const TokenStream& stream, const TrainedSpans& spans, const Shape& shape);

  const PackedRecords& packed() const { return packed_; }
  int64_t length() const { return packed_.length(); }

  // Window `index` as window b of the batch, T = length() each, whose inputs and targets have their
  // sizes: the texts apart, positions from 0 in each, targets and weights where something is
  // trained.
  void read(int64_t index, int64_t b, TokenBatch& batch) const;

  // Windows from 0 on with at least `most_tokens` trained tokens, or all of an epoch.
  int64_t windows_for(int64_t most_tokens) const;
  // Trained tokens of windows [0, windows), and how much text they are.
  int64_t trained_tokens(int64_t windows) const;
  TextRates rates(int64_t windows, const Tokenizer& tokenizer) const;

 private:
  template <typename F>
  void for_each_target(const PackedText& text, F&& f) const;

  const TokenStream& stream_;
  const TrainedSpans& spans_;
  PackedRecords packed_;
  double prompt_weight_;
  PromptView view_;
};

// How the options let prompts be seen.
PromptView prompt_view(const TrainOptions& options);

// Mean loss in nats per trained token of windows [0, windows), `batch` at a time. A prompt's tokens
// have no part in it. Waits for the device once, at the end.
double mean_loss(TrainingPass& pass, const RecordWindows& records, int64_t batch, int64_t windows);

}  // namespace inkstone
