// formats/safetensors on a header, and, behind the first zero byte, the data. Law: the bytes of
// every tensor lie inside the data and are those of its shape.
#include <map>
#include <string>

#include "formats/safetensors.h"
#include "formats/safetensors_header.h"
#include "fuzz.h"

namespace inkstone {
namespace {

std::string file_of(std::string_view header, std::string_view data) {
  std::string file;
  for (int shift = 0; shift < 64; shift += 8)
    file += static_cast<char>((uint64_t{header.size()} >> shift) & 0xFF);
  return file.append(header).append(data);
}

void check(const StoredTensor& tensor) {
  uint8_t sum = 0;
  for (const std::byte byte : tensor.bytes) sum ^= static_cast<uint8_t>(byte);
  volatile uint8_t seen = sum;  // that every byte was read
  (void)seen;
  int64_t count = 1;
  for (const int64_t size : tensor.shape) count *= size;
  fuzz::require(
      count >= 0 && tensor.bytes.size() % (count == 0 ? 1 : static_cast<size_t>(count)) == 0,
      "a tensor has the bytes of its shape");
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view text = fuzz::as_text(data, size), header = text.substr(0, text.find('\0'));
  const std::string file = file_of(header, text.substr(std::min(header.size() + 1, text.size())));
  fuzz::accepts([&] { parse_safetensors_header(header); });
  std::map<std::string, StoredTensor, std::less<>> tensors;
  std::map<std::string, std::string, std::less<>> metadata;
  for (const std::string_view bytes : {std::string_view(file), text}) {
    tensors.clear(), metadata.clear();
    if (!fuzz::accepts([&] { parse_safetensors(bytes, tensors, metadata); })) continue;
    for (const auto& [name, tensor] : tensors) check(tensor);
  }
  return 0;
}
