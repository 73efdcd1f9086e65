#include "base/threads.h"

#include <omp.h>
#include <sched.h>

#include <algorithm>

#include "base/check.h"

#if defined(__SANITIZE_THREAD__)
#define INK_TSAN 1
#elif defined(__has_feature)
#if __has_feature(thread_sanitizer)
#define INK_TSAN 1
#endif
#endif

// GCC's OpenMP runtime is not instrumented, so ThreadSanitizer does not see its fork and join.
// These two calls tell it about them; they are the only annotation in the program. The record with
// which the compiler hands parallel_ranges' variables to the threads is read before they can speak:
// that one function is suppressed, by its own frame alone, not those that it calls.
#if INK_TSAN
#include <sanitizer/tsan_interface.h>
extern "C" const char* __tsan_default_suppressions();
extern "C" const char* __tsan_default_suppressions() {
  return "race_top:inkstone::detail::parallel_ranges\n";
}
#define INK_HAPPENS_BEFORE(address) __tsan_release(address)
#define INK_HAPPENS_AFTER(address) __tsan_acquire(address)
#else
#define INK_HAPPENS_BEFORE(address) (void)(address)
#define INK_HAPPENS_AFTER(address) (void)(address)
#endif

namespace inkstone {

void set_thread_count(int count) {
  INK_CHECK(count >= 0, "negative thread count");
  if (count == 0) {
    cpu_set_t set;
    count = sched_getaffinity(0, sizeof set, &set) == 0 ? CPU_COUNT(&set) : omp_get_num_procs();
  }
  omp_set_num_threads(std::max(1, count));
}

int thread_count() { return omp_get_max_threads(); }

namespace detail {

void parallel_ranges(int64_t count, int64_t grain, RangeFunction function, void* context) {
  if (count <= 0) return;
  const int64_t units = (count + grain - 1) / grain;
  const int ranges = static_cast<int>(std::min<int64_t>(thread_count(), units));
  if (ranges <= 1) {
    function(context, 0, count, 0);
    return;
  }
  INK_HAPPENS_BEFORE(context);
#pragma omp parallel num_threads(ranges)
  {
    INK_HAPPENS_AFTER(context);
    // The runtime may give fewer threads than asked for (OMP_DYNAMIC, OMP_THREAD_LIMIT); the ranges
    // stay.
    for (int i = omp_get_thread_num(); i < ranges; i += omp_get_num_threads()) {
      const int64_t begin = units * i / ranges * grain;
      const int64_t end = std::min(count, units * (i + 1) / ranges * grain);
      if (begin < end) function(context, begin, end, i);
    }
    INK_HAPPENS_BEFORE(context);
  }
  INK_HAPPENS_AFTER(context);
}

}  // namespace detail
}  // namespace inkstone
