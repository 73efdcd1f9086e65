// The data sets of a run: opened, checked against each other, and what part of the training windows
// each has.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/load/batch_loader.h"
#include "corpus/load/record_spans.h"
#include "corpus/load/text_rates.h"
#include "inkstone/tokenizer.h"
#include "inkstone/trainer.h"

namespace inkstone {

class DataSets {
 public:
  // options: validated. Throws kUsage when a folder is given twice or when documents are to be
  // aligned that the tokenizer does not separate, kMismatch when two folders have different
  // tokenizers or templates of turns, kInvalidData when a folder has fewer than 2 training tokens.
  explicit DataSets(const TrainOptions& options);

  // The run's: the data's, with what the options' objectives need and it lacks.
  const Tokenizer& tokenizer() const { return tokenizer_; }
  // Ids of the data's own tokenizer, which are the first ones.
  int64_t text_ids() const { return text_ids_; }
  size_t count() const { return names_.size(); }
  // By position in options.data: the folder's own name, with its number where two have the same.
  const std::vector<std::string>& names() const { return names_; }
  std::span<const TokenStream> train() const { return train_; }
  std::span<const TokenStream> val() const { return val_; }
  // Of records with a completion, which of their tokens are trained; nullopt: all tokens.
  std::span<const std::optional<TrainedSpans>> train_spans() const { return train_spans_; }
  std::span<const std::optional<TrainedSpans>> val_spans() const { return val_spans_; }
  // Parts of the training windows; their sum is 1.
  const std::vector<double>& shares() const { return shares_; }
  int64_t train_tokens() const;
  int64_t val_tokens() const;
  bool can_validate() const;
  // Text per token of what mean_loss() predicts of train() or val(), the mean weighted by the
  // shares as losses are: of a text mixed in this way. One stream has 2 tokens at least.
  TextRates rates(std::span<const TokenStream> streams, int64_t most_tokens) const;
  // Two runs with the same fingerprint train on the same tokens: prepare's reports list every
  // shard's checksum.
  std::string fingerprint() const;

 private:
  void require_end_mark(std::string_view option) const;

  std::vector<std::filesystem::path> folders_;
  Tokenizer tokenizer_;
  int64_t text_ids_;
  std::vector<std::string> names_;
  std::vector<TokenStream> train_, val_;
  std::vector<std::optional<TrainedSpans>> train_spans_, val_spans_;
  std::vector<double> shares_;
};

// The mean over the data sets that have a loss, weighted by their shares. nullopt if none has.
std::optional<double> weighted_mean(std::span<const std::optional<double>> losses,
                                    std::span<const double> shares);

}  // namespace inkstone
