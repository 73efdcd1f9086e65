#include "formats/token_shard.h"

#include <array>
#include <cstring>

#include "support.h"

namespace inkstone {
namespace {

using test::mentions;
using test::ScratchFolder;
using test::thrown_by;

// A shard as llm.c's data_common.py writes it, byte by byte.
std::string shard_bytes(int32_t magic, int32_t version, int32_t count, std::string_view tokens) {
  std::array<int32_t, 256> header{};
  header[0] = magic;
  header[1] = version;
  header[2] = count;
  std::string bytes(1024, '\0');
  std::memcpy(bytes.data(), header.data(), bytes.size());
  return bytes.append(tokens);
}

using std::string_view_literals::operator""sv;

constexpr std::string_view kThree16 = "\x01\x00\x50\xC4\xFF\xFF"sv;        // 1, 50256, 65535
constexpr std::string_view kTwo32 = "\x01\x00\x00\x00\x00\x00\x01\x00"sv;  // 1, 65536

TEST(TokenShard, Reads16Bits) {
  const ScratchFolder folder;
  write_file(folder / "a.bin", shard_bytes(20240520, 1, 3, kThree16));
  const TokenShard shard(folder / "a.bin");
  EXPECT_EQ(shard.count(), 3);
  EXPECT_EQ(shard.bits(), 16);
  std::vector<TokenId> tokens(3);
  shard.read(0, tokens);
  EXPECT_EQ(tokens, (std::vector<TokenId>{1, 50256, 65535}));
  shard.read(2, std::span(tokens).first(1));
  EXPECT_EQ(tokens[0], 65535);
  shard.read(3, {});
}

TEST(TokenShard, Reads32Bits) {
  const ScratchFolder folder;
  write_file(folder / "a.bin", shard_bytes(20240801, 7, 2, kTwo32));
  const TokenShard shard(folder / "a.bin");
  EXPECT_EQ(shard.bits(), 32);
  std::vector<TokenId> tokens(2);
  shard.read(0, tokens);
  EXPECT_EQ(tokens, (std::vector<TokenId>{1, 65536}));
}

TEST(TokenShard, RefusesRangesOutside) {
  const ScratchFolder folder;
  write_file(folder / "a.bin", shard_bytes(20240520, 1, 3, kThree16));
  const TokenShard shard(folder / "a.bin");
  std::vector<TokenId> tokens(2);
  EXPECT_EQ(thrown_by([&] { shard.read(2, tokens); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(thrown_by([&] { shard.read(-1, tokens); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(thrown_by([&] { shard.read(INT64_MAX, tokens); }).code(), ErrorCode::kInternal);
}

TEST(TokenShard, RefusesATokenAboveInt32) {
  const ScratchFolder folder;
  write_file(folder / "a.bin", shard_bytes(20240801, 7, 2, "\x01\x00\x00\x00\x00\x00\x00\x80"sv));
  const TokenShard shard(folder / "a.bin");
  std::vector<TokenId> tokens(1);
  shard.read(0, tokens);
  const Error error = thrown_by([&] { shard.read(1, tokens); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(mentions(error, "a.bin"));
  EXPECT_TRUE(mentions(error, "token 1 is 2147483648"));
}

struct Damaged {
  std::string bytes, expected_text;
};

TEST(TokenShard, NamesWhatIsWrong) {
  const std::vector<Damaged> cases = {
      {"", "0 bytes"},
      {std::string(1023, '\0'), "1023 bytes"},
      {shard_bytes(20240521, 1, 3, kThree16), "magic number is 20240521"},
      {shard_bytes(20240520, 2, 3, kThree16), "version 2, expected 1"},
      {shard_bytes(20240801, 1, 2, kTwo32), "version 1, expected 7"},
      {shard_bytes(20240520, 1, -1, ""), "count of -1"},
      {shard_bytes(20240520, 1, 4, kThree16),
       "has 1030 bytes, expected 1032 for 4 tokens of 16 bits: it is cut short"},
      {shard_bytes(20240520, 1, 2, kThree16), "it is too long"},
      {shard_bytes(20240520, 1, 3, kThree16.substr(0, 5)), "has 1029 bytes"},
      {shard_bytes(20240801, 7, INT32_MAX, kTwo32), "expected 8589935612"},
  };
  const ScratchFolder folder;
  for (const Damaged& damaged : cases) {
    write_file(folder / "bad.bin", damaged.bytes);
    const Error error = thrown_by([&] { TokenShard shard(folder / "bad.bin"); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, "bad.bin"));
    EXPECT_TRUE(mentions(error, damaged.expected_text));
  }
  EXPECT_EQ(thrown_by([&] { TokenShard shard(folder / "none.bin"); }).code(), ErrorCode::kNotFound);
}

TEST(TokenShardWriter, WritesTheBytesOfLlmC) {
  const ScratchFolder folder;
  TokenShardWriter writer(folder / "16.bin", 16);
  writer.write(std::vector<TokenId>{1, 50256});
  writer.write(std::vector<TokenId>{65535});
  EXPECT_FALSE(std::filesystem::exists(folder / "16.bin"));
  writer.commit();
  EXPECT_EQ(read_file(folder / "16.bin"), shard_bytes(20240520, 1, 3, kThree16));

  TokenShardWriter wide(folder / "32.bin", 32);
  wide.write(std::vector<TokenId>{1, 65536});
  wide.commit();
  EXPECT_EQ(read_file(folder / "32.bin"), shard_bytes(20240801, 7, 2, kTwo32));
}

TEST(TokenShardWriter, RoundTripsMoreThanOnePiece) {
  const ScratchFolder folder;
  std::vector<TokenId> tokens(100'003);
  for (size_t i = 0; i < tokens.size(); ++i) tokens[i] = static_cast<TokenId>(i * 40503 % 65536);
  for (const int bits : {16, 32}) {
    TokenShardWriter writer(folder / "a.bin", bits);
    writer.write(std::span(tokens).first(70'000));
    writer.write(std::span(tokens).subspan(70'000));
    writer.commit();
    std::vector<TokenId> back(tokens.size());
    TokenShard(folder / "a.bin").read(0, back);
    EXPECT_EQ(back, tokens) << bits;
  }
}

TEST(TokenShardWriter, RefusesWhatDoesNotFit) {
  const ScratchFolder folder;
  TokenShardWriter writer(folder / "a.bin", 16);
  EXPECT_EQ(thrown_by([&] { writer.write(std::vector{65536}); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(thrown_by([&] { writer.write(std::vector{1, -1}); }).code(), ErrorCode::kInternal);
  EXPECT_EQ(writer.count(), 0);
  writer.write(std::vector{1});
  writer.commit();
  EXPECT_EQ(TokenShard(folder / "a.bin").count(), 1);
  EXPECT_EQ(thrown_by([&] { TokenShardWriter(folder / "b.bin", 8); }).code(), ErrorCode::kInternal);
  TokenShardWriter wide(folder / "c.bin", 32);
  EXPECT_EQ(thrown_by([&] { wide.write(std::vector{-1}); }).code(), ErrorCode::kInternal);
}

TEST(TokenShardWriter, WithoutCommitNothingIsLeft) {
  const ScratchFolder folder;
  TokenShardWriter(folder / "a.bin", 16).write(std::vector{1});
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

TEST(TokenShardWriter, AnEmptyShardIsValid) {
  const ScratchFolder folder;
  TokenShardWriter(folder / "a.bin", 16).commit();
  EXPECT_EQ(TokenShard(folder / "a.bin").count(), 0);
}

}  // namespace
}  // namespace inkstone
