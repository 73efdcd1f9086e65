// The file of what was typed before. Law: what was read and is written is read again as the same.
#include "cli/terminal/history.h"

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const auto texts = cli::parse_history(fuzz::as_text(data, size));
  std::string file;
  for (const std::string& text : texts) file += cli::format_history_line(text);
  fuzz::require(cli::parse_history(file) == texts, "parse(format(x)) == x");
  return 0;
}
