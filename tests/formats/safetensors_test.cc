#include "formats/safetensors.h"

#include <fmt/format.h>

#include <cmath>
#include <cstring>
#include <limits>

#include "formats/little_endian.h"
#include "support.h"

namespace inkstone {
namespace {

using std::string_literals::operator""s;
using test::fixture;
using test::mentions;
using test::ScratchFolder;
using test::thrown_by;
using Tensors = std::map<std::string, StoredTensor, std::less<>>;
using Metadata = std::map<std::string, std::string, std::less<>>;

std::string file_of(const std::string& header, const std::string& data) {
  std::string bytes;
  append_little_endian(bytes, uint64_t{header.size()});
  return bytes + header + data;
}

// {"a": <members>}
std::string one(const std::string& members) { return "{\"a\":{" + members + "}}"; }

Error error_of(const std::string& bytes) {
  return thrown_by([&] {
    Tensors tensors;
    Metadata metadata;
    parse_safetensors(bytes, tensors, metadata);
  });
}

template <typename T>
std::vector<T> values(const StoredTensor& tensor) {
  std::vector<T> result(tensor.bytes.size() / sizeof(T));
  if (!result.empty()) std::memcpy(result.data(), tensor.bytes.data(), tensor.bytes.size());
  return result;
}

std::vector<float> as_f32(const StoredTensor& tensor) {
  std::vector<float> result(tensor.bytes.size() / static_cast<size_t>(size_bytes(tensor.dtype)));
  copy_as_f32(tensor, result);
  return result;
}

TEST(Safetensors, ReadsWhatPythonWrote) {
  const SafetensorsFile file(fixture("formats/python.safetensors"));
  EXPECT_EQ(file.tensors().size(), 12u);
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}, {"note", "é\n"}}));
  const float infinity = std::numeric_limits<float>::infinity();
  const StoredTensor& f32 = file.at("f32");
  EXPECT_EQ(f32.dtype, DType::kF32);
  EXPECT_EQ(f32.shape, (std::vector<int64_t>{3, 2}));
  EXPECT_EQ(as_f32(f32), (std::vector<float>{0, -1.5f, 3.4028235e38f, 1e-45f, infinity, 2}));
  EXPECT_EQ(as_f32(file.at("f16")), (std::vector<float>{1, -2, 65504, 0x1p-24f, infinity}));
  EXPECT_EQ(as_f32(file.at("f64")), (std::vector<float>{0.1f, infinity, -0.25f}));
  EXPECT_EQ(values<int32_t>(file.at("i32")), (std::vector<int32_t>{-1, INT32_MAX}));
  EXPECT_EQ(values<int64_t>(file.at("i64")), std::vector<int64_t>{INT64_MIN});
  EXPECT_EQ(values<uint16_t>(file.at("u16")), std::vector<uint16_t>{65535});
  EXPECT_EQ(values<uint8_t>(file.at("u8")), (std::vector<uint8_t>{1, 2, 255}));
  EXPECT_EQ(values<int8_t>(file.at("i8")), std::vector<int8_t>{-128});
  EXPECT_EQ(file.at("bool").dtype, DType::kBool);
  EXPECT_EQ(values<uint8_t>(file.at("bool")), (std::vector<uint8_t>{1, 0, 1}));
  EXPECT_TRUE(file.at("scalar").shape.empty());
  EXPECT_EQ(as_f32(file.at("scalar")), std::vector<float>{7});
  EXPECT_EQ(file.at("empty").shape, (std::vector<int64_t>{0, 3}));
  EXPECT_TRUE(as_f32(file.at("empty")).empty());
  EXPECT_TRUE(file.contains("name \"quoted\" \\ 名前"));
}

TEST(Safetensors, ReadsARealModel) {
  INK_SHARED_DATA_OR_SKIP(path, "models/capp_gpt/model.safetensors");
  const SafetensorsFile file(path);
  EXPECT_EQ(file.at("transformer.wte.weight").shape, (std::vector<int64_t>{53, 64}));
  EXPECT_EQ(file.metadata().at("format"), "pt");
}

TEST(Safetensors, AnAbsentTensorIsNamed) {
  const SafetensorsFile file(fixture("formats/python.safetensors"));
  EXPECT_FALSE(file.contains("wte.weight"));
  const Error error = thrown_by([&] { file.at("wte.weight"); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(mentions(error, "python.safetensors"));
  EXPECT_TRUE(mentions(error, "'wte.weight'"));
}

TEST(Safetensors, ConvertsHalfPrecisionExactly) {
  const std::string header = R"({"h":{"dtype":"F16","shape":[4],"data_offsets":[0,8]},)"
                             R"("b":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}})";
  std::string data;
  for (const uint16_t half : {0x3555, 0x8001, 0x7E00, 0xFC00}) append_little_endian(data, half);
  for (const uint16_t half : {0x3FC0, 0xFF80}) append_little_endian(data, half);
  Tensors tensors;
  Metadata metadata;
  const std::string bytes = file_of(header, data);
  parse_safetensors(bytes, tensors, metadata);
  const std::vector<float> halves = as_f32(tensors.at("h"));
  EXPECT_EQ(halves[0], 0x1.554p-2f);
  EXPECT_EQ(halves[1], -0x1p-24f);
  EXPECT_TRUE(std::isnan(halves[2]));
  EXPECT_EQ(halves[3], -std::numeric_limits<float>::infinity());
  EXPECT_EQ(as_f32(tensors.at("b")),
            (std::vector<float>{1.5f, -std::numeric_limits<float>::infinity()}));
}

TEST(Safetensors, RefusesToConvertIntegers) {
  const SafetensorsFile file(fixture("formats/python.safetensors"));
  const Error error = thrown_by([&] { as_f32(file.at("i64")); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(mentions(error, "I64"));
  std::vector<float> too_short(5);
  EXPECT_EQ(thrown_by([&] { copy_as_f32(file.at("f32"), too_short); }).code(),
            ErrorCode::kInternal);
}

TEST(Safetensors, TrailingSpacesInTheHeaderAreAllowed) {
  Tensors tensors;
  Metadata metadata;
  parse_safetensors(file_of("{}   ", ""), tensors, metadata);
  EXPECT_TRUE(tensors.empty());
}

struct Damaged {
  std::string bytes, expected_text;
};

TEST(Safetensors, NamesWhatIsWrongWithTheFile) {
  const std::string whole = file_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},)"
                                    R"("b":{"dtype":"U8","shape":[3],"data_offsets":[8,11]}})",
                                    "12345678abc");
  const std::string size = std::to_string(whole.size());
  const std::vector<Damaged> cases = {
      {"", "0 bytes, expected at least 8"},
      {"1234567", "7 bytes, expected at least 8"},
      {"\x01\xE1\xF5\x05\0\0\0\0"s, "a header of 100000001 bytes"},
      {"\xFF\xFF\xFF\xFF\xFF\xFF\xFF\xFF"s, "a header of 18446744073709551615 bytes"},
      {whole.substr(0, 20), "the file has 20 bytes, expected at least"},
      {file_of("", ""), "does not start with '{'"},
      {file_of(" {}", ""), "does not start with '{'"},
      {file_of("[]", ""), "does not start with '{'"},
      {file_of("{", ""), "not valid JSON"},
      {file_of("{}x", ""), "not valid JSON"},
      {file_of("{\"\xFF\":1}", ""), "not valid JSON"},
      {file_of("{}", "a"), "1 at the end belong to no tensor"},
      {whole + "!", "1 at the end belong to no tensor"},
      {whole.substr(0, whole.size() - 1),
       "its header describes " + size + ": it is cut short, from tensor 'b' on"},
      {whole.substr(0, whole.size() - 4), "from tensor 'a' on"},
  };
  for (const Damaged& damaged : cases) {
    const Error error = error_of(damaged.bytes);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, damaged.expected_text));
  }
}

TEST(Safetensors, NamesWhatIsWrongWithATensor) {
  const auto with = [](const char* dtype, const char* shape, const char* offsets) {
    return file_of(
        one("\"dtype\":"s + dtype + ",\"shape\":" + shape + ",\"data_offsets\":" + offsets),
        "12345678");
  };
  const std::vector<Damaged> cases = {
      {with("\"F33\"", "[2]", "[0,8]"), "tensor 'a': unknown element type 'F33'"},
      {with("7", "[2]", "[0,8]"), "'dtype' has the number 7, expected a type's name"},
      {with("[]", "[2]", "[0,8]"), "'dtype' has an array"},
      {with("\"F32\"", "2", "[0,8]"), "'shape' has the number 2"},
      {with("\"F32\"", "[-2]", "[0,8]"), "'shape' has the number -2"},
      {with("\"F32\"", "[2.0]", "[0,8]"), "'shape' has the number 2.0"},
      {with("\"F32\"", "[null]", "[0,8]"), "'shape' has null"},
      {with("\"F32\"", "[[2]]", "[0,8]"), "'shape' has an array"},
      {with("\"F32\"", "{}", "[0,8]"), "'shape' has an object"},
      {with("\"F32\"", "\"2\"", "[0,8]"), "'shape' has the string '2'"},
      {with("\"F32\"", "[2,true]", "[0,8]"), "'shape' has a boolean"},
      {with("\"F32\"", "[9223372036854775808]", "[0,8]"), "the number 9223372036854775808"},
      {with("\"F32\"", "[4294967296,4294967296]", "[0,8]"), "is too large"},
      {with("\"F32\"", "[9223372036854775807]", "[0,8]"), "is too large"},
      {with("\"F32\"", "[0,9223372036854775807,2]", "[0,8]"), "expected 0 bytes"},
      {with("\"F32\"", "[3]", "[0,8]"),
       "data_offsets [0, 8), expected 12 bytes for F32 of shape [3]"},
      {with("\"F32\"", "[2]", "[8,0]"), "data_offsets [8, 0)"},
      {with("\"F32\"", "[2]", "[0]"), "'data_offsets' has 1 numbers"},
      {with("\"F32\"", "[2]", "[0,8,8]"), "'data_offsets' has 3 numbers"},
      {with("\"F32\"", "[2]", "[-1,7]"), "'data_offsets' has the number -1"},
      {with("\"F32\"", "[1]", "[4,8]"), "bytes [0, 4) of the data, before tensor 'a'"},
      {with("\"F32\"", "[2305843009213693951]", "[0,9223372036854775804]"), "it is cut short"},
      {file_of(one(R"("dtype":"F32","shape":[2])"), ""), "'data_offsets' is missing"},
      {file_of(one(R"("dtype":"F32","dtype":"F32")"), ""), "'dtype' occurs twice"},
      {file_of(one(R"("dtype":"F32","strides":[1])"), ""), "unknown member 'strides'"},
      {file_of(R"({"a":1})", ""), "tensor 'a' is the number 1, expected an object"},
  };
  for (const Damaged& damaged : cases) {
    const Error error = error_of(damaged.bytes);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, damaged.expected_text));
  }
}

TEST(Safetensors, NamesWhatIsWrongBetweenTensors) {
  const auto two = [](const char* second, const char* offsets) {
    return file_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},")"s + second +
                       R"(":{"dtype":"U8","shape":[4],"data_offsets":)" + offsets + "}}",
                   "12345678");
  };
  EXPECT_TRUE(mentions(error_of(two("b", "[3,7]")),
                       "tensor 'b': bytes [3, 7) overlap those of 'a', [0, 4)"));
  EXPECT_TRUE(mentions(error_of(two("b", "[5,9]")), "bytes [4, 5) of the data, before tensor 'b'"));
  EXPECT_TRUE(mentions(error_of(two("a", "[4,8]")), "header has 'a' twice"));
  EXPECT_TRUE(mentions(error_of(file_of(R"({"__metadata__":{"k":1}})", "")),
                       "__metadata__: 'k' has the number 1, expected a string"));
  EXPECT_TRUE(mentions(error_of(file_of(R"({"__metadata__":{"k":"","k":""}})", "")),
                       "__metadata__: 'k' occurs twice"));
  EXPECT_TRUE(mentions(error_of(file_of(R"({"__metadata__":{},"__metadata__":{}})", "")),
                       "header has '__metadata__' twice"));
  EXPECT_TRUE(
      mentions(error_of(file_of(R"({"__metadata__":[]})", "")), "__metadata__ is an array"));
}

TEST(Safetensors, TypesOfTheFormatThatAreNotSupportedAreNamed) {
  const Error error = error_of(
      file_of(one(R"("dtype":"F8_E4M3","shape":[8],"data_offsets":[0,8])"), "12345678"));
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(mentions(error, "tensor 'a': elements of type F8_E4M3"));
}

// Ten million brackets or keys must neither overflow the stack nor take quadratic time.
TEST(Safetensors, HostileHeadersAreRefusedQuickly) {
  EXPECT_EQ(error_of(file_of("{\"a\":" + std::string(10'000'000, '['), "")).code(),
            ErrorCode::kInvalidData);
  std::string header = "{";
  for (int i = 0; i < 200'000; ++i) {
    header += fmt::format(R"("{}":{{"dtype":"U8","shape":[0],"data_offsets":[0,0]}},)", i);
  }
  EXPECT_EQ(error_of(file_of(header, "")).code(), ErrorCode::kInvalidData);
}

TEST(Safetensors, ErrorsNameTheFile) {
  const ScratchFolder folder;
  write_file(folder / "cut.safetensors", "123");
  EXPECT_TRUE(mentions(thrown_by([&] { SafetensorsFile file(folder / "cut.safetensors"); }),
                       "reading '" + (folder / "cut.safetensors").string() + "'"));
  EXPECT_EQ(thrown_by([&] { SafetensorsFile file(folder / "none"); }).code(), ErrorCode::kNotFound);
}

TEST(Safetensors, WritesAndReadsBack) {
  const ScratchFolder folder;
  const std::vector<float> matrix = {1, 2, 3, 4, 5, 6};
  const std::vector<bf16> halves = {to_bf16(1.5f)};
  const std::vector<TensorToStore> tensors = {
      {.name = "z", .dtype = DType::kF32, .shape = {2, 3}, .data = matrix.data()},
      {.name = "a \"b\" 墨", .dtype = DType::kBF16, .shape = {}, .data = halves.data()},
      {.name = "none", .dtype = DType::kI64, .shape = {0}, .data = nullptr}};
  write_safetensors(folder / "a.safetensors", tensors, {{"format", "pt"}, {"k", "\"\n"}});
  const std::string bytes = read_file(folder / "a.safetensors");
  EXPECT_EQ(load_little_endian<uint64_t>(bytes.data()) % 8, 0u);

  const SafetensorsFile file(folder / "a.safetensors");
  EXPECT_EQ(file.metadata(), (Metadata{{"format", "pt"}, {"k", "\"\n"}}));
  EXPECT_EQ(file.tensors().size(), 3u);
  EXPECT_EQ(file.at("z").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(as_f32(file.at("z")), matrix);
  EXPECT_EQ(reinterpret_cast<uintptr_t>(file.at("z").bytes.data()) % 8, 0u);  // mapped as it is
  EXPECT_EQ(as_f32(file.at("a \"b\" 墨")), std::vector<float>{1.5f});
  EXPECT_EQ(file.at("none").dtype, DType::kI64);
}

TEST(Safetensors, WritesTheExactBytes) {
  const ScratchFolder folder;
  const std::vector<uint8_t> data = {7, 8};
  const std::vector<TensorToStore> tensors = {
      {.name = "t", .dtype = DType::kU8, .shape = {2}, .data = data.data()}};
  write_safetensors(folder / "a", tensors, {});
  EXPECT_EQ(read_file(folder / "a"),
            file_of(R"({"t":{"dtype":"U8","shape":[2],"data_offsets":[0,2]}}   )", "\x07\x08"));
  write_safetensors(folder / "a", {}, {});
  EXPECT_EQ(read_file(folder / "a"), file_of("{}      ", ""));
}

TEST(Safetensors, RefusesToWriteNonsense) {
  const ScratchFolder folder;
  const uint8_t byte = 0;
  const TensorToStore good = {.name = "t", .dtype = DType::kU8, .shape = {1}, .data = &byte};
  TensorToStore negative = good, reserved = good;
  negative.shape = {-1};
  reserved.name = "__metadata__";
  for (const auto& tensors : {std::vector{good, good}, {negative}, {reserved}}) {
    EXPECT_EQ(thrown_by([&] { write_safetensors(folder / "a", tensors, {}); }).code(),
              ErrorCode::kInternal);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace inkstone
