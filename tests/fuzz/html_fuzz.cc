// Pages, with the encodings that they declare.
#include "fuzz_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  inkstone::fuzz::read_all(inkstone::fuzz::as_text(data, size),
                           {.format = inkstone::InputFormat::kHtml});
  return 0;
}
