// Reading GGUF.
#include "formats/gguf.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <bit>
#include <fstream>

#include "base/check.h"
#include "base/error.h"
#include "base/lfs_pointer.h"
#include "base/utf8.h"
#include "formats/little_endian.h"

namespace inkstone {
namespace {

constexpr std::string_view kMagic = "GGUF";
constexpr uint64_t kDefaultAlignment = 32, kLeastAlignment = 8;
constexpr uint32_t kMaxDimensions = 4;
constexpr int kMaxNesting = 8;
// A key of one byte with a value of one; a name of one byte, no dimensions, type and offset.
constexpr uint64_t kLeastFieldBytes = 8 + 1 + 4 + 1, kLeastTensorBytes = 8 + 1 + 4 + 4 + 8;

constexpr std::array<std::string_view, 13> kTypeNames = {
    "uint8",   "int8",   "uint16", "int16",  "uint32", "int32",  "float32",
    "boolean", "string", "array",  "uint64", "int64",  "float64"};

// 0 where the size depends on the value.
constexpr uint64_t fixed_bytes(GgufType type) {
  switch (type) {
    case GgufType::kU8:
    case GgufType::kI8:
    case GgufType::kBool: return 1;
    case GgufType::kU16:
    case GgufType::kI16: return 2;
    case GgufType::kU32:
    case GgufType::kI32:
    case GgufType::kF32: return 4;
    case GgufType::kU64:
    case GgufType::kI64:
    case GgufType::kF64: return 8;
    case GgufType::kString:
    case GgufType::kArray: break;
  }
  return 0;
}

// Of an empty string its length, of an empty array type and count.
constexpr uint64_t least_bytes(GgufType type) {
  if (type == GgufType::kString) return 8;
  return type == GgufType::kArray ? 12 : fixed_bytes(type);
}

uint64_t saturating_product(uint64_t a, uint64_t b) {
  uint64_t result = 0;
  return __builtin_mul_overflow(a, b, &result) ? UINT64_MAX : result;
}

uint64_t saturating_sum(uint64_t a, uint64_t b) {
  uint64_t result = 0;
  return __builtin_add_overflow(a, b, &result) ? UINT64_MAX : result;
}

// A place in the bytes that moves on; nothing is taken that is not there.
class GgufCursor {
 public:
  explicit GgufCursor(std::string_view bytes) : bytes_(bytes) {}

  size_t at() const { return at_; }

  // Throws unless so many bytes are left.
  void require(uint64_t count) const {
    if (count <= bytes_.size() - at_) return;
    fail(ErrorCode::kInvalidData,
         "the file has {} bytes, expected at least {}: it is cut short or damaged", bytes_.size(),
         saturating_sum(at_, count));
  }

  std::string_view take(uint64_t count) {
    require(count);
    const std::string_view part = bytes_.substr(at_, count);
    at_ += count;
    return part;
  }

  template <typename T>
  T number() {
    return load_little_endian<T>(take(sizeof(T)).data());
  }

  std::string_view string() { return take(number<uint64_t>()); }

 private:
  std::string_view bytes_;
  size_t at_ = 0;
};

GgufType read_type(GgufCursor& in) {
  const auto number = in.number<uint32_t>();
  if (number >= kTypeNames.size()) {
    fail(ErrorCode::kInvalidData, "a value of type {}, expected 0 to {}", number,
         kTypeNames.size() - 1);
  }
  return static_cast<GgufType>(number);
}

void skip_array(GgufCursor& in, int depth);

// Passes over a value that lies in `depth` arrays.
void skip_value(GgufCursor& in, GgufType type, int depth) {
  if (type == GgufType::kArray) return skip_array(in, depth + 1);
  if (type == GgufType::kString) {
    in.string();
  } else if (type == GgufType::kBool) {
    const auto value = in.number<uint8_t>();
    if (value > 1) fail(ErrorCode::kInvalidData, "a boolean is {}, expected 0 or 1", value);
  } else {
    in.take(fixed_bytes(type));
  }
}

void skip_array(GgufCursor& in, int depth) {
  if (depth > kMaxNesting) {
    fail(ErrorCode::kInvalidData, "arrays are nested deeper than {} levels", kMaxNesting);
  }
  const GgufType type = read_type(in);
  const auto count = in.number<uint64_t>();
  in.require(saturating_product(count, least_bytes(type)));
  for (uint64_t i = 0; i < count; ++i) skip_value(in, type, depth);
}

// Throws unless the text can name something.
std::string_view checked_name(std::string_view text) {
  if (text.empty()) fail(ErrorCode::kInvalidData, "a name is empty");
  if (!is_valid_utf8(text)) {
    fail(ErrorCode::kInvalidData, "the name '{}' is not UTF-8", shown_text(text));
  }
  return text;
}

GgufField read_field(GgufCursor& in, std::string_view file) {
  const std::string_view key = checked_name(in.string());
  return with_context(message("'{}'", shown_text(key)), [&] {
    const GgufType type = read_type(in);
    const size_t begin = in.at();
    skip_value(in, type, 0);
    return GgufField{key, {type, file.substr(begin, in.at() - begin)}};
  });
}

// A tensor as the header describes it.
struct DescribedTensor {
  GgufTensor tensor;
  uint64_t offset = 0;          // in the data
  uint64_t begin = 0, end = 0;  // in the file
};

struct GgmlType {
  uint32_t number;
  std::string_view name;
  std::optional<WeightType> type;
};

// Source: ggml.h, enum ggml_type; numbers that are not there are not in use any more.
constexpr GgmlType kGgmlTypes[] = {{0, "F32", WeightType::kF32},
                                   {1, "F16", WeightType::kF16},
                                   {2, "Q4_0", WeightType::kQ4_0},
                                   {3, "Q4_1", WeightType::kQ4_1},
                                   {6, "Q5_0", WeightType::kQ5_0},
                                   {7, "Q5_1", WeightType::kQ5_1},
                                   {8, "Q8_0", WeightType::kQ8_0},
                                   {9, "Q8_1", {}},
                                   {10, "Q2_K", WeightType::kQ2_K},
                                   {11, "Q3_K", WeightType::kQ3_K},
                                   {12, "Q4_K", WeightType::kQ4_K},
                                   {13, "Q5_K", WeightType::kQ5_K},
                                   {14, "Q6_K", WeightType::kQ6_K},
                                   {15, "Q8_K", {}},
                                   {16, "IQ2_XXS", {}},
                                   {17, "IQ2_XS", {}},
                                   {18, "IQ3_XXS", {}},
                                   {19, "IQ1_S", {}},
                                   {20, "IQ4_NL", WeightType::kIQ4_NL},
                                   {21, "IQ3_S", {}},
                                   {22, "IQ2_S", {}},
                                   {23, "IQ4_XS", {}},
                                   {24, "I8", {}},
                                   {25, "I16", {}},
                                   {26, "I32", {}},
                                   {27, "I64", {}},
                                   {28, "F64", {}},
                                   {29, "IQ1_M", {}},
                                   {30, "BF16", WeightType::kBF16},
                                   {34, "TQ1_0", {}},
                                   {35, "TQ2_0", {}},
                                   {39, "MXFP4", {}},
                                   {40, "NVFP4", {}},
                                   {41, "Q1_0", {}}};

const GgmlType* ggml_type_of(uint32_t number) {
  const auto* at = std::ranges::find(kGgmlTypes, number, &GgmlType::number);
  return at == std::end(kGgmlTypes) ? nullptr : at;
}

Message type_text(uint32_t number) {
  const GgmlType* known = ggml_type_of(number);
  if (known == nullptr) return message("unknown type {}", number);
  return message("type {}", known->name);
}

// Sizes in the file's order, the fastest first.
std::vector<int64_t> read_shape(GgufCursor& in) {
  const auto dimensions = in.number<uint32_t>();
  if (dimensions > kMaxDimensions) {
    fail(ErrorCode::kInvalidData, "{} dimensions, expected at most {}", dimensions, kMaxDimensions);
  }
  std::vector<int64_t> shape(dimensions);
  for (int64_t& size : shape) {
    const auto stored = in.number<uint64_t>();
    if (stored > uint64_t{INT64_MAX}) {
      fail(ErrorCode::kInvalidData, "a dimension of {}, expected at most {}", stored, INT64_MAX);
    }
    size = static_cast<int64_t>(stored);
  }
  std::ranges::reverse(shape);
  return shape;
}

// Bytes of a tensor whose type is known.
uint64_t checked_bytes(const GgufTensor& tensor) {
  const WeightBlock block = block_of(*tensor.type);
  const int64_t row = tensor.shape.empty() ? 1 : tensor.shape.back();
  if (row % block.elements != 0) {
    fail(ErrorCode::kInvalidData, "rows of {} elements, expected a multiple of {} with {}", row,
         block.elements, type_text(tensor.type_number));
  }
  int64_t bytes = block.bytes;
  bool fits = !__builtin_mul_overflow(bytes, row / block.elements, &bytes);
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i)
    fits = fits && !__builtin_mul_overflow(bytes, tensor.shape[i], &bytes);
  if (!fits) {
    fail(ErrorCode::kInvalidData, "shape [{}] is too large", fmt::join(tensor.shape, ", "));
  }
  return static_cast<uint64_t>(bytes);
}

DescribedTensor read_tensor(GgufCursor& in, uint64_t alignment) {
  DescribedTensor described;
  GgufTensor& tensor = described.tensor;
  tensor.name = checked_name(in.string());
  with_context(message("tensor '{}'", shown_text(tensor.name)), [&] {
    tensor.shape = read_shape(in);
    tensor.type_number = in.number<uint32_t>();
    if (const GgmlType* known = ggml_type_of(tensor.type_number)) tensor.type = known->type;
    described.offset = in.number<uint64_t>();
    if (described.offset % alignment != 0) {
      fail(ErrorCode::kInvalidData, "offset {}, expected a multiple of {}", described.offset,
           alignment);
    }
    if (tensor.type) described.end = checked_bytes(tensor);
  });
  return described;
}

// Where a tensor of so many bytes (`end` until now) lies in the file.
void place_in_file(DescribedTensor& described, uint64_t data_begin) {
  described.begin = saturating_sum(data_begin, described.offset);
  described.end = saturating_sum(described.begin, described.end);
}

void check_file_size(const std::vector<DescribedTensor>& tensors, uint64_t file_bytes) {
  uint64_t described = 0;
  const DescribedTensor* cut = nullptr;  // the first that is not all there
  for (const DescribedTensor& one : tensors) {
    described = std::max(described, one.end);
    if (one.end > file_bytes && (cut == nullptr || one.begin < cut->begin)) cut = &one;
  }
  if (cut == nullptr) return;
  fail(ErrorCode::kInvalidData,
       "the file has {} bytes, its header describes {}: it is cut short, from tensor '{}' on",
       file_bytes, described, shown_text(cut->tensor.name));
}

void check_overlaps(const std::vector<DescribedTensor>& tensors) {
  std::vector<const DescribedTensor*> order;
  for (const DescribedTensor& one : tensors) {
    if (one.end > one.begin) order.push_back(&one);
  }
  std::ranges::sort(order, {}, &DescribedTensor::begin);
  for (size_t i = 1; i < order.size(); ++i) {
    const DescribedTensor &one = *order[i], &before = *order[i - 1];
    if (one.begin >= before.end) continue;
    fail(ErrorCode::kInvalidData, "tensor '{}': bytes [{}, {}) overlap those of '{}', [{}, {})",
         shown_text(one.tensor.name), one.begin, one.end, shown_text(before.tensor.name),
         before.begin, before.end);
  }
}

uint32_t read_version(GgufCursor& in) {
  const std::string_view magic = in.take(kMagic.size());
  if (magic != kMagic) {
    // Little-endian: 'ggml', 'ggmf' and 'ggjt', llama.cpp's formats of 2022 and 2023.
    if (magic == "lmgg" || magic == "fmgg" || magic == "tjgg") {
      fail(ErrorCode::kUnsupported, "this is a ggml file of the kind before GGUF: convert it anew");
    }
    fail(ErrorCode::kInvalidData, "not a GGUF file: it does not start with 'GGUF'");
  }
  const auto version = in.number<uint32_t>();
  if (version != 0 && (version & 0xFFFF) == 0) {
    fail(
        ErrorCode::kUnsupported,
        "a GGUF file of a big-endian machine is not supported: gguf-convert-endian turns it round");
  }
  if (version != 2 && version != 3) {
    fail(ErrorCode::kUnsupported,
         "a GGUF file of version {} is not supported, expected 2 or 3: convert it anew", version);
  }
  return version;
}

[[noreturn]] void fail_type(std::string_view key, const GgufValue& found, const Message& expected) {
  if (found.type != GgufType::kArray) {
    fail(ErrorCode::kInvalidData, "'{}' is of type {}, expected {}", key, name(found.type),
         expected);
  }
  const auto element = load_little_endian<uint32_t>(found.bytes.data());
  fail(ErrorCode::kInvalidData, "'{}' is an array of type {}, expected {}", key,
       kTypeNames[element], expected);
}

uint64_t checked_alignment(const Gguf& gguf) {
  constexpr std::string_view kKey = "general.alignment";
  const GgufValue* value = gguf.find(kKey);
  if (value == nullptr) return kDefaultAlignment;
  if (value->type != GgufType::kU32) fail_type(kKey, *value, marked("an integer of type uint32"));
  const auto alignment = load_little_endian<uint32_t>(value->bytes.data());
  if (alignment < kLeastAlignment || !std::has_single_bit(alignment)) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected a power of two from {} on", kKey, alignment,
         kLeastAlignment);
  }
  return alignment;
}

// convert(value under the key), an optional that is empty for a value of another type.
template <typename Convert>
auto get_value(const Gguf& gguf, std::string_view key, const Message& expected, Convert convert)
    -> decltype(convert(GgufValue{})) {
  const GgufValue* value = gguf.find(key);
  if (value == nullptr) return std::nullopt;
  auto converted = convert(*value);
  if (!converted) fail_type(key, *value, expected);
  return converted;
}

// convert() of every element.
template <typename T, typename Convert>
std::optional<std::vector<T>> get_array(const Gguf& gguf, std::string_view key,
                                        const Message& expected, Convert convert) {
  return get_value(gguf, key, expected,
                   [&](const GgufValue& value) -> std::optional<std::vector<T>> {
                     if (value.type != GgufType::kArray) return std::nullopt;
                     std::vector<T> list;
                     bool all_are = true;
                     for_each_element(value, [&](const GgufValue& element) {
                       const std::optional<T> converted = all_are ? convert(element) : std::nullopt;
                       all_are = converted.has_value();
                       if (all_are) list.push_back(*converted);
                     });
                     if (!all_are) return std::nullopt;
                     return list;
                   });
}

}  // namespace

std::string_view name(GgufType type) { return kTypeNames[static_cast<size_t>(type)]; }

void for_each_element(const GgufValue& array, const std::function<void(const GgufValue&)>& take) {
  INK_CHECK(array.type == GgufType::kArray, "elements of a value that is no array");
  GgufCursor in(array.bytes);
  const GgufType type = read_type(in);
  const auto count = in.number<uint64_t>();
  for (uint64_t i = 0; i < count; ++i) {
    const size_t begin = in.at();
    skip_value(in, type, 0);
    take({type, array.bytes.substr(begin, in.at() - begin)});
  }
}

std::optional<int64_t> integer_of(const GgufValue& value) {
  const char* at = value.bytes.data();
  switch (value.type) {
    case GgufType::kU8: return load_little_endian<uint8_t>(at);
    case GgufType::kI8: return load_little_endian<int8_t>(at);
    case GgufType::kU16: return load_little_endian<uint16_t>(at);
    case GgufType::kI16: return load_little_endian<int16_t>(at);
    case GgufType::kU32: return load_little_endian<uint32_t>(at);
    case GgufType::kI32: return load_little_endian<int32_t>(at);
    case GgufType::kI64: return load_little_endian<int64_t>(at);
    case GgufType::kU64: {
      const auto wide = load_little_endian<uint64_t>(at);
      if (wide > uint64_t{INT64_MAX}) return std::nullopt;
      return static_cast<int64_t>(wide);
    }
    default: return std::nullopt;
  }
}

std::optional<double> number_of(const GgufValue& value) {
  if (value.type == GgufType::kF32) return load_little_endian<float>(value.bytes.data());
  if (value.type == GgufType::kF64) return load_little_endian<double>(value.bytes.data());
  return std::nullopt;
}

std::optional<bool> boolean_of(const GgufValue& value) {
  if (value.type != GgufType::kBool) return std::nullopt;
  return value.bytes[0] != 0;
}

std::optional<std::string_view> string_of(const GgufValue& value) {
  if (value.type != GgufType::kString) return std::nullopt;
  return value.bytes.substr(sizeof(uint64_t));
}

WeightType weight_type(const GgufTensor& tensor) {
  if (tensor.type) return *tensor.type;
  fail(ErrorCode::kUnsupported, "tensor '{}' is of {}, which is not supported",
       shown_text(tensor.name), type_text(tensor.type_number));
}

uint32_t ggml_type(WeightType type) {
  const auto* at = std::ranges::find(kGgmlTypes, std::optional(type), &GgmlType::type);
  INK_CHECK(at != std::end(kGgmlTypes), "a type of weights without a number in ggml");
  return at->number;
}

Gguf::Gguf(std::string_view file) {
  GgufCursor in(file);
  version_ = read_version(in);
  const auto tensors = in.number<uint64_t>(), fields = in.number<uint64_t>();
  // Before anything is allocated for them.
  in.require(saturating_sum(saturating_product(fields, kLeastFieldBytes),
                            saturating_product(tensors, kLeastTensorBytes)));
  for (uint64_t i = 0; i < fields; ++i) {
    fields_.push_back(read_field(in, file));
    if (!field_places_.emplace(fields_.back().key, i).second) {
      fail(ErrorCode::kInvalidData, "header has '{}' twice", shown_text(fields_.back().key));
    }
  }
  const uint64_t alignment = checked_alignment(*this);
  std::vector<DescribedTensor> described;
  for (uint64_t i = 0; i < tensors; ++i) {
    described.push_back(read_tensor(in, alignment));
    if (!tensor_places_.emplace(described.back().tensor.name, i).second) {
      fail(ErrorCode::kInvalidData, "header has '{}' twice",
           shown_text(described.back().tensor.name));
    }
  }
  const uint64_t data_begin = saturating_sum(in.at(), alignment - 1) / alignment * alignment;
  for (DescribedTensor& one : described) place_in_file(one, data_begin);
  check_file_size(described, file.size());
  check_overlaps(described);
  const auto* bytes = reinterpret_cast<const std::byte*>(file.data());
  for (DescribedTensor& one : described) {
    if (one.end > one.begin) one.tensor.bytes = {bytes + one.begin, one.end - one.begin};
    tensors_.push_back(std::move(one.tensor));
  }
}

const GgufValue* Gguf::find(std::string_view key) const {
  const auto at = field_places_.find(key);
  return at == field_places_.end() ? nullptr : &fields_[at->second].value;
}

const GgufTensor* Gguf::find_tensor(std::string_view name) const {
  const auto at = tensor_places_.find(name);
  return at == tensor_places_.end() ? nullptr : &tensors_[at->second];
}

const GgufTensor& Gguf::tensor(std::string_view name) const {
  if (const GgufTensor* found = find_tensor(name)) return *found;
  fail(ErrorCode::kInvalidData, "there is no tensor '{}'", name);
}

std::optional<int64_t> Gguf::get_integer(std::string_view key, int64_t low, int64_t high) const {
  const auto value = get_value(*this, key, marked("an integer"), integer_of);
  if (value && (*value < low || *value > high)) {
    fail(ErrorCode::kInvalidData, "'{}' is {}, expected {} to {}", key, *value, low, high);
  }
  return value;
}

std::optional<double> Gguf::get_number(std::string_view key) const {
  return get_value(*this, key, marked("a number"), number_of);
}

std::optional<bool> Gguf::get_boolean(std::string_view key) const {
  return get_value(*this, key, marked("a boolean"), boolean_of);
}

std::optional<std::string_view> Gguf::get_string(std::string_view key) const {
  return get_value(*this, key, marked("a string"), string_of);
}

std::optional<std::vector<int64_t>> Gguf::get_integers(std::string_view key) const {
  return get_array<int64_t>(*this, key, marked("an array of integers"), integer_of);
}

std::optional<std::vector<std::string_view>> Gguf::get_strings(std::string_view key) const {
  return get_array<std::string_view>(*this, key, marked("an array of strings"), string_of);
}

GgufFile::GgufFile(const std::filesystem::path& path)
    : file_(path), content_(with_context(message("reading '{}'", path.string()), [&] {
        refuse_lfs_pointer(path, file_.text());
        return Gguf(file_.text());
      })) {}

bool is_gguf(const std::filesystem::path& path) {
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return false;  // opening a pipe would wait
  std::array<char, kMagic.size()> start{};
  std::ifstream(path, std::ios::binary).read(start.data(), start.size());
  return std::string_view(start.data(), start.size()) == kMagic;
}

}  // namespace inkstone
