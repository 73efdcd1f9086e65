// Unicode normalisation.
#pragma once

#include <string>

#include "inkstone/cleaning.h"

namespace inkstone {

// Normalises `text` in place; `spare` lends its memory. Returns true if it changed. Text that is
// normal already is only scanned (ICU's quick check). Bytes that are not UTF-8 stay. A second call
// changes nothing. Source: Unicode Standard Annex 15, by ICU (the Unicode version is ICU's; 72 has
// Unicode 15.0).
bool normalize(std::string& text, std::string& spare, Normalization form);

}  // namespace inkstone
