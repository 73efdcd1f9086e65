// Pre-tokenizers one after the other: each cuts the pieces of the one before.
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

class SequencePreTokenizer final : public PreTokenizer {
 public:
  struct Step {
    std::unique_ptr<const PreTokenizer> pre_tokenizer;
    // Its pieces are the same when the text is cut where it has no piece that goes on: true of character classes.
    bool is_local = false;
  };

  // Of no step: the text, between runs of bytes that are not UTF-8, is one piece.
  explicit SequencePreTokenizer(std::vector<Step> steps) : steps_(std::move(steps)) {}

  // Begins again at the last place before `at` that is certainly a cut, since a piece of an earlier step may have
  // begun before `at`.
  size_t split(std::string_view text, size_t at, std::span<size_t> ends) const override;

  // Where one step certainly cuts, whatever the steps before it have cut: each of them is local, or cuts there too.
  bool is_cut(std::string_view text, size_t at) const override;

 private:
  using Take = std::function<bool(size_t end)>;  // false: no more are wanted

  // Passes the ends of the pieces of text[begin..end), cut by the steps from `step` on.
  bool split_further(size_t step, std::string_view text, size_t begin, size_t end, const Take& take) const;

  std::vector<Step> steps_;
};

}  // namespace inkstone
