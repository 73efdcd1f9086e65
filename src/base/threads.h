// One pool of threads for everything: OpenMP's, which oneDNN uses too.
#pragma once

#include <algorithm>
#include <atomic>
#include <cstdint>
#include <exception>
#include <memory>
#include <mutex>
#include <type_traits>
#include <utility>

namespace inkstone {

// Number of threads that parallel work uses from now on (process-wide); 0 chooses the number of
// processors that this process may run on. Not to be called while parallel work runs.
void set_thread_count(int count);
int thread_count();

namespace detail {
using RangeFunction = void (*)(void* context, int64_t begin, int64_t end, int thread);
void parallel_ranges(int64_t count, int64_t grain, RangeFunction function, void* context);
}  // namespace detail

// Splits [0, count) into at most thread_count() contiguous ranges whose bounds are multiples of
// `grain` and depend on count, grain and thread_count() alone, and calls f(begin, end, thread) for
// each, concurrently. Returns when all are done. f must not throw and must not call parallel_for.
template <typename F>
void parallel_for(int64_t count, int64_t grain, F&& f) {
  using Function = std::remove_reference_t<F>;
  detail::parallel_ranges(
      count, grain,
      [](void* context, int64_t begin, int64_t end, int thread) {
        (*static_cast<Function*>(context))(begin, end, thread);
      },
      const_cast<void*>(static_cast<const void*>(std::addressof(f))));
}

// Calls f(i, thread) for each i in [0, count), concurrently; each thread takes the next i when it
// is free, for work of unequal size. 0 <= thread < thread_count(). What f throws first is thrown
// again when all threads have stopped; f must not call parallel_for or parallel_each.
template <typename F>
void parallel_each(int64_t count, F&& f) {
  std::atomic<int64_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  parallel_for(std::min<int64_t>(thread_count(), count), 1, [&](int64_t, int64_t, int thread) {
    try {
      for (int64_t i = next++; i < count; i = next++) f(i, thread);
    } catch (...) {
      next = count;
      const std::lock_guard lock(mutex);
      if (!error) error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
}

}  // namespace inkstone
