// Names of files and members, byte by byte.
#pragma once

#include <string>
#include <string_view>

namespace inkstone {

// ASCII letters alone.
std::string lower_case(std::string_view text);

// "a%20b" is "a b"; a "%" that begins no escape stays.
std::string percent_decoded(std::string_view text);

// True if `a` stands before `b` where numbers in names count as numbers: "ch2" before "ch10". Names
// that differ in nothing else are ordered by their bytes.
bool natural_less(std::string_view a, std::string_view b);

}  // namespace inkstone
