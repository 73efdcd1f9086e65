#include "base/thread_pool.h"

#include <gtest/gtest.h>
#include <sched.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <chrono>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

#include "inkstone/error.h"
#include "inkstone/runtime.h"
#include "support.h"

// What the pool gives its processor up by, in place of the C library's: it counts, too.
namespace {
thread_local int yields = 0;
}
extern "C" int sched_yield() noexcept {
  ++yields;
  return static_cast<int>(::syscall(SYS_sched_yield));
}

namespace inkstone {
namespace {

struct Range {
  int64_t begin, end;
  bool operator==(const Range&) const = default;
};

// The pieces of a parallel_for; no two may run at a time with the same thread.
std::vector<Range> pieces_of(ThreadPool& pool, int64_t count, int64_t grain) {
  std::mutex mutex;
  std::vector<Range> result;
  std::vector<std::atomic<int>> inside(static_cast<size_t>(pool.threads()));
  pool.parallel_for(count, grain, [&](int64_t begin, int64_t end, int thread) {
    ASSERT_GE(thread, 0);
    ASSERT_LT(thread, pool.threads());
    EXPECT_EQ(++inside[static_cast<size_t>(thread)], 1);
    {
      const std::lock_guard lock(mutex);
      result.push_back({begin, end});
    }
    --inside[static_cast<size_t>(thread)];
  });
  std::ranges::sort(result, {}, &Range::begin);
  return result;
}

TEST(ThreadPool, CoversEveryIndexOnceInAlignedPieces) {
  for (const int threads : {1, 2, 3, 8}) {
    ThreadPool pool(threads);
    for (const int64_t grain : {1, 2, 7, 64}) {
      for (const int64_t count : {1, 2, 6, 7, 8, 63, 64, 65, 1000}) {
        int64_t next = 0;
        for (const Range& piece : pieces_of(pool, count, grain)) {
          EXPECT_EQ(piece.begin, next);
          EXPECT_LT(piece.begin, piece.end);
          EXPECT_EQ(piece.begin % grain, 0);
          EXPECT_TRUE(piece.end % grain == 0 || piece.end == count);
          next = piece.end;
        }
        EXPECT_EQ(next, count) << "threads " << threads << " grain " << grain;
      }
    }
  }
}

// One that is put aside holds up a small part of the work: no piece is much longer than another,
// and there are several for each thread.
TEST(ThreadPool, ThePiecesAreSmallAndBalanced) {
  ThreadPool pool(3);
  for (const int64_t count : {4, 5, 7, 100, 103, 100'000}) {
    int64_t least = count, most = 0, pieces = 0;
    for (const Range& piece : pieces_of(pool, count, 1)) {
      least = std::min(least, piece.end - piece.begin);
      most = std::max(most, piece.end - piece.begin);
      ++pieces;
    }
    EXPECT_LE(most - least, 1) << count;
    EXPECT_GE(pieces, std::min<int64_t>(count, 4 * 3)) << count;
  }
}

TEST(ThreadPool, NothingToDo) {
  ThreadPool pool(2);
  EXPECT_TRUE(pieces_of(pool, 0, 1).empty());
  EXPECT_TRUE(pieces_of(pool, -5, 1).empty());
  pool.parallel_each(0, [](int64_t, int) { FAIL(); });
}

TEST(ThreadPool, WritesAreVisibleAfterwards) {
  ThreadPool pool(4);
  std::vector<int> values(10'000);
  for (int round = 1; round <= 2000; ++round) {
    pool.parallel_for(10'000, 1, [&](int64_t begin, int64_t end, int) {
      for (int64_t i = begin; i < end; ++i) values[static_cast<size_t>(i)] += 1;
    });
    ASSERT_EQ(std::ranges::count(values, round), 10'000) << round;
  }
}

// Jobs shorter than the way to a thread, after pauses longer than it waits: whoever comes late to
// one must take nothing of the next.
TEST(ThreadPool, LatecomersTakeNothingOfTheNextJob) {
  ThreadPool pool(4);
  for (int round = 0; round < 20'000; ++round) {
    const int64_t count = 1 + round % 5;
    std::array<std::atomic<int>, 5> calls{};
    pool.parallel_each(count, [&](int64_t i, int) { ++calls[static_cast<size_t>(i)]; });
    for (int64_t i = 0; i < 5; ++i) {
      ASSERT_EQ(calls[static_cast<size_t>(i)], i < count ? 1 : 0) << round;
    }
    if (round % 1000 == 0) std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
}

TEST(ThreadPool, PiecesRunAtTheSameTime) {
  ThreadPool pool(2);
  std::atomic<int> inside = 0, met = 0;
  // Each waits until the other is there too.
  pool.parallel_each(2, [&](int64_t, int) {
    const auto start = std::chrono::steady_clock::now();
    ++inside;
    while (inside < 2 && std::chrono::steady_clock::now() - start < std::chrono::seconds(20)) {
      sched_yield();
    }
    met += inside == 2;
  });
  EXPECT_EQ(met, 2);
}

// While one thread is held up by its piece, the others do all the rest.
TEST(ThreadPool, AThreadThatIsHeldUpHoldsUpItsPieceAlone) {
  ThreadPool pool(2);
  std::atomic<int> others = 0;
  pool.parallel_each(100, [&](int64_t i, int) {
    if (i > 0) {
      ++others;
      return;
    }
    const auto start = std::chrono::steady_clock::now();
    while (others < 99 && std::chrono::steady_clock::now() - start < std::chrono::seconds(20)) {
      sched_yield();
    }
    EXPECT_EQ(others, 99);
  });
}

// The system puts aside a thread that has worked for its whole time slice, in the middle of a piece
// that all others then wait for. So a worker gives its processor up between two pieces, long
// before; the caller, for whom all others wait anyway, does not.
TEST(ThreadPool, AWorkerLetsOthersRunBetweenItsPieces) {
  ThreadPool pool(2);
  std::array<std::atomic<int>, 2> pieces{}, yields_before{}, yields_after{};
  pool.parallel_each(20, [&](int64_t, int thread) {
    const auto self = static_cast<size_t>(thread);
    if (++pieces[self] == 1) yields_before[self] = yields;
    yields_after[self] = yields;
    const auto start = std::chrono::steady_clock::now();
    const auto elapsed = [&] { return std::chrono::steady_clock::now() - start; };
    while (elapsed() < std::chrono::milliseconds(2)) continue;
    // The caller's pieces last until the worker has done some.
    while (self == 0 && pieces[1] < 4 && elapsed() < std::chrono::seconds(20)) continue;
  });
  ASSERT_GT(pieces[0], 0);
  ASSERT_GE(pieces[1], 4);
  EXPECT_GT(yields_after[1], yields_before[1]);
  EXPECT_EQ(yields_after[0], yields_before[0]);
}

// In every place: the first piece, the last, one of the caller's, one of another thread's.
TEST(ThreadPool, PassesOnWhatAnyPieceThrows) {
  for (const int threads : {1, 2, 3}) {
    ThreadPool pool(threads);
    for (int64_t thrower = 0; thrower < 20; ++thrower) {
      EXPECT_THROW(pool.parallel_each(20,
                                      [&](int64_t i, int) {
                                        if (i == thrower) throw std::runtime_error("this one");
                                      }),
                   std::runtime_error);
    }
    for (int wanted = 0; wanted < threads; ++wanted) {
      std::atomic<int> met = 0;
      const auto meet_and_throw = [&](int64_t, int thread) {
        ++met;
        while (met < threads) sched_yield();  // so that every thread has one
        if (thread == wanted) throw std::runtime_error("this thread");
      };
      EXPECT_THROW(pool.parallel_each(threads, meet_and_throw), std::runtime_error) << wanted;
    }
    std::atomic<int> calls = 0;  // and goes on as before
    pool.parallel_each(100, [&](int64_t, int) { ++calls; });
    EXPECT_EQ(calls, 100);
  }
}

TEST(ThreadPool, ThrowsOneOfSeveralAndBeginsNoMore) {
  ThreadPool pool(3);
  std::atomic<int> calls = 0;
  EXPECT_THROW(pool.parallel_each(100'000,
                                  [&](int64_t, int) {
                                    ++calls;
                                    throw std::runtime_error("each");
                                  }),
               std::runtime_error);
  EXPECT_LE(calls, 3);
}

TEST(ThreadPool, ACallFromInsideRunsInItsThreadAlone) {
  ThreadPool pool(3);
  std::atomic<int> calls = 0;
  pool.parallel_each(9, [&](int64_t, int outer) {
    pool.parallel_for(10, 1, [&](int64_t begin, int64_t end, int inner) {
      EXPECT_EQ(inner, outer);
      calls += static_cast<int>(end - begin);
    });
  });
  EXPECT_EQ(calls, 90);
}

TEST(ThreadPool, ACallFromInsideByWayOfAnotherPoolRunsInItsThreadAlone) {
  ThreadPool pool(2), other(1);
  std::atomic<int> calls = 0;
  pool.parallel_each(4, [&](int64_t, int outer) {
    other.parallel_each(2, [&](int64_t, int) {
      pool.parallel_each(3, [&](int64_t, int inner) {
        EXPECT_EQ(inner, outer);
        ++calls;
      });
    });
  });
  EXPECT_EQ(calls, 24);
}

TEST(ThreadPool, CallsFromSeveralThreadsTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> inside = 0;
  std::atomic<int64_t> sum = 0;
  const auto work = [&] {
    for (int round = 0; round < 500; ++round) {
      std::atomic<int> of_this = 0;
      pool.parallel_each(4, [&](int64_t i, int) {
        EXPECT_LE(++inside, 2);
        ++of_this;
        sum += i;
        --inside;
      });
      EXPECT_EQ(of_this, 4);
    }
  };
  std::vector<std::thread> callers;
  for (int i = 0; i < 3; ++i) callers.emplace_back(work);
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(sum, 3 * 500 * 6);
}

TEST(ThreadPool, TwoPoolsWorkAtTheSameTime) {
  const auto work = [] {
    ThreadPool pool(2);
    int64_t sum = 0;
    for (int round = 0; round < 500; ++round) {
      std::vector<int64_t> of_piece(8);
      pool.parallel_each(8, [&](int64_t i, int) { of_piece[static_cast<size_t>(i)] = i; });
      for (const int64_t i : of_piece) sum += i;
    }
    EXPECT_EQ(sum, 500 * 28);
  };
  std::thread other(work);
  work();
  other.join();
}

TEST(ThreadPool, InAForkedProcessTheCallerDoesAllTheWork) {
  ThreadPool pool(3);
  pool.parallel_each(9, [](int64_t, int) {});
  const pid_t child = ::fork();
  if (child == 0) {
    std::atomic<int> calls = 0;
    pool.parallel_each(100, [&](int64_t, int) { ++calls; });
    ::_exit(calls == 100 ? 0 : 1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

TEST(ThreadPool, ZeroThreadsMeansAllProcessors) {
  cpu_set_t set;
  ASSERT_EQ(sched_getaffinity(0, sizeof set, &set), 0);
  EXPECT_EQ(ThreadPool(0).threads(), CPU_COUNT(&set));
  EXPECT_EQ(ThreadPool(5).threads(), 5);
}

TEST(Runtime, NamesWhatItDoesNotKnow) {
  const Runtime runtime({.threads = 3});
  EXPECT_EQ(runtime.device(), "cpu");
  EXPECT_EQ(runtime.threads(), 3);
  const Runtime copy = runtime;
  EXPECT_EQ(&copy.pool(), &runtime.pool());
  const Error unknown = test::thrown_by([] { Runtime({.device = "tpu"}); });
  EXPECT_EQ(unknown.code(), ErrorCode::kUsage);
  EXPECT_EQ(std::string(unknown.what()), "device is 'tpu', expected cpu or cuda");
  EXPECT_EQ(test::thrown_by([] { Runtime({.threads = -1}); }).code(), ErrorCode::kUsage);
  EXPECT_EQ(test::thrown_by([] { Runtime({.index = -1}); }).code(), ErrorCode::kUsage);
}

}  // namespace
}  // namespace inkstone
