// Which language the program speaks.
#pragma once

#include <functional>
#include <string>
#include <vector>

namespace inkstone::cli {

// The value of an environment variable; null when it is not set.
using Environment = std::function<const char*(const char* name)>;

// What the environment says, by gettext's rules: the locale of messages is the first of LC_ALL,
// LC_MESSAGES and LANG that is set and not empty; it is C where none is, and C and POSIX are
// English. Else LANGUAGE, if it is set, lists languages, of which the first that there is counts,
// and if it is not, the locale's own language does. "zh_CN.UTF-8", "zh_TW" and "zh" are zh. Whether
// the system has the locale does not matter. English where nothing fits.
std::string language_of(const Environment& environment);

// Takes `--lang NAME` and `--lang=NAME` out of the words of a command, wherever they stand before
// "--", and returns the last NAME; "" where there is none. Throws kUsage for one without a name.
std::string take_language(std::vector<std::string>& words);

}  // namespace inkstone::cli
