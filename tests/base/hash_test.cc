#include "base/hash.h"

#include <fmt/format.h>

#include "base/file.h"
#include "support.h"

namespace inkstone {
namespace {

using test::ScratchFolder;
using test::thrown_by;

// Byte i is i * 31 + i / 256.
std::string pattern(int size) {
  std::string bytes;
  for (int i = 0; i < size; ++i) bytes += static_cast<char>(i * 31 + i / 256);
  return bytes;
}

struct Reference {
  int size;
  uint64_t xxh3_64;
  const char* xxh3_128;
};

// tools/make_base_fixtures.py, with the Python package xxhash. The sizes lie on both sides of the
// bounds between XXH3's algorithms: 0, 1-3, 4-8, 9-16, 17-128, 129-240, 241 and above, more than
// one block.
constexpr Reference kReferences[] = {
    {0, 0x2d06800538d394c2, "99aa06d3014798d86001c324468d497f"},
    {1, 0xc44bdff4074eecdb, "a6cd5e9392000f6ac44bdff4074eecdb"},
    {3, 0x3698b80191e625f9, "4af3603b5bd30dfe3698b80191e625f9"},
    {8, 0x60e1baa91347a1f2, "791e22cdc30880ba073a25812fe4f600"},
    {16, 0xf9fbd0260ba978df, "8d0b1cd2088b9620843f49fff931d541"},
    {17, 0xc56f339d36cc73d7, "340f6f9202ad1131a378e80882221151"},
    {128, 0x31ccf8dec850d035, "9ac3a2d505dc8bbaffb5b9abed8b314d"},
    {129, 0xc72af4c6ac4dea94, "4f3f783d604d0184c83022477e6bf25a"},
    {240, 0xe315d53d5129eede, "550b8ce07c44bc98c018ce69a32b5a7c"},
    {241, 0x18773c512b008a63, "8e7e1f2fe4156df918773c512b008a63"},
    {1024, 0x5a1893edffa2577c, "ea65234127f4dd7b5a1893edffa2577c"},
    {1025, 0x550abe5d45dd663b, "0fabde917fb0af22550abe5d45dd663b"},
    {5000, 0xc0dd97972a4d2de3, "47aa050a1d2c0b8cc0dd97972a4d2de3"},
};

TEST(Hash, EqualsXxHash) {
  const ScratchFolder folder;
  for (const Reference& reference : kReferences) {
    const std::string bytes = pattern(reference.size);
    EXPECT_EQ(hash64(bytes), reference.xxh3_64) << reference.size;
    EXPECT_EQ(hash128_hex(bytes), reference.xxh3_128) << reference.size;
    write_file(folder / "a", bytes);
    EXPECT_EQ(hash128_hex_of_file(folder / "a"), reference.xxh3_128) << reference.size;
  }
  EXPECT_EQ(thrown_by([&] { hash128_hex_of_file(folder / "none"); }).code(), ErrorCode::kNotFound);
}

TEST(Hash64, DoesNotDependOnTheCuts) {
  const std::string bytes = pattern(5000);
  for (const size_t piece : {1, 7, 64, 255, 256, 257, 4999}) {
    Hash64 hash;
    for (size_t at = 0; at < bytes.size(); at += piece) {
      hash.add(std::string_view(bytes).substr(at, piece));
    }
    EXPECT_EQ(hash.value(), hash64(bytes)) << piece;
    EXPECT_EQ(hash.value(), hash64(bytes)) << "asked again";
  }
}

TEST(Hash64, ResetStartsAnew) {
  Hash64 hash;
  EXPECT_EQ(hash.value(), hash64(""));
  hash.add("something");
  hash.reset();
  EXPECT_EQ(hash.value(), hash64(""));
  hash.add("other");
  EXPECT_EQ(hash.value(), hash64("other"));
}

TEST(Hash128, DependsOnTheBytesAlone) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += static_cast<char>(i * 7);
  Hash128 hash;
  for (const size_t size : {0u, 1u, 17u, 240u, 241u, 3000u}) {
    hash.reset();
    for (size_t at = 0; at < size; at += 13)
      hash.add(std::string_view(text).substr(0, size).substr(at, 13));
    const Digest128 whole = hash128(std::string_view(text).substr(0, size));
    EXPECT_EQ(hash.value(), whole);
    EXPECT_EQ(fmt::format("{:016x}{:016x}", whole.high, whole.low),
              hash128_hex(text.substr(0, size)));
  }
}

}  // namespace
}  // namespace inkstone
