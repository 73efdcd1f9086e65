// Decompresses gzip and verifies its checksums, which libarchive 3.6.2 does not.
#pragma once

#include <cstddef>
#include <memory>

#include "corpus/read/byte_source.h"

namespace inkstone {

class GzipStream {
 public:
  // `compressed` gives one gzip file or several, one after the other (as pigz and bgzip write
  // them).
  explicit GzipStream(ReadBytes compressed);
  GzipStream(GzipStream&&) noexcept;
  ~GzipStream();

  // The next bytes, at most `size_bytes`; 0 at the end. Throws kInvalidData, after all that could
  // be decompressed, for damaged, truncated or other bytes; zeros after the end are padding.
  size_t read_some(char* out, size_t size_bytes);

 private:
  struct Input;
  std::unique_ptr<Input> input_;
};

}  // namespace inkstone
