// Pre-tokenizers one after the other: each cuts the pieces of the one before.
#pragma once

#include <memory>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

class SequencePreTokenizer final : public PreTokenizer {
 public:
  struct Step {
    std::unique_ptr<const PreTokenizer> pre_tokenizer;
    // Its pieces are the same when the text is cut where it has no piece that goes on: true of
    // character classes.
    bool is_local = false;
  };

  // Of no step: the text, between runs of bytes that are not UTF-8, is one piece.
  explicit SequencePreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

  void split(std::string_view text, const Take& take) const override;

  // Where one step certainly cuts, whatever the steps before it have cut: each of them is local, or
  // cuts there too.
  bool is_cut(std::string_view text, size_t at) const override;

 private:
  // Adds the pieces of `part`, which stands at `offset` of the text, cut by the steps from `step`
  // on.
  void split_from(size_t step, std::string_view part, size_t offset, PieceBatch& batch) const;

  std::vector<Step> steps_;
};

}  // namespace inkstone
