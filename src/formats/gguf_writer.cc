// Writing GGUF.
#include <algorithm>
#include <array>
#include <set>

#include "base/check.h"
#include "formats/gguf.h"
#include "formats/little_endian.h"

namespace inkstone {
namespace {

constexpr uint32_t kGgufVersion = 3;
constexpr uint64_t kGgufAlignment = 32;

void append_string(std::string& to, std::string_view text) {
  append_little_endian(to, uint64_t{text.size()});
  to += text;
}

template <typename T>
GgufEntry number_entry(std::string key, GgufType type, T value) {
  GgufEntry entry{.key = std::move(key), .type = type};
  append_little_endian(entry.bytes, value);
  return entry;
}

GgufEntry array_entry(std::string key, GgufType type, size_t count) {
  GgufEntry entry = number_entry(std::move(key), GgufType::kArray, static_cast<uint32_t>(type));
  append_little_endian(entry.bytes, uint64_t{count});
  return entry;
}

uint64_t bytes_of(const GgufTensorToWrite& tensor) {
  int64_t bytes = row_bytes(tensor.type, tensor.shape.empty() ? 1 : tensor.shape.back());
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) {
    INK_CHECK(!__builtin_mul_overflow(bytes, tensor.shape[i], &bytes), "shape of a tensor");
  }
  INK_CHECK(bytes >= 0, "shape of a tensor");
  return static_cast<uint64_t>(bytes);
}

uint64_t aligned(uint64_t bytes) {
  return (bytes + kGgufAlignment - 1) / kGgufAlignment * kGgufAlignment;
}

void pad(std::string& header) { header.resize(aligned(header.size()), '\0'); }

std::string gguf_header(std::span<const GgufEntry> metadata,
                        std::span<const GgufTensorToWrite> tensors) {
  std::string header = "GGUF";
  append_little_endian(header, kGgufVersion);
  append_little_endian(header, uint64_t{tensors.size()});
  append_little_endian(header, uint64_t{metadata.size()});
  for (const GgufEntry& entry : metadata) {
    append_string(header, entry.key);
    append_little_endian(header, static_cast<uint32_t>(entry.type));
    header += entry.bytes;
  }
  uint64_t offset = 0;
  for (const GgufTensorToWrite& tensor : tensors) {
    append_string(header, tensor.name);
    append_little_endian(header, static_cast<uint32_t>(tensor.shape.size()));
    for (auto size = tensor.shape.rbegin(); size != tensor.shape.rend(); ++size)
      append_little_endian(header, *size);
    append_little_endian(header, ggml_type(tensor.type));
    append_little_endian(header, offset);
    offset += aligned(bytes_of(tensor));
  }
  pad(header);
  return header;
}

void write_tensor(AtomicFile& file, const GgufTensorToWrite& tensor) {
  const uint64_t expected = bytes_of(tensor);
  uint64_t written = 0;
  tensor.write([&](std::span<const std::byte> bytes) {
    file.write(bytes.data(), bytes.size());
    written += bytes.size();
  });
  INK_CHECK(written == expected, "a tensor has other bytes than those of its shape");
  constexpr std::array<char, kGgufAlignment> kZeros{};
  file.write(kZeros.data(), aligned(written) - written);
}

template <typename Named>
void check_names(std::span<const Named> list, std::string Named::*name) {
  std::set<std::string_view> seen;
  for (const Named& one : list) {
    INK_CHECK(!(one.*name).empty() && seen.insert(one.*name).second,
              "a name is empty or there twice");
  }
}

}  // namespace

GgufEntry gguf_u32(std::string key, uint32_t value) {
  return number_entry(std::move(key), GgufType::kU32, value);
}

GgufEntry gguf_f32(std::string key, float value) {
  return number_entry(std::move(key), GgufType::kF32, value);
}

GgufEntry gguf_bool(std::string key, bool value) {
  return number_entry(std::move(key), GgufType::kBool, uint8_t{value});
}

GgufEntry gguf_string(std::string key, std::string_view value) {
  GgufEntry entry{.key = std::move(key), .type = GgufType::kString};
  append_string(entry.bytes, value);
  return entry;
}

GgufEntry gguf_strings(std::string key, std::span<const std::string> values) {
  GgufEntry entry = array_entry(std::move(key), GgufType::kString, values.size());
  for (const std::string& value : values) append_string(entry.bytes, value);
  return entry;
}

GgufEntry gguf_i32s(std::string key, std::span<const int32_t> values) {
  GgufEntry entry = array_entry(std::move(key), GgufType::kI32, values.size());
  for (const int32_t value : values) append_little_endian(entry.bytes, value);
  return entry;
}

void write_gguf(const std::filesystem::path& path, std::span<const GgufEntry> metadata,
                std::span<const GgufTensorToWrite> tensors) {
  check_names(metadata, &GgufEntry::key);
  check_names(tensors, &GgufTensorToWrite::name);
  const std::string header = gguf_header(metadata, tensors);
  AtomicFile file(path);
  file.write(header);
  for (const GgufTensorToWrite& tensor : tensors) write_tensor(file, tensor);
  file.commit();
}

}  // namespace inkstone
