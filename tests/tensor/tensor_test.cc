// Shapes and arenas, whose sizes may come from a file or an option.
#include <gtest/gtest.h>

#include <functional>
#include <string>

#include "support.h"
#include "tensor/arena.h"

namespace inkstone {
namespace {

constexpr int64_t kLarge = int64_t{1} << 32;

void expect_too_large(const std::function<void()>& f) {
  const Error error = test::thrown_by(f);
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(std::string(error.what()).find("too large") != std::string::npos) << error.what();
}

TEST(Shape, CountsItsElements) {
  EXPECT_EQ(Shape({}).count(), 1);
  EXPECT_EQ(Shape({2, 3, 5}).count(), 30);
  EXPECT_EQ(Shape({7, 0}).count(), 0);
  EXPECT_EQ(Shape({kLarge, kLarge / 4}).count(), int64_t{1} << 62);
}

// 2^32 times 2^32 is 0 in 64 bits, 2^31 times 2^32 negative.
TEST(Shape, RefusesACountThatDoesNotFit) {
  expect_too_large([] { Shape({kLarge, kLarge}).count(); });
  expect_too_large([] { Shape({kLarge / 2, kLarge}).count(); });
  expect_too_large([] { Shape({kLarge, kLarge / 4, 2}).count(); });
}

TEST(View, RefusesBytesThatDoNotFit) {
  const View view{nullptr, DType::kF32, {kLarge, kLarge / 8}};
  EXPECT_EQ(view.count(), int64_t{1} << 61);
  expect_too_large([&] { view.bytes(); });
}

TEST(Arena, PlansAlignedTensorsAndTakesThemFromMemory) {
  Arena count;
  EXPECT_FALSE(count.take(DType::kF32, {3}));
  count.take(DType::kBF16, {33});
  EXPECT_EQ(count.used_bytes(), 64 + 128);
  alignas(64) std::byte memory[192];
  Arena arena(memory, sizeof memory);
  EXPECT_EQ(arena.take(DType::kF32, {3}).data, memory);
  EXPECT_EQ(arena.take(DType::kBF16, {33}).data, memory + 64);
  EXPECT_EQ(test::thrown_by([&] { arena.take(DType::kU8, {1}); }).code(), ErrorCode::kInternal);
}

TEST(Arena, RefusesAPlanThatDoesNotFit) {
  Arena arena;
  arena.take(DType::kF32, {kLarge, kLarge / 16});  // 2^62 bytes
  expect_too_large([&] { arena.take(DType::kF32, {kLarge, kLarge / 16}); });
  expect_too_large([&] { Arena().take(DType::kF32, {kLarge, kLarge / 8}); });
}

}  // namespace
}  // namespace inkstone
