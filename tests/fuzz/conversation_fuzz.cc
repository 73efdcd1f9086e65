// A saved conversation. Law: what was read and is saved is read again as the same.
#include "cli/conversation_file.h"

#include <algorithm>

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  std::vector<Conversation::Turn> turns;
  const auto read = [&] { turns = cli::parse_conversation(fuzz::as_text(data, size)); };
  if (!fuzz::accepts(read)) return 0;
  const auto again = cli::parse_conversation(cli::format_conversation(turns));
  const auto same = [](const Conversation::Turn& a, const Conversation::Turn& b) {
    return a.user == b.user && a.reply == b.reply;
  };
  fuzz::require(std::ranges::equal(again, turns, same), "parse(format(x)) == x");
  return 0;
}
