// The rules of lm-eval's tasks that change texts, each as a function.
#pragma once

#include <string>
#include <string_view>

#include "evaluate/rows.h"

namespace inkstone::evaluate {

// wikitext: undoes the tokenisation of WikiText ("@-@", blanks beside punctuation and inside
// brackets and quotes) by a fixed list of replacements, in their order.
std::string wikitext_detokenized(std::string_view page);

// hellaswag: white space at both ends dropped, " [title]" made ". ", what stands in square brackets
// on one line dropped, and then, once, two blanks made one.
std::string hellaswag_cleaned(std::string_view text);

// wsc273: an option as it stands in the place of the pronoun: with "'s" for a possessive, and an
// article or pronoun at its beginning in lower case unless a sentence begins there.
// `text`: the row's, with two blanks made one; `place`: where its pronoun begins.
std::string wsc273_option(std::string_view text, std::string_view pronoun, int64_t place,
                          std::string option);

}  // namespace inkstone::evaluate
