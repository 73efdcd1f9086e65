#include "formats/gguf.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "formats/little_endian.h"
#include "support.h"
#include "tensor/blocks.h"

namespace inkstone {
namespace {

using std::string_literals::operator""s;
using test::fixture;
using test::mentions;
using test::ScratchFolder;
using test::thrown_by;

template <typename T>
std::string little_endian(T value) {
  std::string bytes;
  append_little_endian(bytes, value);
  return bytes;
}

std::string text(std::string_view value) {
  return little_endian(uint64_t{value.size()}).append(value);
}

std::string field(std::string_view key, uint32_t type, const std::string& value) {
  return text(key) + little_endian(type) + value;
}

// Dimensions in the file's order.
std::string info(std::string_view name, const std::vector<uint64_t>& dimensions, uint32_t type,
                 uint64_t offset) {
  std::string bytes = text(name) + little_endian(static_cast<uint32_t>(dimensions.size()));
  for (const uint64_t size : dimensions) bytes += little_endian(size);
  return bytes + little_endian(type) + little_endian(offset);
}

std::string header(uint64_t tensors, uint64_t fields, uint32_t version = 3) {
  return "GGUF" + little_endian(version) + little_endian(tensors) + little_endian(fields);
}

struct Parts {
  std::vector<std::string> fields, infos;
  std::string data;
  size_t alignment = 32;
};

std::string file_of(const Parts& parts) {
  std::string bytes = header(parts.infos.size(), parts.fields.size());
  for (const std::string& one : parts.fields) bytes += one;
  for (const std::string& one : parts.infos) bytes += one;
  bytes.append((parts.alignment - bytes.size() % parts.alignment) % parts.alignment, '\0');
  return bytes + parts.data;
}

std::string with_field(uint32_t type, const std::string& value) {
  return file_of({.fields = {field("k", type, value)}, .infos = {}, .data = ""});
}

std::string with_infos(const std::vector<std::string>& infos, size_t data_bytes = 64) {
  return file_of({.fields = {}, .infos = infos, .data = std::string(data_bytes, '\x11')});
}

Error error_of(const std::string& bytes) {
  return thrown_by([&] { Gguf{bytes}; });
}

std::vector<float> as_f32(const GgufTensor& tensor) {
  const WeightType type = weight_type(tensor);
  const WeightBlock block = block_of(type);
  const auto bytes = static_cast<int64_t>(tensor.bytes.size());
  std::vector<float> values(static_cast<size_t>(bytes / block.bytes * block.elements));
  decode_row(type, tensor.bytes.data(), static_cast<int64_t>(values.size()), values.data());
  return values;
}

// A tensor of these bytes.
GgufTensorToWrite tensor_of(std::string name, WeightType type, std::vector<int64_t> shape,
                            const std::string& bytes) {
  return {.name = std::move(name),
          .type = type,
          .shape = std::move(shape),
          .write = [bytes](const GgufSink& sink) {
            sink(std::as_bytes(std::span(bytes.data(), bytes.size())));
          }};
}

TEST(Gguf, ReadsTheMetadataThatPythonWrote) {
  const GgufFile file(fixture("formats/python.gguf"));
  const Gguf& gguf = file.content();
  EXPECT_EQ(gguf.version(), 3u);
  EXPECT_EQ(gguf.fields().size(), 16u);
  EXPECT_EQ(gguf.fields()[0].key, "general.architecture");
  constexpr int64_t kLow = INT64_MIN, kHigh = INT64_MAX;
  EXPECT_EQ(gguf.get_string("general.architecture"), "gpt2");
  EXPECT_EQ(gguf.get_integer("t.uint8", kLow, kHigh), 255);
  EXPECT_EQ(gguf.get_integer("t.int8", kLow, kHigh), -128);
  EXPECT_EQ(gguf.get_integer("t.uint16", kLow, kHigh), 65535);
  EXPECT_EQ(gguf.get_integer("t.int16", kLow, kHigh), -32768);
  EXPECT_EQ(gguf.get_integer("t.uint32", kLow, kHigh), 4294967295);
  EXPECT_EQ(gguf.get_integer("t.int32", kLow, kHigh), INT32_MIN);
  EXPECT_EQ(gguf.get_integer("t.int64", kLow, kHigh), INT64_MIN);
  EXPECT_EQ(gguf.get_number("t.float32"), 1e-5f);
  EXPECT_EQ(gguf.get_number("t.float64"), 0.1);
  EXPECT_EQ(gguf.get_boolean("t.bool"), true);
  EXPECT_EQ(gguf.get_string("t.string"), "é\n墨");
  EXPECT_EQ(gguf.get_strings("t.strings"),
            (std::vector<std::string_view>{"Ġt", "", "<|endoftext|>"}));
  EXPECT_EQ(gguf.get_integers("t.integers"), (std::vector<int64_t>{3, -1, 6}));
  std::vector<double> floats;
  for_each_element(*gguf.find("t.floats"),
                   [&](const GgufValue& value) { floats.push_back(number_of(value).value()); });
  EXPECT_EQ(floats, (std::vector<double>{0.5, -2}));
  EXPECT_EQ(gguf.find("t.absent"), nullptr);
  EXPECT_EQ(gguf.get_integer("t.absent", kLow, kHigh), std::nullopt);
  EXPECT_EQ(gguf.get_strings("t.absent"), std::nullopt);
}

TEST(Gguf, ReadsTheTensorsThatPythonWrote) {
  const GgufFile file(fixture("formats/python.gguf"));
  const Gguf& gguf = file.content();
  ASSERT_EQ(gguf.tensors().size(), 10u);
  EXPECT_EQ(gguf.tensor("f32").shape, (std::vector<int64_t>{2, 3}));
  EXPECT_EQ(as_f32(gguf.tensor("f32")),
            (std::vector<float>{-8, -7.875f, -7.75f, 0, 0.125f, 0.25f}));
  EXPECT_EQ(as_f32(gguf.tensor("f16")), (std::vector<float>{-8, -7.875f, -7.75f, -7.625f, -7.5f}));
  EXPECT_EQ(gguf.tensor("cube").shape, (std::vector<int64_t>{2, 3, 4}));
  EXPECT_EQ(as_f32(gguf.tensor("bf16")),
            (std::vector<float>{-8, -7.875f, -7.75f, -7.625f, -7.5f, -7.375f, -7.25f}));
  for (const char* name : {"q4_0", "q4_1", "q5_0", "q5_1", "q8_0"}) {
    const GgufTensor& tensor = gguf.tensor(name);
    EXPECT_EQ(inkstone::name(weight_type(tensor)), name);
    EXPECT_EQ(tensor.shape, (std::vector<int64_t>{2, 64}));
    EXPECT_EQ(tensor.bytes.size(), 2 * static_cast<size_t>(row_bytes(*tensor.type, 64)));
  }
}

TEST(Gguf, ATypeThatIsNotOursIsAnErrorOnlyWhereItIsUsed) {
  const GgufFile file(fixture("formats/python.gguf"));
  const Error known = thrown_by([&] { weight_type(file.content().tensor("i32")); });
  EXPECT_EQ(known.code(), ErrorCode::kUnsupported);
  EXPECT_TRUE(mentions(known, "tensor 'i32' is of type I32, which is not supported"));
  const std::string bytes = with_infos({info("a", {7}, 4711, 0), info("b", {2}, 0, 32)});
  const Gguf gguf(bytes);
  EXPECT_TRUE(mentions(thrown_by([&] { weight_type(gguf.tensor("a")); }),
                       "tensor 'a' is of unknown type 4711"));
  EXPECT_EQ(gguf.tensor("b").bytes.size(), 8u);
}

TEST(Gguf, ReadsARealVocabulary) {
  INK_SHARED_DATA_OR_SKIP(path, "gpt2/ggml-vocab-gpt-2.gguf");
  const GgufFile file(path);
  EXPECT_EQ(file.content().fields().size(), 16u);
  EXPECT_EQ(file.content().get_strings("tokenizer.ggml.tokens")->size(), 50257u);
  EXPECT_TRUE(file.content().tensors().empty());
}

TEST(Gguf, AWrongTypeOrRangeIsNamed) {
  const GgufFile file(fixture("formats/python.gguf"));
  const Gguf& gguf = file.content();
  const auto says = [&](const char* text, const std::function<void()>& f) {
    const Error error = thrown_by(f);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, text));
  };
  says("'t.uint8' is 255, expected 1 to 254", [&] { gguf.get_integer("t.uint8", 1, 254); });
  says("'t.bool' is of type boolean, expected an integer",
       [&] { gguf.get_integer("t.bool", 0, 1); });
  says("'t.uint64' is of type uint64, expected an integer",
       [&] { gguf.get_integer("t.uint64", INT64_MIN, INT64_MAX); });
  says("'t.string' is of type string, expected a number", [&] { gguf.get_number("t.string"); });
  says("'t.uint8' is of type uint8, expected a string", [&] { gguf.get_string("t.uint8"); });
  says("'t.int8' is of type int8, expected a boolean", [&] { gguf.get_boolean("t.int8"); });
  says("'t.floats' is an array of type float32, expected an array of integers",
       [&] { gguf.get_integers("t.floats"); });
  says("'t.integers' is an array of type int32, expected an array of strings",
       [&] { gguf.get_strings("t.integers"); });
  says("'t.string' is of type string, expected an array of strings",
       [&] { gguf.get_strings("t.string"); });
  const Error absent = thrown_by([&] { gguf.tensor("blk.0"); });
  EXPECT_EQ(absent.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(mentions(absent, "there is no tensor 'blk.0'"));
}

// An array of type `type` whose elements are these bytes.
std::string array(uint32_t type, uint64_t count, const std::string& elements) {
  return little_endian(type) + little_endian(count) + elements;
}

TEST(Gguf, ReadsArraysOfArrays) {
  const std::string inner = array(0, 2, "\1\2"), empty = array(8, 0, "");
  const std::string bytes = with_field(9, array(9, 2, inner + empty));
  const Gguf gguf(bytes);
  std::vector<size_t> sizes;
  for_each_element(*gguf.find("k"), [&](const GgufValue& one) {
    sizes.push_back(0);
    for_each_element(one, [&](const GgufValue&) { ++sizes.back(); });
  });
  EXPECT_EQ(sizes, (std::vector<size_t>{2, 0}));
}

struct Damaged {
  std::string bytes, expected_text;
};

void expect_invalid(const std::vector<Damaged>& cases) {
  for (const Damaged& damaged : cases) {
    const Error error = error_of(damaged.bytes);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, damaged.expected_text));
  }
}

TEST(Gguf, NamesWhatIsWrongWithTheHeader) {
  const std::string huge = little_endian(UINT64_MAX);
  expect_invalid({
      {"", "the file has 0 bytes, expected at least 4: it is cut short"},
      {"GGU", "the file has 3 bytes, expected at least 4"},
      {"GGUX\3\0\0\0"s, "it does not start with 'GGUF'"},
      {"GGUF\3\0"s, "the file has 6 bytes, expected at least 8"},
      {header(0, 1), "the file has 24 bytes, expected at least 38"},
      {header(1, 0), "the file has 24 bytes, expected at least 49"},
      {header(0, UINT64_MAX), "expected at least 18446744073709551615"},
      {header(UINT64_MAX, 1), "expected at least 18446744073709551615"},
      {header(0, 1) + huge + "123456789", "expected at least 18446744073709551615"},
      {with_field(13, ""), "'k': a value of type 13, expected 0 to 12"},
      {with_field(7, "\2"), "'k': a boolean is 2, expected 0 or 1"},
      {with_field(9, array(7, 2, "\1\3")), "'k': a boolean is 3"},
      {with_field(8, huge), "'k': the file has"},
      {with_field(9, array(13, 0, "")), "'k': a value of type 13"},
      {with_field(9, array(0, UINT64_MAX, "")), "expected at least 18446744073709551615"},
      {with_field(9, array(8, 1 << 20, "")), "'k': the file has"},
      {with_field(9, array(9, 1 << 20, "")), "'k': the file has"},
      {with_field(9, array(8, 1, huge)), "'k': the file has"},
      {file_of({.fields = {field("", 0, "\1")}, .infos = {}, .data = ""}), "a name is empty"},
      {file_of({.fields = {field("a\xFF", 0, "\1")}, .infos = {}, .data = ""}), "is not UTF-8"},
      {file_of({.fields = {field("a", 0, "\1"), field("a", 0, "\1")}, .infos = {}, .data = ""}),
       "header has 'a' twice"},
  });
}

std::string nested(int levels) {
  std::string value;
  for (int i = 1; i < levels; ++i) value += array(9, 1, "");
  return value + array(0, 0, "");
}

TEST(Gguf, ArraysAreNestedEightLevelsDeepAtMost) {
  const std::string deep = with_field(9, nested(8));
  EXPECT_EQ(Gguf(deep).fields().size(), 1u);
  expect_invalid({{with_field(9, nested(9)), "nested deeper than 8 levels"},
                  {with_field(9, nested(100'000)), "nested deeper than 8 levels"}});
}

TEST(Gguf, OtherVersionsAndKindsAreRefusedByName) {
  const std::vector<Damaged> cases = {
      {header(0, 0, 1), "version 1 is not supported, expected 2 or 3"},
      {header(0, 0, 4), "version 4 is not supported"},
      {header(0, 0, 0), "version 0 is not supported"},
      {header(0, 0, 0x03000000), "big-endian"},
      {"lmgg" + std::string(60, '\0'), "before GGUF"},
      {"tjgg" + std::string(60, '\0'), "before GGUF"}};
  for (const Damaged& damaged : cases) {
    const Error error = error_of(damaged.bytes);
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_TRUE(mentions(error, damaged.expected_text));
  }
  const std::string second = header(0, 0, 2);
  EXPECT_EQ(Gguf(second).version(), 2u);
}

TEST(Gguf, NamesWhatIsWrongWithATensor) {
  constexpr uint64_t kBig = uint64_t{1} << 62;
  const auto one = [](const std::vector<uint64_t>& dimensions, uint32_t type, uint64_t offset = 0) {
    return with_infos({info("a", dimensions, type, offset)});
  };
  const auto two = [](const char* name, uint64_t offset) {
    return with_infos({info("a", {10}, 0, 0), info(name, {4}, 0, offset)});
  };
  expect_invalid({
      {one({1, 1, 1, 1, 1}, 0), "tensor 'a': 5 dimensions, expected at most 4"},
      {one({uint64_t{1} << 63}, 0), "a dimension of 9223372036854775808"},
      {one({kBig, 4}, 0), "tensor 'a': shape [4, 4611686018427387904] is too large"},
      {one({kBig}, 0), "is too large"},
      {one({31}, 8), "tensor 'a': rows of 31 elements, expected a multiple of 32 with type Q8_0"},
      {one({}, 14), "rows of 1 elements, expected a multiple of 256 with type Q6_K"},
      {one({1}, 0, 4), "tensor 'a': offset 4, expected a multiple of 32"},
      {one({17}, 0), "it is cut short, from tensor 'a' on"},
      {one({1}, 0, 64), "it is cut short, from tensor 'a' on"},
      {one({1}, 0, UINT64_MAX - 31), "its header describes 18446744073709551615"},
      {one({1}, 4711, 96), "it is cut short, from tensor 'a' on"},
      {with_infos({info("", {1}, 0, 0)}), "a name is empty"},
      {with_infos({info("\x80", {1}, 0, 0)}), "is not UTF-8"},
      {two("a", 64), "header has 'a' twice"},
      {two("b", 32), "tensor 'b': bytes [128, 144) overlap those of 'a', [96, 136)"},
      {two("b", 0), "overlap those of"},
  });
}

// Names are a file's: messages show their beginning, and nothing that a terminal would obey.
TEST(Gguf, MessagesShowNamesSafely) {
  const std::string bell = "a\x1b]0;x\x07" + std::string(100'000, 'b');
  const std::string shown = "'a\uFFFD]0;x\uFFFD" + std::string(80 - 7, 'b') + "'";
  const std::string fields = file_of(
      {.fields = {field(bell, 4, "1234"), field(bell, 4, "1234")}, .infos = {}, .data = ""});
  std::vector<Error> errors = {
      error_of(fields), error_of(with_infos({info(bell, {17}, 0, 0)})),
      error_of(with_infos({info(bell, {31}, 8, 0)})),
      error_of(with_infos({info(bell, {10}, 0, 0), info(bell, {4}, 0, 64)})),
      error_of(with_infos({info(bell, {10}, 0, 0), info(bell + "c", {4}, 0, 0)}))};
  const std::string other = with_infos({info(bell, {7}, 4711, 0)});
  errors.push_back(thrown_by([&] { weight_type(Gguf(other).tensor(bell)); }));
  for (const Error& error : errors) {
    EXPECT_TRUE(mentions(error, shown));
    EXPECT_LT(std::string(error.what()).size(), 400u);
  }
}

TEST(Gguf, HasTheAlignmentThatItNames) {
  const auto file = [](uint32_t type, const std::string& value, uint64_t offset, size_t alignment) {
    return file_of({.fields = {field("general.alignment", type, value)},
                    .infos = {info("a", {1}, 0, 0), info("b", {1}, 0, offset)},
                    .data = "1234567812345678",
                    .alignment = alignment});
  };
  const std::string narrow = file(4, little_endian(uint32_t{8}), 8, 8);
  const Gguf gguf(narrow);
  EXPECT_EQ(reinterpret_cast<const char*>(gguf.tensor("b").bytes.data()),
            narrow.data() + narrow.size() - 8);
  expect_invalid({
      {file(4, little_endian(uint32_t{0}), 0, 8), "'general.alignment' is 0, expected a power"},
      {file(4, little_endian(uint32_t{4}), 8, 8), "is 4, expected a power of two from 8 on"},
      {file(4, little_endian(uint32_t{48}), 48, 8), "is 48, expected a power of two"},
      {file(10, little_endian(uint64_t{8}), 8, 8), "is of type uint64, expected an integer of"},
  });
}

TEST(Gguf, AllowsWhatOthersLeaveBetweenAndBehindTensors) {
  const std::string bytes = with_infos(
      {info("b", {1}, 0, 64), info("none", {0, 3}, 0, 0), info("a", {2}, 0, 0)}, 100);
  const Gguf gguf(bytes);
  EXPECT_EQ(gguf.tensors()[0].name, "b");
  EXPECT_EQ(gguf.tensor("none").shape, (std::vector<int64_t>{3, 0}));
  EXPECT_TRUE(gguf.tensor("none").bytes.empty());
  EXPECT_EQ(gguf.tensor("a").bytes.size(), 8u);
}

TEST(Gguf, EveryTruncationIsAnError) {
  const std::string whole = read_file(fixture("formats/python.gguf"));
  const Gguf gguf(whole);
  size_t used = 0;  // what stands behind is padding
  for (const GgufTensor& tensor : gguf.tensors()) {
    if (tensor.bytes.empty()) continue;
    const auto* end = reinterpret_cast<const char*>(tensor.bytes.data() + tensor.bytes.size());
    used = std::max(used, static_cast<size_t>(end - whole.data()));
  }
  for (size_t size = 0; size < used; ++size) {
    // Of its own, so that AddressSanitizer sees a read behind its end.
    const std::string cut(whole.data(), size);
    const Error error = error_of(cut);
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData) << size;
    EXPECT_TRUE(mentions(error, fmt::format("the file has {} bytes", size)));
  }
}

// Any other byte in any place: an error of ours or a file, and never anything else.
TEST(Gguf, EveryChangedByteOfTheHeaderIsHarmless) {
  const std::string whole = read_file(fixture("formats/python.gguf"));
  const Gguf first(whole);
  const auto data_begin = static_cast<size_t>(
      reinterpret_cast<const char*>(first.tensors()[0].bytes.data()) - whole.data());
  for (size_t at = 0; at < data_begin; ++at) {
    for (const int change : {1, 0x80, 0xFF}) {
      std::string bytes = whole;
      bytes[at] = static_cast<char>(bytes[at] ^ change);
      try {
        const Gguf gguf(bytes);
        for (const GgufTensor& tensor : gguf.tensors()) {
          const auto* begin = reinterpret_cast<const char*>(tensor.bytes.data());
          EXPECT_TRUE(tensor.bytes.empty() ||
                      (begin >= bytes.data() &&
                       begin + tensor.bytes.size() <= bytes.data() + bytes.size()));
        }
      } catch (const Error& error) {
        EXPECT_TRUE(error.code() == ErrorCode::kInvalidData ||
                    error.code() == ErrorCode::kUnsupported)
            << error.what();
      }
    }
  }
}

// A million keys, and an array of a million arrays, must not take quadratic time.
TEST(Gguf, LongHeadersAreReadQuickly) {
  std::string fields;
  for (int i = 0; i < 1'000'000; ++i) fields += field(std::to_string(i), 0, "\1");
  EXPECT_EQ(Gguf(header(0, 1'000'000) + fields).fields().size(), 1'000'000u);
  std::string arrays;
  for (int i = 0; i < 1'000'000; ++i) arrays += array(8, 0, "");
  EXPECT_EQ(Gguf(with_field(9, array(9, 1'000'000, arrays))).fields().size(), 1u);
}

TEST(Gguf, ErrorsNameTheFile) {
  const ScratchFolder folder;
  write_file(folder / "cut.gguf", "GGUF");
  EXPECT_TRUE(mentions(thrown_by([&] { GgufFile file(folder / "cut.gguf"); }),
                       "reading '" + (folder / "cut.gguf").string() + "'"));
  EXPECT_EQ(thrown_by([&] { GgufFile file(folder / "none"); }).code(), ErrorCode::kNotFound);
  EXPECT_TRUE(is_gguf(folder / "cut.gguf"));
  EXPECT_FALSE(is_gguf(folder / "none"));
  EXPECT_FALSE(is_gguf(folder.path()));
  write_file(folder / "short", "GGU");
  EXPECT_FALSE(is_gguf(folder / "short"));
}

TEST(Gguf, WritesAndReadsBack) {
  const ScratchFolder folder;
  const std::vector<std::string> words = {"Ġt", "", "中"};
  const std::vector<GgufEntry> metadata = {gguf_string("general.architecture", "gpt2"),
                                           gguf_u32("a.u32", 4294967295),
                                           gguf_f32("a.f32", 1e-5f),
                                           gguf_bool("a.bool", true),
                                           gguf_strings("a.strings", words),
                                           gguf_i32s("a.i32s", std::vector{1, -3})};
  const std::string eight = "12345678", block(34, 'q');
  const std::vector<GgufTensorToWrite> tensors = {
      tensor_of("m", WeightType::kF16, {2, 2}, eight),
      tensor_of("q", WeightType::kQ8_0, {1, 32}, block),
      tensor_of("none", WeightType::kF32, {0}, ""),
      tensor_of("s", WeightType::kF32, {}, eight.substr(4))};
  write_gguf(folder / "a.gguf", metadata, tensors);
  write_gguf(folder / "b.gguf", metadata, tensors);
  EXPECT_EQ(read_file(folder / "a.gguf"), read_file(folder / "b.gguf"));

  const GgufFile file(folder / "a.gguf");
  const Gguf& gguf = file.content();
  EXPECT_EQ(gguf.version(), 3u);
  EXPECT_EQ(gguf.fields()[1].key, "a.u32");
  EXPECT_EQ(gguf.get_integer("a.u32", 0, UINT32_MAX), 4294967295);
  EXPECT_EQ(gguf.get_number("a.f32"), 1e-5f);
  EXPECT_EQ(gguf.get_boolean("a.bool"), true);
  EXPECT_EQ(gguf.get_strings("a.strings"), (std::vector<std::string_view>{"Ġt", "", "中"}));
  EXPECT_EQ(gguf.get_integers("a.i32s"), (std::vector<int64_t>{1, -3}));
  EXPECT_EQ(gguf.tensor("m").shape, (std::vector<int64_t>{2, 2}));
  EXPECT_EQ(gguf.tensor("q").type, WeightType::kQ8_0);
  for (const auto& [name, expected] : {std::pair{"m", eight}, {"q", block}, {"s", "5678"}}) {
    const std::span<const std::byte> bytes = gguf.tensor(name).bytes;
    EXPECT_EQ(std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size()), expected);
    EXPECT_EQ(reinterpret_cast<uintptr_t>(bytes.data()) % 32, 0u);
  }
}

TEST(Gguf, WritesTheExactBytes) {
  const ScratchFolder folder;
  write_gguf(folder / "a", std::vector{gguf_bool("k", true)},
             std::vector{tensor_of("t", WeightType::kF32, {2, 1}, "12345678")});
  Parts parts = {.fields = {field("k", 7, "\1")}, .infos = {info("t", {1, 2}, 0, 0)}, .data = ""};
  EXPECT_EQ(read_file(folder / "a"), file_of(parts) + "12345678" + std::string(24, '\0'));
  write_gguf(folder / "a", {}, {});
  EXPECT_EQ(read_file(folder / "a"), header(0, 0) + std::string(8, '\0'));
}

// A caller may pass a tensor's bytes in parts.
TEST(Gguf, WritesTensorsInParts) {
  const ScratchFolder folder;
  GgufTensorToWrite tensor = tensor_of("t", WeightType::kF32, {3}, "");
  tensor.write = [](const GgufSink& sink) {
    for (const float value : {1.0f, 2.0f, 3.0f}) sink(std::as_bytes(std::span(&value, 1)));
  };
  write_gguf(folder / "a", {}, std::vector{tensor});
  EXPECT_EQ(as_f32(GgufFile(folder / "a").content().tensor("t")), (std::vector<float>{1, 2, 3}));
}

TEST(Gguf, RefusesToWriteNonsense) {
  const ScratchFolder folder;
  const GgufEntry entry = gguf_bool("k", true);
  const GgufTensorToWrite good = tensor_of("t", WeightType::kF32, {1}, "1234");
  const std::vector<std::vector<GgufTensorToWrite>> cases = {
      {good, good},
      {tensor_of("", WeightType::kF32, {1}, "1234")},
      {tensor_of("t", WeightType::kF32, {2}, "1234")},
      {tensor_of("t", WeightType::kQ8_0, {33}, std::string(34, 'q'))}};
  for (const auto& tensors : cases) {
    EXPECT_EQ(thrown_by([&] { write_gguf(folder / "a", {}, tensors); }).code(),
              ErrorCode::kInternal);
  }
  EXPECT_EQ(thrown_by([&] {
              write_gguf(folder / "a", std::vector{entry, entry}, {});
            }).code(),
            ErrorCode::kInternal);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(Gguf, NumbersOfTypesAreThoseOfGgml) {
  EXPECT_EQ(ggml_type(WeightType::kF32), 0u);
  EXPECT_EQ(ggml_type(WeightType::kF16), 1u);
  EXPECT_EQ(ggml_type(WeightType::kQ4_0), 2u);
  EXPECT_EQ(ggml_type(WeightType::kQ5_0), 6u);
  EXPECT_EQ(ggml_type(WeightType::kQ8_0), 8u);
  EXPECT_EQ(ggml_type(WeightType::kQ4_K), 12u);
  EXPECT_EQ(ggml_type(WeightType::kQ6_K), 14u);
  EXPECT_EQ(ggml_type(WeightType::kIQ4_NL), 20u);
  EXPECT_EQ(ggml_type(WeightType::kBF16), 30u);
}

}  // namespace
}  // namespace inkstone
