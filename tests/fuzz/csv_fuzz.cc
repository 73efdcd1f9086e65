// Tables, not in containers: those are archive_fuzz's, and small ones may hold megabytes. The first
// byte picks the delimiter and how the column is named.
#include "corpus/read/archive.h"
#include "fuzz_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0 || !container_name(fuzz::as_text(data + 1, size - 1)).empty()) return 0;
  const ReadOptions options{.format = data[0] % 2 == 0 ? InputFormat::kCsv : InputFormat::kTsv,
                            .csv_column = data[0] % 4 < 2 ? "text" : "2",
                            .csv_header = data[0] % 8 < 4,
                            .encoding = "UTF-8"};
  fuzz::read_all(fuzz::as_text(data + 1, size - 1), options);
  return 0;
}
