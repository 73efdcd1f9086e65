// Digits and Punctuation of Hugging Face's tokenizers, and \p{N} and \p{N}{1,3} as a Split.
#pragma once

#include <cstdint>
#include <limits>

#include "tokenizer/pre_tokenizer.h"

namespace inkstone {

// The characters of a class are pieces, up to max_length of a run together; what is between is a
// piece.
class ClassPreTokenizer final : public PreTokenizer {
 public:
  enum class Class { kNumber, kPunctuation };
  static constexpr size_t kNoLimit = std::numeric_limits<size_t>::max();

  ClassPreTokenizer(Class members, size_t max_length)
      : members_(members), max_length_(max_length) {}

  void split(std::string_view text, const Take& take) const override;

  // Where the class begins or ends.
  bool is_cut(std::string_view text, size_t at) const override;

 private:
  bool is_member(uint32_t code_point) const;
  size_t piece_end(std::string_view text, size_t at) const;

  Class members_;
  size_t max_length_;
};

}  // namespace inkstone
