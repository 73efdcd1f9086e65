// How many tokens several vocabularies need for the same text.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/json.h"
#include "inkstone/tokenizer.h"

namespace inkstone::cli {

// Some of a corpus, kept in memory: the first texts, up to about a limit.
class TextSample {
 public:
  static constexpr int64_t kLimit_bytes = int64_t{4} << 20;

  explicit TextSample(int64_t limit_bytes = kLimit_bytes) : limit_bytes_(limit_bytes) {}

  void add(std::string_view text);
  const std::vector<std::string>& texts() const { return texts_; }
  int64_t bytes() const { return bytes_; }

 private:
  int64_t limit_bytes_;
  std::vector<std::string> texts_;
  int64_t bytes_ = 0;
};

struct ComparedVocabulary {
  std::string name;
  int64_t vocab_size = 0;
  int64_t tokens = 0;  // of the sample
};

// Encodes the sample on the runtime's threads.
ComparedVocabulary measure_vocabulary(const std::string& name, const Tokenizer& tokenizer,
                                      const TextSample& sample, const Runtime& runtime);

// A line of headings and one for each vocabulary; the last column is its tokens over those of the
// first. The sample must not be empty.
std::string comparison_table(const std::vector<ComparedVocabulary>& compared,
                             const TextSample& sample);
// [{"tokenizer", "vocab_size", "tokens", "bytes_per_token", "ratio"}, ...]
Json comparison_json(const std::vector<ComparedVocabulary>& compared, const TextSample& sample);

}  // namespace inkstone::cli
