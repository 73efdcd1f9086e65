// The sizes of attention over whole sequences, from operands that are checked to agree.
#pragma once

#include "kernels/backend.h"

namespace inkstone::cpu {

struct AttentionSizes {
  int64_t B, T, NH, KVH, HS;  // KVH heads of keys and values: each is read by NH / KVH of queries

  int64_t C() const { return NH * HS; }
  int64_t key_head(int64_t head) const { return head * KVH / NH; }
};

// INK_CHECKs shapes, types, strides, and that every interval of keys is one.
AttentionSizes attention_sizes(const AttentionForward& op);
AttentionSizes attention_sizes(const AttentionBackward& op);

}  // namespace inkstone::cpu
