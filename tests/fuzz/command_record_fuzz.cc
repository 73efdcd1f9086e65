// RUN/command.json on any bytes. Law: what was read and is written is read again as the same.
#include "cli/command_record.h"

#include <nlohmann/json.hpp>

#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  cli::CommandRecord read;
  const auto parse = [&] {
    read = cli::command_record_from_json(parse_json(fuzz::as_text(data, size)));
  };
  if (!fuzz::accepts(parse)) return 0;
  const Json written = parse_json(cli::to_json(read).dump());
  fuzz::require(cli::command_record_from_json(written) == read, "from_json(to_json(x)) == x");
  return 0;
}
