// The second reading of a corpus: documents to tokens.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "corpus/prepare/scan.h"
#include "corpus/prepare/split.h"
#include "corpus/prepare/split_writer.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Encodes texts on all threads and writes the tokens in the order of the texts, whatever the number of threads.
class ParallelEncoder {
 public:
  // `on_tokens` receives the ids of each text in turn. The tokenizer must outlive it.
  using OnTokens = std::function<void(Split split, std::span<const TokenId> ids)>;
  ParallelEncoder(const Tokenizer& tokenizer, OnTokens on_tokens)
      : tokenizer_(tokenizer), on_tokens_(std::move(on_tokens)) {}

  // Takes a copy. `end`, if any, follows the text's ids. True when it called flush(), which it does as soon as
  // enough has come together.
  bool add(std::string_view text, Split split, std::optional<TokenId> end);
  // Encodes and passes on what has been added.
  void flush();

 private:
  struct Job {
    std::string text;
    Split split;
    std::optional<TokenId> end;
    std::vector<TokenId> ids;
  };

  const Tokenizer& tokenizer_;
  OnTokens on_tokens_;
  std::vector<Job> jobs_;
  size_t pending_bytes_ = 0;
};

struct EncodeOptions {
  // Of a corpus that is one document: how many characters train. No end-of-text is written then.
  std::optional<int64_t> training_characters;
};

// Bytes and tokens so far.
using OnEncoded = std::function<void(int64_t bytes, int64_t tokens)>;

struct SplitWriters {
  SplitWriter train, val;

  SplitWriter& operator[](Split split) { return split == Split::kTrain ? train : val; }
};

struct SplitReports {
  SplitReport train, val;  // documents, bytes and tokens; not the shards

  SplitReport& operator[](Split split) { return split == Split::kTrain ? train : val; }
};

// Reads the files again and writes every document. Throws kInputOutput when a file is not what it was when it
// was scanned.
SplitReports encode_corpus(const CorpusScan& scan, const Tokenizer& tokenizer, const EncodeOptions& options,
                           SplitWriters& writers, const OnEncoded& on_encoded);

}  // namespace inkstone
