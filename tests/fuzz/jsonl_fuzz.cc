// JSON lines, arrays and sequences of values, not in containers: those are archive_fuzz's. The
// first byte picks the framing.
#include "corpus/read/archive.h"
#include "fuzz_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0 || !container_name(fuzz::as_text(data + 1, size - 1)).empty()) return 0;
  const auto format = data[0] % 2 == 0 ? InputFormat::kJsonLines : InputFormat::kJson;
  fuzz::read_all(fuzz::as_text(data + 1, size - 1),
                 {.format = format, .json_field = "a.text", .encoding = "UTF-8"});
  return 0;
}
