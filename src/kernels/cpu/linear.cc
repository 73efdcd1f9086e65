// Linear: checks what it is given and chooses the code for the weight.
#include "kernels/cpu/linear.h"

namespace inkstone::cpu {
namespace {

bool is_activation(DType type) { return type == DType::kF32 || type == DType::kBF16; }

void check(const Linear& op) {
  const Weight& w = op.weight;
  INK_CHECK(op.x.shape.rank() == 2 && op.y.shape.rank() == 2, "linear takes matrices");
  INK_CHECK(op.x.shape[1] == w.in && op.y.shape[1] == w.out && op.x.shape[0] == op.y.shape[0],
            "linear: sizes");
  INK_CHECK(is_activation(op.x.dtype) && is_activation(op.y.dtype), "linear: types of x and y");
  INK_CHECK(!op.bias || op.bias.count() == w.out, "linear: bias");
}

}  // namespace

void linear(Context& context, const Linear& op) {
  check(op);
  const Weight& w = op.weight;
  if (op.x.shape[0] == 0 || w.out == 0) return;
  if (w.layout == WeightLayout::kPacked || !is_float(w.type)) return linear_blocks(context, op);
  w.layout == WeightLayout::kInOut ? linear_in_out(context, op) : linear_out_in(context, op);
}

}  // namespace inkstone::cpu
