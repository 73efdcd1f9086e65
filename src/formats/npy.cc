#include "formats/npy.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <string>

#include "base/check.h"
#include "base/file.h"
#include "formats/little_endian.h"

namespace inkstone {
namespace {

constexpr size_t kAlignmentBytes = 64;  // of the data in the file, so that it can be mapped

// The header as NumPy writes it, byte for byte: it leaves room for a first size of 21 digits, so
// that an array can grow in place.
std::string header_of(const std::vector<int64_t>& shape) {
  const std::string sizes = fmt::format("({}{})", fmt::join(shape, ", "),
                                        shape.size() == 1 ? "," : "");
  std::string header = "{'descr': '<f4', 'fortran_order': False, 'shape': " + sizes + ", }";
  if (!shape.empty()) header.append(21 - std::to_string(shape[0]).size(), ' ');
  const size_t prefix_bytes = 10, with_newline = prefix_bytes + header.size() + 1;
  header.append(kAlignmentBytes - with_newline % kAlignmentBytes, ' ');
  header += '\n';
  INK_CHECK(header.size() <= UINT16_MAX, "too many dimensions for .npy 1.0");
  return header;
}

}  // namespace

void write_npy(const std::filesystem::path& path, std::span<const float> data,
               const std::vector<int64_t>& shape) {
  int64_t count = 1;
  for (const int64_t size : shape) {
    INK_CHECK(size >= 0 && !__builtin_mul_overflow(count, size, &count), "shape of an array");
  }
  INK_CHECK(count == static_cast<int64_t>(data.size()), "an array's shape does not fit its data");
  const std::string header = header_of(shape);
  std::string start = "\x93NUMPY";
  start += {'\x01', '\x00'};
  append_little_endian(start, static_cast<uint16_t>(header.size()));
  AtomicFile file(path);
  file.write(start + header);
  file.write(data.data(), data.size_bytes());
  file.commit();
}

}  // namespace inkstone
