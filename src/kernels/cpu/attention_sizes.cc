// What forward and backward pass of attention ask of their operands.
#include "kernels/cpu/attention_sizes.h"

namespace inkstone::cpu {
namespace {

void check_heads(const ConstStridedHeads& x, const AttentionSizes& s, int64_t heads, DType type) {
  INK_CHECK(x.data.dtype == type, "attention: types");
  INK_CHECK(x.heads == heads, "attention: heads");
  INK_CHECK(
      x.row_stride >= 0 && x.head_stride >= 0 &&
          (s.B * s.T - 1) * x.row_stride + (heads - 1) * x.head_stride + s.HS <= x.data.count(),
      "attention: sizes");
}

// Both absent, or first <= last for every query, inside the sequence.
void check_intervals(ConstView first_keys, ConstView last_keys, const AttentionSizes& s) {
  INK_CHECK(bool{first_keys} == bool{last_keys}, "attention: one end of the intervals");
  if (!first_keys) return;
  INK_CHECK(first_keys.count() == s.B * s.T && last_keys.count() == s.B * s.T,
            "attention: sizes of the intervals");
  const auto *first = first_keys.as<int32_t>(), *last = last_keys.as<int32_t>();
  for (int64_t i = 0; i < s.B * s.T; ++i) {
    INK_CHECK(0 <= first[i] && first[i] <= last[i] && last[i] < s.T, "attention: interval of keys");
  }
}

// What both passes have: q, k, v, out, lse and the intervals.
AttentionSizes checked_sizes(const auto& op) {
  INK_CHECK(op.out.shape.rank() == 3 && op.q.heads > 0 && op.k.heads > 0, "attention: shape");
  const int64_t C = op.out.shape[2], NH = op.q.heads;
  const AttentionSizes s{op.out.shape[0], op.out.shape[1], NH, op.k.heads, C / NH};
  INK_CHECK(C % NH == 0 && NH % s.KVH == 0, "attention: heads");
  INK_CHECK(op.lse.count() == s.B * NH * s.T, "attention: sizes");
  check_heads(op.q, s, NH, op.out.dtype);
  check_heads(op.k, s, s.KVH, op.out.dtype);
  check_heads(op.v, s, s.KVH, op.out.dtype);
  check_intervals(op.first_keys, op.last_keys, s);
  return s;
}

}  // namespace

AttentionSizes attention_sizes(const AttentionForward& op) { return checked_sizes(op); }

AttentionSizes attention_sizes(const AttentionBackward& op) {
  const AttentionSizes s = checked_sizes(op);
  INK_CHECK(op.dout.count() == op.out.count(), "attention: sizes");
  INK_CHECK(op.dout.dtype == op.out.dtype, "attention: types");
  check_heads(op.dq, s, s.NH, op.out.dtype);
  check_heads(op.dk, s, s.KVH, op.out.dtype);
  check_heads(op.dv, s, s.KVH, op.out.dtype);
  return s;
}

}  // namespace inkstone::cpu
