// Conversations as `chat` saves them: docs/command_line.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inkstone/generator.h"

namespace inkstone::cli {

std::string format_conversation(const std::vector<Conversation::Turn>& turns);

// For reading: what the user wrote with what the model made of it, and a line end behind each turn.
// Valid UTF-8: what is no character in it is U+FFFD.
std::string plain_conversation(const std::vector<Conversation::Turn>& turns);

// Throws kInvalidData on what is not a saved conversation.
std::vector<Conversation::Turn> parse_conversation(std::string_view json);

}  // namespace inkstone::cli
