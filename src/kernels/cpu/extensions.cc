#include "kernels/cpu/extensions.h"

#include <atomic>

#if defined(__x86_64__) || defined(__i386__)
#include <cpuid.h>
#endif

namespace inkstone::cpu {
namespace {

Extensions extensions_of_machine() {
  Extensions found;
#if defined(__x86_64__) || defined(__i386__)
  unsigned a = 0, b = 0, c = 0, d = 0;
  if (__get_cpuid_count(7, 0, &a, &b, &c, &d) == 0) return found;
  found.avx512_vnni = (c >> 11 & 1) != 0;
  const bool has_subleaf_1 = a >= 1;
  if (!has_subleaf_1 || __get_cpuid_count(7, 1, &a, &b, &c, &d) == 0) return found;
  found.avx_vnni = (a >> 4 & 1) != 0;
  found.avx512_bf16 = (a >> 5 & 1) != 0;
#endif
  return found;
}

std::atomic<bool> do_without = false;

}  // namespace

const Extensions& extensions() {
  static const Extensions machine = extensions_of_machine(), none;
  return do_without.load(std::memory_order_relaxed) ? none : machine;
}

void do_without_extensions_for_test(bool without) { do_without = without; }

}  // namespace inkstone::cpu
