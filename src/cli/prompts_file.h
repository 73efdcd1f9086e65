// A file of prompts: a prompt per line, or JSON lines.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/message.h"

namespace inkstone::cli {

struct PromptLine {
  int64_t line = 0;  // its number, from 1
  std::string text;
};

// One that gives no prompt.
struct BadLine {
  int64_t line = 0;
  Message why;
};

struct PromptsFile {
  std::vector<PromptLine> prompts = {};
  std::vector<BadLine> bad = {};
  bool is_json = false;
  // Taken as text, this line is a JSON object with a prompt; 0: none is.
  int64_t object_line = 0;
};

// `text`: UTF-8, lines end in "\n"; blank ones count but are no prompts. The lines are JSON when
// `named_json` says so (what the file's name ends in), or when every one begins with "{" and one at
// least is an object. A JSON line is an object with the string "prompt", or (named_json) a string.
// What is not is bad, which is no reason to lose the others. Else every line is a prompt as it
// stands.
PromptsFile parse_prompts(std::string_view text, bool named_json);

// True for names that end in .jsonl, .ndjson or .json.
bool is_named_json(std::string_view path);

}  // namespace inkstone::cli
