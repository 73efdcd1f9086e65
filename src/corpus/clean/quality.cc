#include "corpus/clean/quality.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <array>
#include <string>

#include "base/hash.h"
#include "base/utf8.h"
#include "corpus/clean/lines.h"

namespace inkstone {
namespace {

// Rae et al. 2021, appendix A.1.1.
constexpr int64_t kWords_min = 50, kWords_max = 100'000;
constexpr double kMeanWordCharacters_min = 3.0, kMeanWordCharacters_max = 10.0;
constexpr double kSymbolsPerWord_max = 0.1;
constexpr double kBulletLines_max = 0.9, kEllipsisLines_max = 0.3;
constexpr double kWordsWithLetter_min = 0.8;
constexpr int64_t kStopWords_min = 2;
constexpr std::string_view kStopWords[] = {"the", "be", "to", "of", "and", "that", "have", "with"};
constexpr std::string_view kBullets[] = {"•", "‣", "◦", "▪", "●", "■", "–", "* ", "- "};

// Rae et al. 2021, table A1: at most these parts of the lines, paragraphs or characters.
constexpr double kRepeatedParts_max = 0.30, kRepeatedPartCharacters_max = 0.20;
struct NgramLimit {
  size_t words;
  double characters_max;  // of all characters
};
constexpr NgramLimit kFrequentNgrams[] = {{2, 0.20}, {3, 0.18}, {4, 0.16}};
constexpr NgramLimit kRepeatedNgrams[] = {{5, 0.15}, {6, 0.14}, {7, 0.13},
                                          {8, 0.12}, {9, 0.11}, {10, 0.10}};

// Raffel et al. 2020, section 2.2.
constexpr int64_t kSentences_min = 3;

// Penedo et al. 2024, section 3.6.
constexpr double kLinesWithPunctuation_min = 0.12;  // not above it: dropped
// Reaching it: dropped.
constexpr double kRepeatedLineCharacters_max = 0.10, kShortLines_max = 0.67;
constexpr int64_t kShortLine_columns = 30;

double ratio(int64_t part, int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

int64_t count_of(std::string_view text, std::string_view what) {
  int64_t count = 0;
  for (size_t at = 0; (at = text.find(what, at)) != std::string_view::npos; at += what.size())
    ++count;
  return count;
}

template <typename F>
void for_each_character(std::string_view text, F&& f) {
  for (size_t at = 0; at < text.size();) {
    const auto byte = static_cast<uint8_t>(text[at]);
    const Utf8Step step = byte < 0x80 ? Utf8Step{byte, 1, true} : decode_utf8(text, at);
    at += static_cast<size_t>(step.size_bytes);
    f(step.ok ? step.code_point : uint32_t{0xFFFD});
  }
}

// Columns on a terminal: a letter of a script without spaces says about as much as two others.
int64_t count_columns(std::string_view text) {
  int64_t columns = 0;
  for_each_character(text, [&](uint32_t c) { columns += is_unspaced_letter(c) ? 2 : 1; });
  return columns;
}

// ---- words

struct WordCounts {
  int64_t words = 0, spaced = 0, spaced_characters = 0, with_letter = 0, characters = 0;
  bool mostly_unspaced() const { return spaced * 2 < words; }
};

WordCounts count_words(const std::vector<Word>& words) {
  WordCounts counts;
  counts.words = static_cast<int64_t>(words.size());
  for (const Word& word : words) {
    counts.characters += word.characters;
    counts.with_letter += word.has_letter ? 1 : 0;
    if (word.unspaced) continue;
    ++counts.spaced;
    counts.spaced_characters += word.characters;
  }
  return counts;
}

// The length of words tells nothing where most of them are single letters of a script without
// spaces.
bool has_usual_word_length(const WordCounts& counts) {
  if (counts.mostly_unspaced()) return true;
  const double mean = ratio(counts.spaced_characters, counts.spaced);
  return mean >= kMeanWordCharacters_min && mean <= kMeanWordCharacters_max;
}

int64_t count_symbols(std::string_view text) {
  return count_of(text, "#") + count_of(text, "...") + count_of(text, "…");
}

// How many different stop words there are, as whole words.
int64_t count_stop_words(std::string_view text) {
  std::array<bool, std::size(kStopWords)> seen{};
  std::string word;
  const auto finish = [&] {
    const auto found = std::find(std::begin(kStopWords), std::end(kStopWords), word);
    if (found != std::end(kStopWords))
      seen[static_cast<size_t>(found - std::begin(kStopWords))] = true;
    word.clear();
  };
  for (const char c : text) {
    const char lower = c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
    if ((lower >= 'a' && lower <= 'z') || (static_cast<uint8_t>(c) & 0x80) != 0) {
      word.push_back(lower);
    } else {
      finish();
    }
  }
  finish();
  return std::count(seen.begin(), seen.end(), true);
}

// ---- lines and paragraphs

struct LineCounts {
  int64_t lines = 0, bullets = 0, ellipses = 0, with_punctuation = 0, short_lines = 0;
};

LineCounts count_lines(std::string_view text) {
  LineCounts counts;
  for_each_line(text, [&](std::string_view whole) {
    const std::string_view line = trimmed(whole);
    if (line.empty()) return;
    ++counts.lines;
    counts.bullets += std::any_of(
        std::begin(kBullets), std::end(kBullets),
        [&](std::string_view bullet) { return line.starts_with(bullet); });
    counts.ellipses += ends_with_ellipsis(line) ? 1 : 0;
    counts.with_punctuation += ends_sentence(line) ? 1 : 0;
    counts.short_lines += count_columns(line) < kShortLine_columns ? 1 : 0;
  });
  return counts;
}

// Calls f(paragraph) for each stretch between blank lines, trimmed.
template <typename F>
void for_each_paragraph(std::string_view text, F&& f) {
  const char* begin = nullptr;
  const char* end = nullptr;
  const auto finish = [&] {
    if (begin != nullptr) f(trimmed({begin, static_cast<size_t>(end - begin)}));
    begin = nullptr;
  };
  for_each_line(text, [&](std::string_view line) {
    if (trimmed(line).empty()) return finish();
    if (begin == nullptr) begin = line.data();
    end = line.data() + line.size();
  });
  finish();
}

// Parts (lines or paragraphs) that are equal to an earlier one.
struct Repetition {
  int64_t parts = 0, repeated = 0, characters = 0, repeated_characters = 0;

  void add(std::string_view part, HashCounts& seen) {
    if (part.empty()) return;
    int64_t size = 0;
    for_each_character(part, [&](uint32_t) { ++size; });
    const bool is_repeated = seen.add(hash64(part)) != 0;
    ++parts;
    characters += size;
    repeated += is_repeated ? 1 : 0;
    repeated_characters += is_repeated ? size : 0;
  }
  double part_ratio() const { return ratio(repeated, parts); }
  double character_ratio() const { return ratio(repeated_characters, characters); }
  bool above_gopher() const {
    return part_ratio() > kRepeatedParts_max || character_ratio() > kRepeatedPartCharacters_max;
  }
};

size_t lines_at_most(std::string_view text) {
  return static_cast<size_t>(std::count(text.begin(), text.end(), '\n')) + 1;
}

Repetition repeated_lines(std::string_view text, HashCounts& seen) {
  Repetition result;
  seen.reset(lines_at_most(text));
  for_each_line(text, [&](std::string_view line) { result.add(trimmed(line), seen); });
  return result;
}

Repetition repeated_paragraphs(std::string_view text, HashCounts& seen) {
  Repetition result;
  seen.reset(lines_at_most(text));
  for_each_paragraph(text, [&](std::string_view paragraph) { result.add(paragraph, seen); });
  return result;
}

// ---- n-grams of words

// The hashes of all n-grams of a text, for one n after the other in rising order.
class Ngrams {
 public:
  Ngrams(const std::vector<Word>& words, std::vector<uint64_t>& hashes)
      : words_(words), hashes_(hashes) {
    hashes_.assign(words.size(), 0);
  }

  // n becomes `size`, which is not less than before.
  void grow_to(size_t size) {
    for (; size_ < size; ++size_) {
      for (size_t i = 0; i + size_ < words_.size(); ++i) {
        const uint64_t hash = (hashes_[i] ^ words_[i + size_].hash) * 0x9E3779B97F4A7C15;
        hashes_[i] = hash ^ (hash >> 32);
      }
    }
  }

  size_t size() const { return size_; }
  size_t count() const { return words_.size() < size_ ? 0 : words_.size() - size_ + 1; }
  uint64_t hash(size_t i) const { return hashes_[i]; }
  int64_t characters(size_t i) const {
    int64_t characters = 0;
    for (size_t k = i; k < i + size_; ++k) characters += words_[k].characters;
    return characters;
  }

 private:
  const std::vector<Word>& words_;
  std::vector<uint64_t>& hashes_;
  size_t size_ = 0;
};

// The most characters that one n-gram and its repetitions have.
int64_t frequent_ngram_characters(const Ngrams& ngrams, HashCounts& counts) {
  int64_t most = 0;
  counts.reset(ngrams.count());
  for (size_t i = 0; i < ngrams.count(); ++i) {
    const int64_t before = counts.add(ngrams.hash(i));
    if (before > 0) most = std::max(most, (before + 1) * ngrams.characters(i));
  }
  return most;
}

// Characters of n-grams that occurred before, each character counted once.
int64_t repeated_ngram_characters(const Ngrams& ngrams, HashCounts& counts) {
  int64_t repeated = 0;
  counts.reset(ngrams.count());
  for (size_t i = 0; i < ngrams.count();) {
    const bool is_repeated = counts.add(ngrams.hash(i)) != 0;
    repeated += is_repeated ? ngrams.characters(i) : 0;
    i += is_repeated ? ngrams.size() : 1;
  }
  return repeated;
}

DropReason judge_ngrams(const WordCounts& counts, QualityFilter::Scratch& scratch) {
  Ngrams ngrams(scratch.words, scratch.ngrams);
  // A Chinese word has about two characters.
  const size_t words_per_word = counts.mostly_unspaced() ? 2 : 1;
  for (const NgramLimit& limit : kFrequentNgrams) {
    ngrams.grow_to(limit.words * words_per_word);
    const int64_t frequent = frequent_ngram_characters(ngrams, scratch.counts);
    if (ratio(frequent, counts.characters) > limit.characters_max)
      return DropReason::kFrequentNgram;
  }
  for (const NgramLimit& limit : kRepeatedNgrams) {
    ngrams.grow_to(limit.words * words_per_word);
    const int64_t repeated = repeated_ngram_characters(ngrams, scratch.counts);
    if (ratio(repeated, counts.characters) > limit.characters_max)
      return DropReason::kRepeatedNgrams;
  }
  return DropReason::kNone;
}

// ---- sentences

// A mark that ends a sentence counts once with those beside it; "." only before white space or the
// end, for it also stands in numbers and names. What a line has behind its last mark counts too.
int64_t count_sentences(std::string_view text) {
  int64_t sentences = 0;
  for_each_line(text, [&](std::string_view line) {
    bool open = false, after_mark = false, after_stop = false;
    for_each_character(trimmed(line), [&](uint32_t c) {
      const bool is_space = c == ' ' || c == '\t';
      const bool is_mark = u_hasBinaryProperty(static_cast<UChar32>(c), UCHAR_S_TERM);
      if (open && (after_mark || (after_stop && is_space)) && !is_mark) {
        ++sentences;
        open = false;
      }
      after_mark = is_mark && c != '.';
      after_stop = c == '.' || (after_stop && !is_space && !u_isalnum(static_cast<UChar32>(c)));
      open |= u_isalnum(static_cast<UChar32>(c)) != 0;
    });
    sentences += open ? 1 : 0;
  });
  return sentences;
}

bool has_lorem_ipsum(std::string_view text) {
  constexpr std::string_view kPlaceholder = "lorem ipsum";
  const auto lower = [](char c) {
    return c >= 'A' && c <= 'Z' ? static_cast<char>(c + ('a' - 'A')) : c;
  };
  return std::search(text.begin(), text.end(), kPlaceholder.begin(), kPlaceholder.end(),
                     [&](char a, char b) { return lower(a) == b; }) != text.end();
}

// ---- the three sets

DropReason judge_words(std::string_view text, const WordCounts& counts) {
  if (counts.words < kWords_min || counts.words > kWords_max) return DropReason::kWordCount;
  if (!has_usual_word_length(counts)) return DropReason::kMeanWordLength;
  if (ratio(count_symbols(text), counts.words) > kSymbolsPerWord_max) return DropReason::kSymbols;
  if (ratio(counts.with_letter, counts.words) < kWordsWithLetter_min)
    return DropReason::kWordsWithoutLetters;
  return DropReason::kNone;
}

DropReason judge_c4(std::string_view text) {
  if (has_lorem_ipsum(text)) return DropReason::kLoremIpsum;
  if (text.find('{') != std::string_view::npos) return DropReason::kCurlyBracket;
  return count_sentences(text) < kSentences_min ? DropReason::kFewSentences : DropReason::kNone;
}

DropReason judge_fineweb(std::string_view text, HashCounts& seen) {
  const LineCounts lines = count_lines(text);
  if (ratio(lines.with_punctuation, lines.lines) <= kLinesWithPunctuation_min) {
    return DropReason::kLinesWithoutPunctuation;
  }
  if (ratio(lines.short_lines, lines.lines) >= kShortLines_max) return DropReason::kShortLines;
  const bool repeats = repeated_lines(text, seen).character_ratio() >= kRepeatedLineCharacters_max;
  return repeats ? DropReason::kRepeatedLineCharacters : DropReason::kNone;
}

}  // namespace

QualityFilter::QualityFilter(QualityRules rules, bool english_stop_words)
    : rules_(rules), english_stop_words_(english_stop_words), latin_({"Latin"}) {}

DropReason QualityFilter::judge(std::string_view text, Scratch& scratch) const {
  if (rules_ == QualityRules::kNone) return DropReason::kNone;
  DropReason reason = DropReason::kNone;
  if (rules_ != QualityRules::kC4) reason = judge_gopher(text, scratch);
  if (reason == DropReason::kNone && rules_ != QualityRules::kGopher) reason = judge_c4(text);
  if (reason == DropReason::kNone && rules_ == QualityRules::kFineWeb)
    reason = judge_fineweb(text, scratch.counts);
  return reason;
}

DropReason QualityFilter::judge_gopher(std::string_view text, Scratch& scratch) const {
  split_words(text, scratch.words);
  const WordCounts counts = count_words(scratch.words);
  if (const DropReason reason = judge_words(text, counts); reason != DropReason::kNone)
    return reason;
  const LineCounts lines = count_lines(text);
  if (ratio(lines.bullets, lines.lines) > kBulletLines_max) return DropReason::kBulletLines;
  if (ratio(lines.ellipses, lines.lines) > kEllipsisLines_max) return DropReason::kEllipsisLines;
  if (english_stop_words_ && count_stop_words(text) < kStopWords_min && latin_(text) > 0.5) {
    return DropReason::kStopWords;
  }
  if (repeated_lines(text, scratch.counts).above_gopher()) return DropReason::kRepeatedLines;
  if (repeated_paragraphs(text, scratch.counts).above_gopher())
    return DropReason::kRepeatedParagraphs;
  return judge_ngrams(counts, scratch);
}

}  // namespace inkstone
