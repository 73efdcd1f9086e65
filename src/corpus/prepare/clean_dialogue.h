// Cleaning of conversations: each content by itself.
#pragma once

#include <string>

#include "corpus/clean/cleaner.h"
#include "corpus/read/dialogue.h"

namespace inkstone {

// Cleans the contents of a packed conversation by the steps that look at no whole document, in
// place; what drops documents (by length, script, language, quality) looks at the contents
// together. Lines are not removed. One of which cleaning leaves nothing to train is blank.
CleanResult clean_dialogue(const Cleaner& cleaner, std::string& packed, Cleaner::Scratch& scratch);

}  // namespace inkstone
