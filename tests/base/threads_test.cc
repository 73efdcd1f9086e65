#include "base/threads.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <omp.h>
#include <sched.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <mutex>
#include <vector>

namespace inkstone {
namespace {

struct Range {
  int64_t begin, end;
  int thread;
  bool operator==(const Range&) const = default;
};

std::vector<Range> ranges(int64_t count, int64_t grain) {
  std::mutex mutex;
  std::vector<Range> result;
  parallel_for(count, grain, [&](int64_t begin, int64_t end, int thread) {
    const std::lock_guard lock(mutex);
    result.push_back({begin, end, thread});
  });
  std::ranges::sort(result, {}, &Range::begin);
  return result;
}

// Leaves the thread count as it was.
class ParallelFor : public ::testing::Test {
 protected:
  ~ParallelFor() override { set_thread_count(before_); }

 private:
  int before_ = thread_count();
};

TEST_F(ParallelFor, CoversEveryIndexOnceInAlignedRanges) {
  for (const int threads : {1, 2, 3, 8}) {
    set_thread_count(threads);
    for (const int64_t grain : {1, 2, 7, 64}) {
      for (const int64_t count : {1, 2, 6, 7, 8, 63, 64, 65, 1000}) {
        const std::vector<Range> found = ranges(count, grain);
        ASSERT_FALSE(found.empty());
        EXPECT_LE(static_cast<int>(found.size()), threads);
        int64_t next = 0;
        for (const Range& range : found) {
          EXPECT_EQ(range.begin, next);
          EXPECT_LT(range.begin, range.end);
          EXPECT_EQ(range.begin % grain, 0);
          EXPECT_TRUE(range.end % grain == 0 || range.end == count);
          EXPECT_GE(range.thread, 0);
          EXPECT_LT(range.thread, threads);
          next = range.end;
        }
        EXPECT_EQ(next, count) << "threads " << threads << " grain " << grain;
      }
    }
  }
}

TEST_F(ParallelFor, TheRangesAreAlwaysTheSame) {
  set_thread_count(3);
  const std::vector<Range> first = ranges(1000, 16);
  EXPECT_EQ(first.size(), 3u);
  for (int i = 0; i < 20; ++i) EXPECT_EQ(ranges(1000, 16), first);
}

// No thread may have much more to do than another: at most one grain more.
TEST_F(ParallelFor, TheRangesAreBalanced) {
  set_thread_count(4);
  for (const int64_t count : {4, 5, 7, 100, 103}) {
    int64_t least = count, most = 0;
    for (const Range& range : ranges(count, 1)) {
      least = std::min(least, range.end - range.begin);
      most = std::max(most, range.end - range.begin);
    }
    EXPECT_LE(most - least, 1) << count;
  }
}

TEST_F(ParallelFor, WritesAreVisibleAfterwards) {
  set_thread_count(4);
  std::vector<int> values(10'000);
  for (int round = 1; round <= 20; ++round) {
    parallel_for(10'000, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[i] += 1;
    });
    EXPECT_EQ(std::ranges::count(values, round), 10'000);
  }
}

TEST_F(ParallelFor, NothingToDo) {
  EXPECT_TRUE(ranges(0, 1).empty());
  EXPECT_TRUE(ranges(-5, 1).empty());
}

TEST_F(ParallelFor, OneThreadRunsInTheCallersThread) {
  set_thread_count(1);
  EXPECT_EQ(ranges(100, 8), (std::vector<Range>{{0, 100, 0}}));
}

TEST_F(ParallelFor, RangesRunAtTheSameTime) {
  set_thread_count(2);
  std::atomic<int> inside = 0, met = 0;
  // Each range waits until the other is there too.
  parallel_for(2, 1, [&](int64_t, int64_t, int) {
    const auto start = std::chrono::steady_clock::now();
    ++inside;
    while (inside < 2 && std::chrono::steady_clock::now() - start < std::chrono::seconds(20)) {
      sched_yield();
    }
    met += inside == 2;
  });
  EXPECT_EQ(met, 2);
}

// As with OMP_DYNAMIC=true or OMP_THREAD_LIMIT in the environment: nothing may be left out.
TEST_F(ParallelFor, FewerThreadsThanAskedForDoAllTheWork) {
  set_thread_count(3);
  const std::vector<Range> usual = ranges(1000, 16);
  const int levels = omp_get_max_active_levels();
  omp_set_max_active_levels(0);  // every parallel region has one thread
  const std::vector<Range> found = ranges(1000, 16);
  omp_set_max_active_levels(levels);
  EXPECT_EQ(found, usual);
}

TEST_F(ParallelFor, ZeroThreadsMeansAllProcessors) {
  set_thread_count(0);
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(thread_count(), CPU_COUNT(&set));
  set_thread_count(5);
  EXPECT_EQ(thread_count(), 5);
}

TEST(ParallelEach, CallsEachOnceAndPassesOnWhatIsThrown) {
  const int before = thread_count();
  for (const int threads : {1, 3}) {
    set_thread_count(threads);
    std::vector<int> calls(1000);
    parallel_each(1000, [&](int64_t i, int thread) {
      EXPECT_LT(thread, threads);
      ++calls[static_cast<size_t>(i)];
    });
    EXPECT_EQ(calls, std::vector<int>(1000, 1));
    parallel_each(0, [](int64_t, int) { FAIL(); });
    EXPECT_THROW(parallel_each(100,
                               [](int64_t i, int) {
                                 if (i == 50) throw std::runtime_error("50");
                               }),
                 std::runtime_error);
  }
  set_thread_count(before);
}

}  // namespace
}  // namespace inkstone
