// Lines of a document that are dropped, while the rest stays.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/clean/hash_counts.h"
#include "corpus/clean/words.h"

namespace inkstone {

// Which lines are dropped. Blank lines stay, always: they separate paragraphs.
struct LineRules {
  // Lines that carry a site's furniture, whatever their case: "javascript", "lorem ipsum", "cookie
  // policy", "privacy policy", "terms of use", "terms of service", "uses cookies", "use of
  // cookies", "use cookies", "all rights reserved", "skip to content", and in Chinese those for
  // copyright, ICP registration, privacy policy and terms of use (the phrases of Raffel et al.
  // 2020, arXiv:1910.10683, section 2.2, and ours); and menus: at least two of | » › · between
  // items of at most three words each, without a sentence's end.
  bool boilerplate = false;
  // Raffel et al. 2020: the phrases above but for the last six, and lines of fewer than 5 words.
  bool c4 = false;
  // Raffel et al. 2020: lines that do not end with a full stop, question or exclamation mark (of
  // any script) or a closing quotation mark, or that end with an ellipsis.
  bool c4_terminal_punctuation = false;
  // Lines, white space around them aside, that stood in the document before.
  bool repeated = false;

  bool any() const { return boilerplate || c4 || c4_terminal_punctuation || repeated; }
};

// Memory that drop_lines uses from one call to the next.
struct LineScratch {
  std::string line;
  std::vector<Word> words;
  HashCounts seen;
};

// Drops lines (each with its \n) in place and returns how many. A second call drops none.
int64_t drop_lines(std::string& text, const LineRules& rules, LineScratch& scratch);

// The text without the ASCII white space around it.
std::string_view trimmed(std::string_view text);

// True if `line` ends with a mark that ends a sentence in any script (Unicode's property
// Sentence_Terminal), a closing quotation mark behind it or not.
bool ends_sentence(std::string_view line);
// True for "..." and U+2026 at the end.
bool ends_with_ellipsis(std::string_view line);

// Calls f(line) for each line of `text`, without its \n.
template <typename F>
void for_each_line(std::string_view text, F&& f) {
  while (!text.empty()) {
    const size_t end = text.find('\n');
    f(text.substr(0, end));
    if (end == std::string_view::npos) return;
    text.remove_prefix(end + 1);
  }
}

}  // namespace inkstone
