// The text that a model learned from, as tokens: of a run its data, or a text file.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "corpus/load/batch_loader.h"
#include "inkstone/reading.h"
#include "inkstone/tokenizer.h"

namespace inkstone::cli {

// Tokens in one or more parts: the shards of a split of several folders, or a file's documents,
// each followed by the end mark where the tokenizer has one.
class TokenText {
 public:
  TokenText() = default;
  // split: "train" or "val". Folders without such shards have no part.
  TokenText(const std::vector<std::filesystem::path>& folders, std::string_view split,
            int64_t vocab_size);
  TokenText(const std::string& file, const ReadOptions& options, const Tokenizer& tokenizer);

  int64_t count() const;
  // Tokens [begin, begin + count), or fewer: up to the end of the part.
  std::vector<TokenId> read(int64_t begin, int64_t count) const;
  // All tokens, in pieces; `is_new`: what came before is another part's.
  void for_each_piece(
      const std::function<void(std::span<const TokenId> tokens, bool is_new)>& take) const;
  std::vector<TokenId> all() const;

 private:
  std::vector<TokenStream> streams_;
  std::vector<TokenId> tokens_;  // of a file
};

// The data folders of the run that the model is, or is a checkpoint of. Throws kUsage, naming
// `option`, when it is no run's.
std::vector<std::filesystem::path> data_of_run(const std::string& model, const char* option);

}  // namespace inkstone::cli
