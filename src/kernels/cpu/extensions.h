// Extensions of the instruction set that Highway's targets do not tell apart.
#pragma once

namespace inkstone::cpu {

struct Extensions {
  bool avx512_vnni = false, avx_vnni = false;  // dot products of 4 bytes
  bool avx512_bf16 = false;                    // dot products of 2 bf16
};

// The machine's, by CPUID leaf 7: subleaf 0, ECX bit 11; subleaf 1, EAX bits 4 and 5 (Intel's
// manual, volume 2A).
const Extensions& extensions();
// While `without`, there are none: for tests of what does without them.
void do_without_extensions_for_test(bool without);

}  // namespace inkstone::cpu
