#include "corpus/prepare/fate_list.h"

#include <gtest/gtest.h>

#include <random>

#include "support.h"

namespace inkstone {
namespace {

// Against a list in memory: passes in order, and changes anywhere between them.
TEST(FateList, IsAListOnTheDisk) {
  const test::ScratchFolder folder;
  constexpr size_t kCount = 3 * FateList::kBlock + 5;
  std::vector<Fate> expected(kCount, Fate::kTrain);
  FateList fates(folder.path(), kCount);
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
  std::mt19937 random(1);
  const auto set = [&](size_t i) {
    const auto fate = static_cast<Fate>(random() % 5);
    fates.set(i, fate);
    expected[i] = fate;
  };
  for (int pass = 0; pass < 4; ++pass) {
    ASSERT_EQ(fates.size(), kCount);
    for (size_t i = 0; i < kCount; ++i) {
      ASSERT_EQ(fates.at(i), expected[i]) << i;
      if (random() % 3 == 0) set(i);
      if (random() % 100 == 0) set(random() % kCount);
    }
    for (int times = 0; times < 1000; ++times) set(random() % kCount);
  }
}

TEST(FateList, MayBeEmpty) {
  const test::ScratchFolder folder;
  EXPECT_EQ(FateList(folder.path(), 0).size(), 0u);
}

}  // namespace
}  // namespace inkstone
