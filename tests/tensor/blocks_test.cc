// Blocks of weights against the gguf package (tools/make_block_fixtures.py): the same bits.
#include "tensor/blocks.h"

#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "formats/safetensors.h"
#include "support.h"

namespace inkstone {
namespace {

constexpr std::array kBlockTypes = {
    WeightType::kF16,  WeightType::kBF16, WeightType::kQ8_0,   WeightType::kQ4_0, WeightType::kQ4_1,
    WeightType::kQ5_0, WeightType::kQ5_1, WeightType::kIQ4_NL, WeightType::kQ2_K, WeightType::kQ3_K,
    WeightType::kQ4_K, WeightType::kQ5_K, WeightType::kQ6_K};

const SafetensorsFile& fixtures() {
  static const SafetensorsFile file(test::fixture("tensor/blocks.safetensors"));
  return file;
}

std::vector<uint32_t> float_bits(std::span<const std::byte> bytes) {
  std::vector<uint32_t> bits(bytes.size() / 4);
  std::memcpy(bits.data(), bytes.data(), bytes.size());
  return bits;
}

std::vector<float> floats(std::span<const std::byte> bytes) {
  std::vector<float> to(bytes.size() / 4);
  std::memcpy(to.data(), bytes.data(), bytes.size());
  return to;
}

TEST(WeightTypes, AreFoundByTheirNames) {
  for (int i = 0; i <= static_cast<int>(WeightType::kQ6_K); ++i) {
    const auto type = static_cast<WeightType>(i);
    EXPECT_EQ(weight_type_by_name(name(type)), type);
    EXPECT_EQ(block_of(type).elements == 1, is_float(type));
  }
  EXPECT_EQ(weight_type_by_name("q4_k_m"), std::nullopt);
  EXPECT_EQ(weight_type_by_name(""), std::nullopt);
}

TEST(DecodeRow, HasTheBitsOfGguf) {
  for (const WeightType type : kBlockTypes) {
    const std::string named(name(type));
    const auto blocks = fixtures().at(named + ".blocks").bytes;
    const auto want = fixtures().at(named + ".values").bytes;
    const auto count = static_cast<int64_t>(want.size() / 4);
    ASSERT_EQ(row_bytes(type, count), static_cast<int64_t>(blocks.size())) << named;
    std::vector<float> values(static_cast<size_t>(count));
    decode_row(type, blocks.data(), count, values.data());
    EXPECT_EQ(float_bits(std::as_bytes(std::span(values))), float_bits(want)) << named;
  }
}

// A row may begin at any byte of a file.
TEST(DecodeRow, ReadsFromAnyAddress) {
  for (const WeightType type : kBlockTypes) {
    const auto blocks = fixtures().at(std::string(name(type)) + ".blocks").bytes;
    const int64_t count = block_of(type).elements;
    std::vector<std::byte> moved(blocks.size() + 1);
    std::copy(blocks.begin(), blocks.end(), moved.begin() + 1);
    std::vector<float> aligned(static_cast<size_t>(count)), unaligned(aligned);
    decode_row(type, blocks.data(), count, aligned.data());
    decode_row(type, moved.data() + 1, count, unaligned.data());
    EXPECT_EQ(float_bits(std::as_bytes(std::span(aligned))),
              float_bits(std::as_bytes(std::span(unaligned))))
        << name(type);
  }
}

TEST(DecodeRow, TakesWholeBlocksOnly) {
  std::vector<std::byte> block(256);
  std::vector<float> to(256);
  EXPECT_EQ(
      test::thrown_by([&] { decode_row(WeightType::kQ4_0, block.data(), 31, to.data()); }).code(),
      ErrorCode::kInternal);
  EXPECT_EQ(
      test::thrown_by([&] { decode_row(WeightType::kQ4_K, block.data(), 32, to.data()); }).code(),
      ErrorCode::kInternal);
  decode_row(WeightType::kQ4_K, nullptr, 0, nullptr);
}

TEST(EncodeRow, HasTheBitsOfGgufWithoutImportance) {
  const std::vector<float> values = floats(fixtures().at("encode.values").bytes);
  for (const char* named : {"q8_0", "q4_0", "q4_1", "q5_0", "q5_1"}) {
    const WeightType type = *weight_type_by_name(named);
    const auto want = fixtures().at(std::string(named) + ".encoded").bytes;
    std::vector<std::byte> encoded(want.size());
    encode_row(type, values.data(), static_cast<int64_t>(values.size()), nullptr, encoded.data());
    EXPECT_EQ(encoded, std::vector<std::byte>(want.begin(), want.end())) << named;
  }
}

}  // namespace
}  // namespace inkstone
