// The structure of a transformer layer, stated once for training and for inference:
// x2 = x1 + attention(norm(x1)), next x1 = x2 + mlp(norm(x2)).
//
// The residual sums are done inside the normalisation that reads them: a branch leaves its result
// in `branch`, and the next normalisation adds it.
#pragma once

#include "model/parameters.h"
#include "tensor/view.h"

namespace inkstone {

// Which of a layer's two halves.
enum class Branch { kAttention, kMlp };

// What a layer writes, in this order; N rows, C channels, I of the MLP, act the activation type.
struct LayerTensors {
  View norm_1, qkv, attention;    // [N,C], [N,3C], [N,C] act
  View norm_2, inner, activated;  // [N,C], [N,I], [N,I] act; the last two may be one
  View branch;                    // [N,C] act: what the MLP adds to the stream after this layer
};

// Ops says how each part is done:
//   normalise(Branch, weight, bias, y)  the stream, with the last branch added, normalised into y
//   multiply(x, weight, bias, y)        y = x W + b
//   attend(qkv, out)
//   activate(x, y)
//   finish(Branch, branch)              what training does to a branch's result: dropout
// Weights and biases are rows of the parameter table, absent biases kNoRow.
template <typename Ops>
void layer_forward(const LayerRows& rows, const LayerTensors& t, Ops&& ops) {
  ops.normalise(Branch::kAttention, rows.ln_1_weight, rows.ln_1_bias, t.norm_1);
  ops.multiply(t.norm_1, rows.attn_weight, rows.attn_bias, t.qkv);
  ops.attend(t.qkv, t.attention);
  ops.multiply(t.attention, rows.attn_proj_weight, rows.attn_proj_bias, t.branch);
  ops.finish(Branch::kAttention, t.branch);

  ops.normalise(Branch::kMlp, rows.ln_2_weight, rows.ln_2_bias, t.norm_2);
  ops.multiply(t.norm_2, rows.fc_weight, rows.fc_bias, t.inner);
  ops.activate(t.inner, t.activated);
  ops.multiply(t.activated, rows.fc_proj_weight, rows.fc_proj_bias, t.branch);
  ops.finish(Branch::kMlp, t.branch);
}

}  // namespace inkstone
