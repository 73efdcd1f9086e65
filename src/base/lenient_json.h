// JSON as Python's json writes it, made into what every reader of JSON takes.
#pragma once

#include <cstdint>
#include <string>

namespace inkstone {

// Replaces each escaped surrogate without its partner by \uFFFD, in place; returns how many there
// were.
int64_t repair_surrogates(std::string& json);

// Makes every number outside strings 0, with spaces up to its length. Readers refuse those that no
// 64 bits hold, and JSON has no word for NaN and Infinity; another member than the text may well
// have one.
void zero_numbers(std::string& json);

}  // namespace inkstone
