#include "formats/safetensors.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <set>

#include "base/check.h"
#include "base/error.h"
#include "base/lfs_pointer.h"
#include "base/json.h"
#include "formats/little_endian.h"
#include "formats/safetensors_header.h"

namespace inkstone {
namespace {

// Source: https://github.com/huggingface/safetensors, README "Format" and tensor.rs.
constexpr uint64_t kLengthBytes = 8, kMaxHeaderBytes = 100'000'000;

using Entry = SafetensorsHeader::Entry;
using NamedEntry = std::pair<const std::string, Entry>;

// The JSON text of a file; the data follow it.
std::string_view header_text(std::string_view file) {
  if (file.size() < kLengthBytes) {
    fail(ErrorCode::kInvalidData,
         "not a safetensors file: {} bytes, expected at least 8 for the header's length",
         file.size());
  }
  const auto length = load_little_endian<uint64_t>(file.data());
  if (length > kMaxHeaderBytes) {
    fail(ErrorCode::kInvalidData,
         "not a safetensors file: a header of {} bytes, at most {} is allowed", length,
         kMaxHeaderBytes);
  }
  if (length > file.size() - kLengthBytes) {
    fail(ErrorCode::kInvalidData,
         "the file has {} bytes, expected at least {}, which its header fills: it is cut short",
         file.size(), kLengthBytes + length);
  }
  const std::string_view text = file.substr(kLengthBytes, length);
  if (!text.starts_with('{')) {
    fail(ErrorCode::kInvalidData, "not a safetensors file: its header does not start with '{{'");
  }
  return text;
}

int64_t checked_size_bytes(const NamedEntry& named) {
  const Entry& entry = named.second;
  int64_t bytes = size_bytes(entry.dtype);
  for (const int64_t size : entry.shape) {
    if (__builtin_mul_overflow(bytes, size, &bytes)) {
      fail(ErrorCode::kInvalidData, "tensor '{}': shape [{}] is too large", named.first,
           fmt::join(entry.shape, ", "));
    }
  }
  return bytes;
}

void check_size(const NamedEntry& named) {
  const auto& [name, entry] = named;
  const int64_t expected = checked_size_bytes(named);
  if (entry.begin > entry.end || entry.end - entry.begin != expected) {
    fail(ErrorCode::kInvalidData,
         "tensor '{}': data_offsets [{}, {}), expected {} bytes for {} of shape [{}]", name,
         entry.begin, entry.end, expected, safetensors_name(entry.dtype),
         fmt::join(entry.shape, ", "));
  }
}

// Every byte of the data belongs to exactly one tensor. Returns their number.
int64_t check_coverage(const std::vector<const NamedEntry*>& by_offset) {
  int64_t end = 0;
  const NamedEntry* previous = nullptr;
  for (const NamedEntry* named : by_offset) {
    const auto& [name, entry] = *named;
    if (entry.begin < end) {
      fail(ErrorCode::kInvalidData, "tensor '{}': bytes [{}, {}) overlap those of '{}', [{}, {})",
           name, entry.begin, entry.end, previous->first, previous->second.begin, end);
    }
    if (entry.begin > end) {
      fail(ErrorCode::kInvalidData,
           "bytes [{}, {}) of the data, before tensor '{}', belong to none", end, entry.begin,
           name);
    }
    end = entry.end;
    previous = named;
  }
  return end;
}

void check_data_size(const std::vector<const NamedEntry*>& by_offset, int64_t described,
                     std::string_view file, int64_t data_begin) {
  const auto file_bytes = static_cast<int64_t>(file.size()), data_bytes = file_bytes - data_begin;
  if (data_bytes > described) {
    fail(ErrorCode::kInvalidData,
         "the file has {} bytes, its header describes {}: {} at the end belong to no tensor",
         file_bytes, data_begin + described, data_bytes - described);
  }
  if (data_bytes == described) return;
  const auto cut = std::ranges::find_if(
      by_offset, [&](const NamedEntry* named) { return named->second.end > data_bytes; });
  // `described` may be anything up to 2^63 - 1: the sum is taken without a sign.
  fail(ErrorCode::kInvalidData,
       "the file has {} bytes, its header describes {}: it is cut short, from tensor '{}' on",
       file_bytes, static_cast<uint64_t>(data_begin) + static_cast<uint64_t>(described),
       (*cut)->first);
}

std::string json_string(std::string_view text) {
  return Json(text).dump(-1, ' ', false, Json::error_handler_t::replace);
}

int64_t stored_bytes(const TensorToStore& tensor) {
  int64_t bytes = size_bytes(tensor.dtype);
  for (const int64_t size : tensor.shape) {
    INK_CHECK(size >= 0 && !__builtin_mul_overflow(bytes, size, &bytes),
              "shape of a tensor to store");
  }
  return bytes;
}

std::string header_of(std::span<const TensorToStore> tensors,
                      const std::map<std::string, std::string>& metadata) {
  std::string header = "{";
  if (!metadata.empty()) {
    std::vector<std::string> members;
    for (const auto& [key, value] : metadata)
      members.push_back(json_string(key) + ":" + json_string(value));
    header += fmt::format("\"__metadata__\":{{{}}}", fmt::join(members, ","));
  }
  std::set<std::string> names = {json_string("__metadata__")};
  int64_t begin = 0;
  for (const TensorToStore& tensor : tensors) {
    const std::string name = json_string(tensor.name);
    INK_CHECK(names.insert(name).second, "a tensor's name is stored twice or reserved");
    const int64_t end = begin + stored_bytes(tensor);
    header += fmt::format("{}{}:{{\"dtype\":\"{}\",\"shape\":[{}],\"data_offsets\":[{},{}]}}",
                          header.size() > 1 ? "," : "", name, safetensors_name(tensor.dtype),
                          fmt::join(tensor.shape, ","), begin, end);
    begin = end;
  }
  header += "}";
  header.append((8 - header.size() % 8) % 8, ' ');
  INK_CHECK(header.size() <= kMaxHeaderBytes, "header too long for a safetensors file");
  return header;
}

template <typename T, typename ToFloat>
void convert(std::span<const std::byte> bytes, std::span<float> out, ToFloat to_f32) {
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = to_f32(load_little_endian<T>(bytes.data() + i * sizeof(T)));
  }
}

}  // namespace

void parse_safetensors(std::string_view file_bytes,
                       std::map<std::string, StoredTensor, std::less<>>& tensors,
                       std::map<std::string, std::string, std::less<>>& metadata) {
  const std::string_view text = header_text(file_bytes);
  SafetensorsHeader header = parse_safetensors_header(text);
  std::vector<const NamedEntry*> by_offset;
  for (const NamedEntry& named : header.tensors) {
    check_size(named);
    by_offset.push_back(&named);
  }
  std::ranges::sort(by_offset, {}, [](const NamedEntry* named) {
    return std::pair(named->second.begin, named->second.end);
  });
  const auto data_begin = static_cast<int64_t>(kLengthBytes + text.size());
  check_data_size(by_offset, check_coverage(by_offset), file_bytes, data_begin);

  const auto* data = reinterpret_cast<const std::byte*>(file_bytes.data()) + data_begin;
  tensors.clear();
  for (auto& [name, entry] : header.tensors) {
    const auto size = static_cast<size_t>(entry.end - entry.begin);
    tensors.emplace(name,
                    StoredTensor{entry.dtype, std::move(entry.shape), {data + entry.begin, size}});
  }
  metadata = std::move(header.metadata);
}

SafetensorsFile::SafetensorsFile(const std::filesystem::path& path) : file_(path) {
  refuse_lfs_pointer(path, file_.text());
  with_context(message("reading '{}'", path.string()),
               [&] { parse_safetensors(file_.text(), tensors_, metadata_); });
}

const StoredTensor& SafetensorsFile::at(std::string_view name) const {
  const auto found = tensors_.find(name);
  if (found == tensors_.end()) {
    fail(ErrorCode::kMismatch, "'{}' has no tensor '{}'", path().string(), name);
  }
  return found->second;
}

void write_safetensors(const std::filesystem::path& path, std::span<const TensorToStore> tensors,
                       const std::map<std::string, std::string>& metadata) {
  const std::string header = header_of(tensors, metadata);
  std::string start;
  append_little_endian(start, uint64_t{header.size()});
  start += header;
  AtomicFile file(path);
  file.write(start);
  for (const TensorToStore& tensor : tensors) {
    file.write(tensor.data, static_cast<size_t>(stored_bytes(tensor)));
  }
  file.commit();
}

void copy_as_f32(const StoredTensor& tensor, std::span<float> out) {
  INK_CHECK(tensor.bytes.size() == out.size() * static_cast<size_t>(size_bytes(tensor.dtype)),
            "destination of another size than the stored tensor");
  switch (tensor.dtype) {
    case DType::kF32:
      if (!out.empty()) std::memcpy(out.data(), tensor.bytes.data(), out.size_bytes());
      return;
    case DType::kBF16: return convert<bf16>(tensor.bytes, out, to_float);
    case DType::kF16: return convert<uint16_t>(tensor.bytes, out, half_to_float);
    case DType::kF64:
      return convert<double>(tensor.bytes, out, [](double x) { return static_cast<float>(x); });
    default:
      fail(ErrorCode::kUnsupported, "elements are {}, expected F32, BF16, F16 or F64",
           safetensors_name(tensor.dtype));
  }
}

}  // namespace inkstone
