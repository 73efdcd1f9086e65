// Near-duplicates: documents whose sets of word n-grams (shingles) are alike.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/cleaning.h"

namespace inkstone {

// MinHash with locality-sensitive hashing (Broder, "On the resemblance and containment of
// documents", 1997; Indyk and Motwani 1998).
//
// A word is a longest run of letters and digits, lower-cased; a letter of a script that is written
// without spaces (is_unspaced_letter) is a word of its own. A shingle is `shingle_words` words in a
// row; a document of fewer words has one shingle, all of them. For each of bands * rows random
// permutations h the smallest h(shingle) is kept: two documents agree in it with probability s, the
// Jaccard similarity of their sets of shingles. A band's hash stands for `rows` of these minima and
// its own number. Two documents agree in at least one band with probability 1 - (1 - s^rows)^bands:
// with the defaults 0.21 at s = 0.6, 0.57 at 0.7, 0.77 at 0.75, 0.92 at 0.8 and 1.00 at 0.9.
//
// The hashes are a pure function of the text and the options: the same on every machine, for every
// cut of the text before white space, and for every version of ICU on characters that it knows. One
// object per thread.
class MinHash {
 public:
  // Throws kUsage unless 1 <= shingle_words <= 1000, bands and rows are at least 1 and their
  // product at most 4096.
  explicit MinHash(const MinHashOptions& options = {});

  // The next part of a document; parts end where words end. Any bytes are allowed, those that are
  // not UTF-8 separate words.
  void add(std::string_view text);

  // Ends the document: its `bands` hashes, valid until the next call, or none if it has no words.
  // What is added next is another document.
  std::span<const uint64_t> finish();

  // The minima of the document that ended last, bands * rows of them: the part that two documents
  // share estimates their similarity. Empty if it had no words.
  std::span<const uint32_t> minima() const { return minima_; }

  // 1 - (1 - s^rows)^bands.
  static double detection_probability(double similarity, const MinHashOptions& options = {});

 private:
  void add_word(uint64_t hash);
  void add_shingle(uint64_t hash);
  void flush_shingles();

  MinHashOptions options_;
  std::vector<uint32_t> multipliers_, summands_;  // of the permutations
  uint64_t oldest_weight_;                        // of the word that leaves a shingle
  std::string word_;
  std::vector<uint64_t> window_;  // hashes of the last shingle_words words, a ring
  int64_t words_ = 0;
  uint64_t rolling_ = 0;           // hash of the window
  std::vector<uint32_t> pending_;  // shingles that the minima have not seen
  std::vector<uint32_t> minima_, running_;
  std::vector<uint64_t> band_hashes_;
};

}  // namespace inkstone
