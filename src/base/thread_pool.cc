#include "base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
#include <optional>
#include <system_error>
#include <thread>
#include <utility>
#include <vector>

#include "base/check.h"
#include "base/error.h"

#if defined(__x86_64__) || defined(__i386__)
#include <immintrin.h>
#endif

namespace inkstone {
namespace {

// Long enough for the gap between two operations, far shorter than a time slice of the system.
constexpr auto kSpin = std::chrono::microseconds(50);

// A time slice of the system is longer.
constexpr auto kTurn = std::chrono::milliseconds(1);

// Whom the system puts aside in the middle of a piece holds up the whole job for another program's
// time slice. So a worker lets others run between two pieces, before its own slice is over; where
// nobody waits for the processor, that costs a microsecond.
void let_others_run() {
  thread_local auto last = std::chrono::steady_clock::now();
  if (std::chrono::steady_clock::now() - last < kTurn) return;
  ::sched_yield();
  last = std::chrono::steady_clock::now();
}

void pause() {
#if defined(__x86_64__) || defined(__i386__)
  _mm_pause();
#elif defined(__aarch64__)
  asm volatile("yield");
#endif
}

// Spins until ready() or the time is up; says whether it is ready.
template <typename F>
bool spin_until(F&& ready) {
  constexpr int kPausesPerLook = 64;
  const auto end = std::chrono::steady_clock::now() + kSpin;
  do {
    for (int i = 0; i < kPausesPerLook; ++i) {
      if (ready()) return true;
      pause();
    }
  } while (std::chrono::steady_clock::now() < end);
  return ready();
}

// While it lives, the current thread works for a pool, under a number. They lie within each other
// where a piece of one pool calls another.
class Inside {
 public:
  Inside(const void* pool, int thread) : pool_(pool), thread_(thread), outer_(innermost) {
    innermost = this;
  }
  ~Inside() { innermost = outer_; }
  Inside(const Inside&) = delete;
  Inside& operator=(const Inside&) = delete;

  // Its number in the pool; none: it is in no piece of it.
  static std::optional<int> thread_of(const void* pool) {
    for (const Inside* at = innermost; at != nullptr; at = at->outer_) {
      if (at->pool_ == pool) return at->thread_;
    }
    return std::nullopt;
  }

 private:
  static thread_local const Inside* innermost;
  const void* pool_;
  int thread_;
  const Inside* outer_;
};
thread_local const Inside* Inside::innermost = nullptr;

int processor_count() {
  cpu_set_t set;
  const int count = sched_getaffinity(0, sizeof set, &set) == 0
                        ? CPU_COUNT(&set)
                        : static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, count);
}

}  // namespace

// A job is published by the number of its pieces that nobody has taken yet. Whoever takes one keeps
// the job from being over, so that what is read of it then is its own: who comes late to a job
// finds nothing left of it, or helps with the next.
struct ThreadPool::Impl {
  ~Impl() {
    stopping_.store(true);
    jobs_.fetch_add(1);
    jobs_.notify_all();
    for (std::thread& thread : workers_) thread.join();
  }

  void start(int workers) {
    workers_.reserve(static_cast<size_t>(workers));
    while (static_cast<int>(workers_.size()) < workers) {
      const int number = static_cast<int>(workers_.size()) + 1;
      try {
        workers_.emplace_back([this, number] { work(number); });
      } catch (const std::system_error& e) {
        fail(ErrorCode::kInputOutput,
             "thread {} of {} could not be started ({}): give fewer threads", number + 1,
             workers + 1, e.code().message());
      }
    }
  }

  void run(int64_t pieces, PieceFunction function, void* context) {
    pieces_ = pieces;
    function_ = function;
    context_ = context;
    failed_.store(false, std::memory_order_relaxed);
    left_.store(static_cast<uint32_t>(pieces), std::memory_order_relaxed);
    untaken_.store(pieces);
    jobs_.fetch_add(1);
    if (sleepers_.load() > 0) jobs_.notify_all();
    take_pieces(kCaller);
    wait_for_rest();
    if (failed_.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error_, {}));
  }

 private:
  static constexpr int kCaller = 0;  // workers have the numbers from 1 on

  void take_pieces(int thread) {
    const Inside inside(this, thread);
    for (int64_t untaken = untaken_.load(); untaken > 0;) {
      if (!untaken_.compare_exchange_weak(untaken, untaken - 1)) continue;
      do_piece(pieces_ - untaken, thread);
      if (left_.fetch_sub(1) == 1 && waiting_.load()) left_.notify_all();
      if (thread != kCaller) let_others_run();
      untaken = untaken_.load();
    }
  }

  void do_piece(int64_t piece, int thread) {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      function_(context_, piece, thread);
    } catch (...) {
      const std::lock_guard lock(error_mutex_);
      if (!failed_.exchange(true)) error_ = std::current_exception();
    }
  }

  void wait_for_rest() {
    const auto done = [this] { return left_.load(std::memory_order_acquire) == 0; };
    if (spin_until(done)) return;
    waiting_.store(true);
    for (uint32_t left; (left = left_.load()) != 0;) left_.wait(left);
    waiting_.store(false);
  }

  void work(int thread) {
    for (uint32_t seen = 0;;) {
      const auto is_new = [&] { return jobs_.load(std::memory_order_acquire) != seen; };
      if (!spin_until(is_new)) {
        sleepers_.fetch_add(1);
        jobs_.wait(seen);
        sleepers_.fetch_sub(1);
      }
      seen = jobs_.load(std::memory_order_acquire);
      if (stopping_.load()) return;
      take_pieces(thread);
    }
  }

  std::atomic<int64_t> untaken_ = 0;  // pieces of the job that nobody has taken
  int64_t pieces_ = 0;
  PieceFunction function_ = nullptr;
  void* context_ = nullptr;
  std::atomic<bool> failed_ = false;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  alignas(64) std::atomic<uint32_t> left_ = 0;  // pieces not done
  std::atomic<bool> waiting_ = false;           // the caller sleeps until they are
  alignas(64) std::atomic<uint32_t> jobs_ = 0;  // that there have been
  std::atomic<int> sleepers_ = 0;
  std::atomic<bool> stopping_ = false;
  std::vector<std::thread> workers_;

 public:
  std::mutex calls;  // one job at a time
};

ThreadPool::ThreadPool(int threads)
    : threads_(threads == 0 ? processor_count() : threads), impl_(std::make_unique<Impl>()) {
  INK_CHECK(threads >= 0, "negative thread count");
}

ThreadPool::~ThreadPool() = default;

void ThreadPool::run_pieces(int64_t pieces, PieceFunction function, void* context) {
  if (const auto thread = Inside::thread_of(impl_.get())) {
    for (int64_t piece = 0; piece < pieces; ++piece) function(context, piece, *thread);
    return;
  }
  const std::lock_guard lock(impl_->calls);
  if (threads_ == 1 || pieces == 1) {
    const Inside inside(impl_.get(), 0);
    for (int64_t piece = 0; piece < pieces; ++piece) function(context, piece, 0);
    return;
  }
  INK_CHECK(pieces < int64_t{1} << 32, "too many pieces");
  impl_->start(threads_ - 1);
  impl_->run(pieces, function, context);
}

}  // namespace inkstone
