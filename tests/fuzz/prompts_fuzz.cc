// A file of prompts. Law: every line that is not blank gives a prompt or is reported, once.
#include "cli/prompts_file.h"

#include <algorithm>
#include <map>

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0) return 0;
  const std::string_view text = fuzz::as_text(data + 1, size - 1);
  const cli::PromptsFile file = cli::parse_prompts(text, data[0] % 2 == 1);
  std::map<int64_t, int> seen;
  for (const cli::PromptLine& line : file.prompts) ++seen[line.line];
  for (const cli::BadLine& line : file.bad) ++seen[line.line];
  int64_t number = 1;
  bool is_blank = true;
  for (const char c : text) {
    if (c != '\n') is_blank = false;
    if (c != '\n') continue;
    fuzz::require(seen[number++] == (is_blank ? 0 : 1), "a line is a prompt or reported, once");
    is_blank = true;
  }
  return 0;
}
