// A pool of threads whose work is claimed in pieces.
#pragma once

#include <algorithm>
#include <cstdint>
#include <memory>
#include <type_traits>
#include <utility>

namespace inkstone {

// The caller of parallel_for and the pool's own threads take the next piece of the work whenever
// they are free: a thread that the system has put aside holds up at most the piece that it has.
// Who waits spins for some microseconds and then sleeps, so that a busy neighbour gets the
// processor, or the thread that is waited for.
//
// What an exception ends is thrown again in the caller, when every piece that was begun is done;
// pieces that were not begun are left out. One call at a time: calls from several threads wait for
// each other. A call from a thread that is inside a piece of the same pool runs in it alone; a
// piece must not have another pool's threads call its own.
class ThreadPool {
 public:
  // 0: one thread per processor that this process may run on. The threads start at the first call
  // that has work for them.
  explicit ThreadPool(int threads = 0);
  ~ThreadPool();
  ThreadPool(const ThreadPool&) = delete;
  ThreadPool& operator=(const ThreadPool&) = delete;

  int threads() const { return threads_; }

  // Splits [0, count) into contiguous pieces that begin at multiples of `grain`, some for each
  // thread, and calls f(begin, end, thread) for every piece, 0 <= thread < threads(), never two at
  // a time with the same thread. Which thread takes a piece, and how many pieces there are, must
  // not matter to the result.
  template <typename F>
  void parallel_for(int64_t count, int64_t grain, F&& f) {
    if (count <= 0) return;
    const int64_t units = (count - 1) / grain + 1;
    const int64_t pieces = threads_ == 1 ? 1
                                         : std::min<int64_t>(units, kPiecesPerThread * threads_);
    run(pieces, [&](int64_t piece, int thread) {
      f(units * piece / pieces * grain, std::min(count, units * (piece + 1) / pieces * grain),
        thread);
    });
  }

  // Calls f(i, thread) for each i in [0, count), each a piece by itself: for work of unequal size.
  template <typename F>
  void parallel_each(int64_t count, F&& f) {
    if (count > 0) run(count, std::forward<F>(f));
  }

 private:
  static constexpr int64_t kPiecesPerThread = 4;
  using PieceFunction = void (*)(void* context, int64_t piece, int thread);
  struct Impl;

  template <typename F>
  void run(int64_t pieces, F&& f) {
    using Function = std::remove_reference_t<F>;
    run_pieces(
        pieces,
        [](void* context, int64_t piece, int thread) {
          (*static_cast<Function*>(context))(piece, thread);
        },
        const_cast<void*>(static_cast<const void*>(std::addressof(f))));
  }
  void run_pieces(int64_t pieces, PieceFunction function, void* context);

  int threads_;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone
