#include "base/thread_pool.h"

#include <sched.h>

#include <atomic>
#include <chrono>
#include <exception>
#include <mutex>
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

// The pool and the number under which the current thread works, while it is inside a piece.
struct Inside {
  const void* pool = nullptr;
  int thread = 0;
};
thread_local Inside inside;

class Entered {
 public:
  Entered(const void* pool, int thread) : before_(inside) { inside = {pool, thread}; }
  ~Entered() { inside = before_; }
  Entered(const Entered&) = delete;
  Entered& operator=(const Entered&) = delete;

 private:
  Inside before_;
};

}  // namespace

int processor_count() {
  cpu_set_t set;
  const int count = sched_getaffinity(0, sizeof set, &set) == 0
                        ? CPU_COUNT(&set)
                        : static_cast<int>(std::thread::hardware_concurrency());
  return std::max(1, count);
}

// A job is published by its number. `claims_` holds that number and how many pieces nobody has
// taken yet in one word: who comes late, with a job in mind that is over, finds nothing left of it
// and cannot take a piece of the next one. Whoever has claimed a piece keeps the job from being
// over, so that what is read of it then is its own.
struct ThreadPool::Impl {
  ~Impl() {
    stopping_.store(true);
    job_.fetch_add(1);  // wakes them
    job_.notify_all();
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
    const uint32_t job = job_.load(std::memory_order_relaxed) + 1;
    pieces_.store(pieces, std::memory_order_relaxed);
    function_.store(function, std::memory_order_relaxed);
    context_.store(context, std::memory_order_relaxed);
    failed_.store(false, std::memory_order_relaxed);
    left_.store(static_cast<uint32_t>(pieces), std::memory_order_relaxed);
    claims_.store(uint64_t{job} << 32 | static_cast<uint32_t>(pieces));
    job_.store(job);
    if (sleepers_.load() > 0) job_.notify_all();
    take_pieces(job, 0);
    wait_for_rest();
    if (failed_.load(std::memory_order_relaxed)) std::rethrow_exception(std::exchange(error_, {}));
  }

 private:
  void take_pieces(uint32_t job, int thread) {
    const Entered entered(this, thread);
    for (int64_t piece; (piece = claim(job)) >= 0;) {
      do_piece(piece, thread);
      if (left_.fetch_sub(1) == 1 && waiting_.load()) left_.notify_all();
    }
  }

  // The next piece of the job, -1 when all are taken.
  int64_t claim(uint32_t job) {
    uint64_t claims = claims_.load();
    for (;;) {
      const auto untaken = static_cast<uint32_t>(claims);
      if (static_cast<uint32_t>(claims >> 32) != job || untaken == 0) return -1;
      if (claims_.compare_exchange_weak(claims, claims - 1)) {
        return pieces_.load(std::memory_order_relaxed) - untaken;
      }
    }
  }

  void do_piece(int64_t piece, int thread) {
    if (failed_.load(std::memory_order_relaxed)) return;
    try {
      function_.load(std::memory_order_relaxed)(context_.load(std::memory_order_relaxed), piece,
                                                thread);
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
      const auto is_new = [&] { return job_.load(std::memory_order_acquire) != seen; };
      if (!spin_until(is_new)) {
        sleepers_.fetch_add(1);
        job_.wait(seen);
        sleepers_.fetch_sub(1);
      }
      seen = job_.load(std::memory_order_acquire);
      if (stopping_.load()) return;
      take_pieces(seen, thread);
    }
  }

  std::atomic<uint64_t> claims_ = 0;  // job << 32 | pieces that nobody has taken
  std::atomic<int64_t> pieces_ = 0;
  std::atomic<PieceFunction> function_ = nullptr;
  std::atomic<void*> context_ = nullptr;
  std::atomic<bool> failed_ = false;
  std::mutex error_mutex_;
  std::exception_ptr error_;
  alignas(64) std::atomic<uint32_t> left_ = 0;  // pieces not done
  std::atomic<bool> waiting_ = false;           // the caller sleeps until they are
  alignas(64) std::atomic<uint32_t> job_ = 0;   // number of the last job
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
  if (inside.pool == impl_.get()) {
    for (int64_t piece = 0; piece < pieces; ++piece) function(context, piece, inside.thread);
    return;
  }
  const std::lock_guard lock(impl_->calls);
  if (threads_ == 1 || pieces == 1) {
    const Entered entered(impl_.get(), 0);
    for (int64_t piece = 0; piece < pieces; ++piece) function(context, piece, 0);
    return;
  }
  INK_CHECK(pieces < int64_t{1} << 32, "too many pieces");
  impl_->start(threads_ - 1);
  impl_->run(pieces, function, context);
}

}  // namespace inkstone
