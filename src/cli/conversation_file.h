// Conversations as `chat` saves them: docs/command_line.md.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "inkstone/generator.h"

namespace inkstone::cli {

std::string format_conversation(const std::vector<Conversation::Turn>& turns);

// Throws kInvalidData on what is not a saved conversation.
std::vector<Conversation::Turn> parse_conversation(std::string_view json);

}  // namespace inkstone::cli
