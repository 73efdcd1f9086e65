// JSON lines, arrays and sequences of values. The first byte picks the framing.
#include "fuzz_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0) return 0;
  const auto format = data[0] % 2 == 0 ? InputFormat::kJsonLines : InputFormat::kJson;
  fuzz::read_all(fuzz::as_text(data + 1, size - 1), {.format = format, .json_field = "a.text", .encoding = "UTF-8"});
  return 0;
}
