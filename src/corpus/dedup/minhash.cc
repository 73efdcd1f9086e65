#include "corpus/dedup/minhash.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <limits>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "corpus/clean/words.h"
#include "tokenizer/unicode_classes.h"

namespace inkstone {
namespace {

constexpr uint64_t kWordBase = 0x9E3779B97F4A7C15;  // odd: multiplying by it loses nothing
constexpr size_t kPendingShingles = 1024;

// A permutation of 64 bits in which every bit depends on every bit. Source: splitmix64 (Steele,
// Lea, Flood 2014).
uint64_t mix(uint64_t x) {
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// '0' to '9' and 'a' to 'z' for bytes of words, small letters for capitals; 0 for others.
constexpr std::array<char, 128> kAsciiWord = [] {
  std::array<char, 128> table{};
  for (char c = '0'; c <= '9'; ++c) table[static_cast<size_t>(c)] = c;
  for (char c = 'a'; c <= 'z'; ++c) {
    table[static_cast<size_t>(c)] = c;
    table[static_cast<size_t>(c - 'a' + 'A')] = c;
  }
  return table;
}();

// minimum = min(minimum, multiplier * shingle + summand) for each permutation of 32 bits. Four
// shingles at a time: a fourth of the loads and stores, in a form that the compiler vectorises.
void lower_minima(std::span<const uint32_t> shingles, const uint32_t* a, const uint32_t* b,
                  std::span<uint32_t> minima) {
  const size_t count = minima.size();
  uint32_t* out = minima.data();
  size_t i = 0;
  for (; i + 4 <= shingles.size(); i += 4) {
    const uint32_t x0 = shingles[i], x1 = shingles[i + 1], x2 = shingles[i + 2],
                   x3 = shingles[i + 3];
    for (size_t k = 0; k < count; ++k) {
      const uint32_t low = std::min(a[k] * x0 + b[k], a[k] * x1 + b[k]);
      const uint32_t high = std::min(a[k] * x2 + b[k], a[k] * x3 + b[k]);
      out[k] = std::min(out[k], std::min(low, high));
    }
  }
  for (; i < shingles.size(); ++i) {
    for (size_t k = 0; k < count; ++k) out[k] = std::min(out[k], a[k] * shingles[i] + b[k]);
  }
}

MinHashOptions checked(const MinHashOptions& o) {
  const bool ok = o.shingle_words >= 1 && o.shingle_words <= 1000 && o.bands >= 1 && o.rows >= 1 &&
                  o.bands <= 4096 && o.rows <= 4096 / o.bands;
  if (!ok) {
    fail(ErrorCode::kUsage,
         "MinHash with shingles of {} words, {} bands of {} rows: a shingle has 1 to 1000 words, "
         "and there are at "
         "least 1 band and 1 row and at most 4096 hashes",
         o.shingle_words, o.bands, o.rows);
  }
  return o;
}

uint64_t power(uint64_t base, int exponent) {
  uint64_t result = 1;
  for (int i = 0; i < exponent; ++i) result *= base;
  return result;
}

constexpr uint32_t kLargest = std::numeric_limits<uint32_t>::max();

}  // namespace

MinHash::MinHash(const MinHashOptions& options)
    : options_(checked(options)), oldest_weight_(power(kWordBase, options_.shingle_words)) {
  const auto hashes = static_cast<size_t>(options_.bands) * static_cast<size_t>(options_.rows);
  for (size_t k = 0; k < hashes; ++k) {
    multipliers_.push_back(static_cast<uint32_t>(mix(2 * k + 1)) | 1);  // odd: a permutation
    summands_.push_back(static_cast<uint32_t>(mix(2 * k + 2)));
  }
  window_.resize(static_cast<size_t>(options_.shingle_words));
  pending_.reserve(kPendingShingles);
  running_.assign(hashes, kLargest);
}

void MinHash::add(std::string_view text) {
  const UnicodeClasses& classes = UnicodeClasses::instance();
  const auto end_word = [&] {
    if (!word_.empty()) add_word(hash64(word_));
    word_.clear();
  };
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    if (byte < 0x80) {
      const char letter = kAsciiWord[byte];
      if (letter != 0) {
        word_.push_back(letter);
      } else {
        end_word();
      }
      ++at;
      continue;
    }
    const Utf8Step step = decode_utf8(text, at);
    const CharClass kind = step.ok ? classes[step.code_point] : CharClass::kOther;
    if (step.ok && is_unspaced_letter(step.code_point)) {
      end_word();
      add_word(mix(step.code_point));
    } else if (kind == CharClass::kLetter || kind == CharClass::kNumber) {
      append_utf8(word_, static_cast<uint32_t>(u_tolower(static_cast<UChar32>(step.code_point))));
    } else {
      end_word();
    }
    at += static_cast<size_t>(step.size_bytes);
  }
  end_word();
}

// The window's hash is sum over its words, the newest last, of hash * kWordBase^(words behind it),
// mod 2^64.
void MinHash::add_word(uint64_t hash) {
  const int64_t size = options_.shingle_words;
  uint64_t& oldest = window_[static_cast<size_t>(words_ % size)];
  rolling_ = rolling_ * kWordBase + hash;
  if (words_ >= size) rolling_ -= oldest * oldest_weight_;
  oldest = hash;
  ++words_;
  if (words_ >= size) add_shingle(rolling_);
}

void MinHash::add_shingle(uint64_t hash) {
  pending_.push_back(static_cast<uint32_t>(mix(hash) >> 32));
  if (pending_.size() == kPendingShingles) flush_shingles();
}

void MinHash::flush_shingles() {
  lower_minima(pending_, multipliers_.data(), summands_.data(), running_);
  pending_.clear();
}

std::span<const uint64_t> MinHash::finish() {
  if (words_ > 0 && words_ < options_.shingle_words) add_shingle(rolling_);
  flush_shingles();
  band_hashes_.clear();
  minima_.clear();
  if (words_ > 0) {
    minima_ = running_;
    const auto rows = static_cast<size_t>(options_.rows);
    for (size_t band = 0; band < static_cast<size_t>(options_.bands); ++band) {
      uint64_t hash = mix(band + 1);
      for (size_t row = 0; row < rows; ++row) hash = mix(hash ^ minima_[band * rows + row]);
      band_hashes_.push_back(hash);
    }
  }
  running_.assign(running_.size(), kLargest);
  words_ = 0;
  rolling_ = 0;
  return band_hashes_;
}

double MinHash::detection_probability(double similarity, const MinHashOptions& options) {
  return 1.0 - std::pow(1.0 - std::pow(similarity, options.rows), options.bands);
}

}  // namespace inkstone
