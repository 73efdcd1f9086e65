// Compressed files and archives, and whatever else a file may be.
#include "fuzz_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  inkstone::fuzz::read_all(inkstone::fuzz::as_text(data, size), {});
  return 0;
}
