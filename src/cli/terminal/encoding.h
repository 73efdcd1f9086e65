// The encoding of the terminal: what is typed becomes UTF-8, and what is shown leaves it.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

namespace inkstone::cli {

// Takes the characters of the user's locale (LC_ALL, LC_CTYPE, LANG). Where it is not installed, or
// is C or POSIX, whose only characters are ASCII: C.UTF-8.
void use_locale();

// The encoding of the locale taken, such as "UTF-8" or "GBK". ASCII, where even C.UTF-8 is
// missing, counts as UTF-8.
std::string locale_encoding();

// The name of the locale that the user asked for and the system does not have, when it names
// another encoding than UTF-8.
std::optional<std::string> missing_locale();

class Encoding {
 public:
  // By a name that ICU knows; kUnsupported else.
  explicit Encoding(const std::string& name);
  ~Encoding();

  // UTF-8 in the encoding; what that lacks is '?'.
  std::string encode(std::string_view utf8);
  // Whether encode() met such characters since the last call.
  bool take_unencodable();

  // The characters that these bytes complete, as UTF-8; the beginning of one is kept for the next
  // call. Bytes that are no character become U+FFFD.
  std::string decode(std::string_view bytes);
  // Whether decode() met such bytes since the last call.
  bool take_undecodable();

  const std::string& name() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone::cli
