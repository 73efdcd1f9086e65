// Which encoding bytes are in that are not UTF-8, and how sure that is.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace inkstone {

struct EncodingGuess {
  std::string encoding;  // a name of ICU's
  // How many of a hundred guesses like this one are right, in hundredths (measured:
  // docs/decisions/0011).
  double certainty = 1;
};

// Below it neighbours are asked, and a user should look at the text (SourceFacts::is_unsure).
inline constexpr double kSureEncoding = 0.9;

// What tells an encoding: the words of `text` that have bytes beyond ASCII, with a space behind
// each, up to about `limit_bytes`.
std::string encoding_evidence(std::string_view text, size_t limit_bytes = 1200);

// The encoding in which `evidence` reads most like text of one of its languages. Each encoding that
// can decode it is scored by its characters: letters that the language uses (CLDR's exemplar sets,
// which ICU holds) and how frequent they are, capitals and scripts inside words, words of more than
// twenty letters, ideographs that are frequent and stand in the standard's first level; ICU's
// detector adds to the one that it names. `neighbours`: evidence of files of the same kind, which
// most likely are in the same encoding; may be empty. It counts the more the shorter `evidence` is.
EncodingGuess guess_encoding(std::string_view evidence, std::string_view neighbours = {});

}  // namespace inkstone
