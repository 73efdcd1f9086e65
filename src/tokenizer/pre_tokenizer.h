// Pre-tokenizers: they cut a text into the pieces inside which byte pairs may merge.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <string_view>

#include "tokenizer/unicode_classes.h"

namespace inkstone {

// The pieces are adjacent and cover the text. A maximal run of bytes that are not UTF-8 is a piece
// and cuts the text: what stands before and after it is cut as a text of its own. Immutable: safe
// from several threads.
class PreTokenizer {
 public:
  static constexpr size_t kMaxBatch = 128;

  // Of pieces that follow one another: where the first begins, and where each ends; 1 to kMaxBatch
  // of them.
  using Take = std::function<void(size_t begin, std::span<const size_t> ends)>;

  virtual ~PreTokenizer() = default;

  // Passes all pieces of the text to `take`, in order.
  virtual void split(std::string_view text, const Take& take) const = 0;

  // True when a piece begins at text[at] and the pieces before it are those of text[0..at),
  // whatever follows text and whatever comes before it: a long text may be encoded in two parts
  // there. 0 < at < text.size(). False when it cannot be told.
  virtual bool is_cut(std::string_view text, size_t at) const = 0;
};

// Gathers pieces until there are enough for PreTokenizer::Take.
class PieceBatch {
 public:
  explicit PieceBatch(const PreTokenizer::Take& take) : take_(take) {}

  // The piece from the end of the one before, the text's beginning for the first, to `end`.
  void add(size_t end) {
    ends_[count_++] = end;
    if (count_ == ends_.size()) flush();
  }

  // Passes on what is left: to be called at the end.
  void flush() {
    if (count_ == 0) return;
    take_(begin_, {ends_.data(), count_});
    begin_ = ends_[count_ - 1];
    count_ = 0;
  }

 private:
  const PreTokenizer::Take& take_;
  size_t begin_ = 0, count_ = 0;
  std::array<size_t, PreTokenizer::kMaxBatch> ends_;
};

// PreTokenizer::split where the end of a piece follows from its beginning: piece_end(at) > at.
template <class PieceEnd>
void split_by_piece_end(std::string_view text, const PreTokenizer::Take& take,
                        const PieceEnd& piece_end) {
  PieceBatch batch(take);
  for (size_t at = 0; at < text.size();) batch.add(at = piece_end(at));
  batch.flush();
}

// GPT-2's: the leftmost matches of
//   's|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+
// (Radford et al. 2019; encoder.py), matched by hand. Time is linear in the text.
class Gpt2PreTokenizer final : public PreTokenizer {
 public:
  void split(std::string_view text, const Take& take) const override;

  // Before an ASCII white space character whose predecessor is no white space. A piece always
  // begins there: only a piece of white space, or one with a leading space, holds such a character,
  // and as its first. The match that ends there looks at nothing behind it (only \s+(?!\S) looks
  // ahead, and it ends in white space).
  bool is_cut(std::string_view text, size_t at) const override;

 private:
  struct Char {
    CharClass type;
    uint32_t size_bytes;
  };

  Char classify(std::string_view text, size_t at) const;
  size_t piece_end(std::string_view text, size_t at) const;
  size_t run_end(std::string_view text, size_t at, CharClass type) const;
  size_t white_space_end(std::string_view text, size_t at) const;

  const UnicodeClasses& classes_ = UnicodeClasses::instance();
};

// True for the six white space characters of ASCII.
bool is_ascii_white_space(char c);

// True when `text` ends in a character that is certainly no white space.
bool ends_in_ink(std::string_view text);

}  // namespace inkstone
