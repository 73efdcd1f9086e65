// RUN/run.json on any bytes. Law: what was read and written is read again as the same.
#include <nlohmann/json.hpp>

#include "fuzz.h"
#include "train/options.h"
#include "train/run_folder.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  RunDescription read;
  if (!fuzz::accepts(
          [&] { read = run_description_from_json(parse_json(fuzz::as_text(data, size))); })) {
    return 0;
  }
  const Json written = to_json(read);
  fuzz::require(to_json(run_description_from_json(parse_json(written.dump()))) == written,
                "to_json(from_json(to_json(x))) == to_json(x)");
  try {
    validate(read.options);
  } catch (const Error& error) {
    fuzz::require(error.code() == ErrorCode::kUsage, error.what());
  }
  return 0;
}
