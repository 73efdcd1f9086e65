// What a person types in `chat`: texts of one or several lines, and commands.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace inkstone::cli {

// A text that is being typed, line by line. It goes on where a line ends with a backslash, and from
// three quotation marks (", or the full-width or curly ones that input methods write) at its
// beginning to three at the end of a line.
class TypedText {
 public:
  // Adds a line, or the several of something pasted.
  void add(std::string_view line);

  bool is_whole() const;
  // What is meant: without quotation marks and backslashes, and without the line ends beside the
  // marks.
  std::string meaning() const;
  // Between quotation marks a text is no command, whatever it begins with.
  bool is_quoted() const { return !opening_.empty(); }
  // As it can be typed at once, for the history.
  const std::string& typed() const { return typed_; }

 private:
  std::string_view unquoted() const;

  std::string typed_, opening_;
  bool goes_on_ = false;  // typed_ ends with the backslash
};

struct ChatCommand {
  std::string name;  // "help"
  std::string rest;  // what follows the blanks behind it, as it was typed
};

// A command begins with a slash, also the full-width one; its name may be full-width or in
// capitals, and a full-width blank is one too. nullopt: a text.
std::optional<ChatCommand> parse_command(std::string_view text);

// The first word, and what follows the blanks behind it.
std::pair<std::string, std::string> split_word(std::string_view text);

// Full-width letters, digits and signs as those of ASCII, capitals as small letters
// (NFKC_Casefold).
std::string in_plain_letters(std::string_view text);

}  // namespace inkstone::cli
