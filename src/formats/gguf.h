// GGUF, the file format of ggml and llama.cpp: metadata and named tensors in one file. Source:
// https://github.com/ggml-org/ggml/blob/master/docs/gguf.md.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/weight_type.h"

namespace inkstone {

// The type of a value, by the file's numbers.
enum class GgufType : uint32_t {
  kU8,
  kI8,
  kU16,
  kI16,
  kU32,
  kI32,
  kF32,
  kBool,
  kString,
  kArray,
  kU64,
  kI64,
  kF64,
};

// "uint8", "string", "array", ...
std::string_view name(GgufType type);

// A value as the file holds it, checked; a view into the file's bytes.
struct GgufValue {
  GgufType type = GgufType::kU8;
  std::string_view bytes;  // what follows the number of the type
};

// Passes the elements of a value of type kArray, which may be arrays themselves.
void for_each_element(const GgufValue& array, const std::function<void(const GgufValue&)>& take);
// nullopt: a value of another type. An integer may be of any width; one above 2^63 - 1 is none.
std::optional<int64_t> integer_of(const GgufValue& value);
std::optional<double> number_of(const GgufValue& value);  // kF32 or kF64
std::optional<bool> boolean_of(const GgufValue& value);
std::optional<std::string_view> string_of(const GgufValue& value);  // any bytes, not always UTF-8

struct GgufField {
  std::string_view key;
  GgufValue value;
};

// One tensor, a view into the file's bytes.
struct GgufTensor {
  std::string_view name;
  // Row-major, the last index fastest: the file has the sizes the other way round. A product's
  // matrix is [out, in].
  std::vector<int64_t> shape;
  uint32_t type_number = 0;               // ggml's
  std::optional<WeightType> type;         // nullopt: not one of ours
  std::span<const std::byte> bytes = {};  // of the shape; empty where `type` is nullopt
};

// The tensor's type; throws kUnsupported, naming tensor and type, when it is not one of ours.
WeightType weight_type(const GgufTensor& tensor);

// ggml's number of a type.
uint32_t ggml_type(WeightType type);

// What a file of version 2 or 3 says. Memory is ten times that of the header at most, and nothing
// of the data is read. Throws kInvalidData on: another magic number, a file that is cut short (how
// many bytes it has and should have), a length or count beyond the file, a type that is none,
// arrays nested deeper than 8 levels, a boolean that is neither 0 nor 1, a key or name that is
// empty, not UTF-8 or there twice, an alignment that is not a power of two from 8 on, more than 4
// dimensions, a shape that does not fit its type's blocks, an offset that is not aligned, and
// tensors that overlap or lie outside the file. Throws kUnsupported on version 1, on later versions
// and on files of machines with the other byte order. Bytes that belong to no tensor are allowed.
class Gguf {
 public:
  explicit Gguf(std::string_view file_bytes);

  uint32_t version() const { return version_; }
  // In the file's order.
  const std::vector<GgufField>& fields() const { return fields_; }
  const std::vector<GgufTensor>& tensors() const { return tensors_; }

  // nullptr when there is none.
  const GgufValue* find(std::string_view key) const;
  const GgufTensor* find_tensor(std::string_view name) const;
  // Throws kInvalidData naming the tensor if absent.
  const GgufTensor& tensor(std::string_view name) const;

  // The value under a key; nullopt: there is none. Throw kInvalidData when it is of another type,
  // or lies outside [low, high]: "'gpt2.block_count' is 0, expected 1 to 1000".
  std::optional<int64_t> get_integer(std::string_view key, int64_t low, int64_t high) const;
  std::optional<double> get_number(std::string_view key) const;
  std::optional<bool> get_boolean(std::string_view key) const;
  std::optional<std::string_view> get_string(std::string_view key) const;
  std::optional<std::vector<int64_t>> get_integers(std::string_view key) const;
  std::optional<std::vector<std::string_view>> get_strings(std::string_view key) const;

 private:
  uint32_t version_ = 0;
  std::vector<GgufField> fields_;
  std::vector<GgufTensor> tensors_;
  std::map<std::string_view, size_t> field_places_, tensor_places_;
};

// A mapped file; what it says stays valid as long as the object lives. Errors of the constructor
// name the file.
class GgufFile {
 public:
  explicit GgufFile(const std::filesystem::path& path);

  const Gguf& content() const { return content_; }
  // As MappedFile::release.
  void release() const { file_.release(); }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  Gguf content_;
};

// True when the file begins as a GGUF file does, of whatever version.
bool is_gguf(const std::filesystem::path& path);

// A value to be written: `bytes` follow the number of the type.
struct GgufEntry {
  std::string key;
  GgufType type = GgufType::kU8;
  std::string bytes = {};
};
GgufEntry gguf_u32(std::string key, uint32_t value);
GgufEntry gguf_f32(std::string key, float value);
GgufEntry gguf_bool(std::string key, bool value);
GgufEntry gguf_string(std::string key, std::string_view value);
GgufEntry gguf_strings(std::string key, std::span<const std::string> values);
GgufEntry gguf_i32s(std::string key, std::span<const int32_t> values);

// Takes the next bytes of a tensor.
using GgufSink = std::function<void(std::span<const std::byte> bytes)>;

// A tensor to be written.
struct GgufTensorToWrite {
  std::string name;
  WeightType type = WeightType::kF32;
  std::vector<int64_t> shape;  // row-major; the last size is a whole number of the type's blocks
  // Passes all bytes of the shape on, in order and in parts of any size. Called once, when the
  // tensors before it are written: a caller that converts holds one tensor at a time.
  std::function<void(const GgufSink& sink)> write;
};

// Writes a file of version 3 atomically: metadata and tensors in the order given, tensors at
// multiples of 32 bytes. The same arguments give the same bytes.
void write_gguf(const std::filesystem::path& path, std::span<const GgufEntry> metadata,
                std::span<const GgufTensorToWrite> tensors);

}  // namespace inkstone
