// What a person takes for one character, and how many columns of a terminal it takes.
#pragma once

#include <cstddef>
#include <string_view>
#include <vector>

namespace inkstone::cli {

// A grapheme cluster (Unicode 15, annex 29) of a text: a letter with its marks, a joined emoji.
struct Cluster {
  // kPlain: every terminal gives it these columns. kAmbiguous: a few give it one more (annex 11,
  // class A: quotation marks, Greek). kUnsure: terminals differ, as in several code points (a
  // joined emoji is one picture on some and three on others) and in what is no visible character.
  enum class Kind { kPlain, kAmbiguous, kUnsure };
  size_t begin = 0, size = 0;  // bytes
  int columns = 0;             // 0 for what has no width of its own
  Kind kind = Kind::kPlain;
};

// All of them, in order, without a gap. The text is valid UTF-8.
std::vector<Cluster> clusters_of(std::string_view text);

// The boundary of a cluster before `at`, and behind it; the ends of the text bound them.
size_t cluster_before(std::string_view text, size_t at);
size_t cluster_behind(std::string_view text, size_t at);

// Where the word begins that stands before `at`, and where the one behind it ends (annex 29, with
// ICU's dictionaries for Chinese, Japanese and Thai). Blanks and punctuation are passed over.
size_t word_before(std::string_view text, size_t at);
size_t word_behind(std::string_view text, size_t at);

}  // namespace inkstone::cli
