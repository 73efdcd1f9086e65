// The safetensors format: named tensors in one file. Layout: docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "tensor/dtype.h"

namespace inkstone {

// One tensor of a mapped file; `bytes` stays valid as long as the file object lives.
struct StoredTensor {
  DType dtype;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;
};

// A mapped, fully checked safetensors file. The constructor throws kInvalidData, naming the file,
// on: a header length beyond the file or above 100 MB, invalid JSON, an unknown dtype, a negative
// or overflowing shape, offsets outside the data, a size that does not match dtype and shape,
// overlaps, holes, or a data section that does not end with the file (a truncated file says how
// many bytes it has and how many it should have).
class SafetensorsFile {
 public:
  explicit SafetensorsFile(const std::filesystem::path& path);

  const std::map<std::string, StoredTensor, std::less<>>& tensors() const { return tensors_; }
  const std::map<std::string, std::string, std::less<>>& metadata() const { return metadata_; }
  // Throws kMismatch naming the file and the tensor if absent.
  const StoredTensor& at(std::string_view name) const;
  bool contains(std::string_view name) const { return tensors_.find(name) != tensors_.end(); }
  const std::filesystem::path& path() const { return file_.path(); }
  // Lets the system take back the memory of what was read so far.
  void release() const { file_.release(); }

 private:
  MappedFile file_;
  std::map<std::string, StoredTensor, std::less<>> tensors_;
  std::map<std::string, std::string, std::less<>> metadata_;
};

// Checks a header and its data without a file: what SafetensorsFile does after mapping (and the
// fuzz target).
void parse_safetensors(std::string_view file_bytes,
                       std::map<std::string, StoredTensor, std::less<>>& tensors,
                       std::map<std::string, std::string, std::less<>>& metadata);

// A tensor to be written.
struct TensorToStore {
  std::string name;
  DType dtype;
  std::vector<int64_t> shape;
  const void* data;  // contiguous, row-major
};

// Writes atomically; tensors in the order given (sorted by alignment is the caller's choice),
// header padded with spaces to a multiple of 8. `metadata` should hold {"format": "pt"}, which
// Transformers asks for.
void write_safetensors(const std::filesystem::path& path, std::span<const TensorToStore> tensors,
                       const std::map<std::string, std::string>& metadata);

// Elements of a float tensor (F32, F16, BF16 or F64) converted to float32 into out (count
// elements). Throws kUnsupported on other types.
void copy_as_f32(const StoredTensor& tensor, std::span<float> out);

}  // namespace inkstone
