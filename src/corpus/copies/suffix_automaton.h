// All subsequences of some short sequences in one automaton, through which a long text streams: of
// each sequence, the longest part that the text has too.
#pragma once

#include <cstdint>
#include <span>
#include <unordered_map>
#include <vector>

namespace inkstone {

// A part of a sequence that stands in the text.
struct VerbatimMatch {
  int64_t begin = 0, length = 0;  // in the sequence
  int64_t text_end = 0;           // symbols of the text up to the end of one place where it stands
};

// Source: Blumer et al. 1985, "The smallest automaton recognizing the subwords of a text"; for
// several sequences Mohri et al. 2009. Building takes O(n) for n symbols of all sequences and
// about 150 bytes for each; a symbol of the text takes amortised constant time, whatever n is.
class SuffixAutomaton {
 public:
  SuffixAutomaton();

  // Symbols are 0 or more. All sequences come before the text.
  void add(std::span<const int32_t> sequence);

  // The next symbol of the text.
  void feed(int32_t symbol);
  // No match reaches across this place of the text: another document begins.
  void break_text();

  // Of each sequence the longest part that the text so far has, the first one of several: in O(n).
  std::vector<VerbatimMatch> longest() const;

 private:
  struct State {
    int32_t length = 0;  // of the longest subsequence that leads here
    int32_t link = -1;   // the state of the longest end of it that leads elsewhere
    // Of the text: symbols of the longest match that ended here, and where.
    int32_t matched = 0;
    int64_t text_end = 0;
    std::vector<std::pair<int32_t, int32_t>> next;  // symbol, state
  };
  int32_t find(int32_t state, int32_t symbol) const;  // -1: none
  void set(int32_t state, int32_t symbol, int32_t to);
  int32_t new_state(int32_t length, int32_t link);
  int32_t split(int32_t from, int32_t symbol, int32_t to);
  int32_t extend(int32_t last, int32_t symbol);
  std::vector<int32_t> by_length() const;

  std::vector<State> states_;
  std::unordered_map<uint64_t, int32_t> next_;  // (state, symbol) to state
  std::vector<std::vector<int32_t>> ends_;      // of each sequence the states along it
  int32_t at_ = 0, length_ = 0;                 // of the text: state, symbols that match
  int64_t fed_ = 0;
};

}  // namespace inkstone
