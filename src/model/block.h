// One transformer layer (model/layer.h) in training: forward with everything kept that the backward
// pass needs, and backward. Legend: N = B*T rows, C channels, I of the MLP.
#pragma once

#include <array>
#include <cstdint>

#include "inkstone/recompute.h"
#include "model/network.h"
#include "model/projection.h"
#include "tensor/arena.h"

namespace inkstone {

struct PassShape {
  int64_t batch = 1, context = 1;
  ConstView first_keys = {}, last_keys = {};  // as AttentionForward has them
  int64_t rows() const { return batch * context; }
};

// What the backward pass of a layer needs. act: the activation type.
struct BlockActivations {
  View x1;                   // [N,C] f32, input of the first normalisation
  View ln1, mean1, rstd1;    // [N,C] act, [N] f32
  View qkv, attention, lse;  // [N,3C] act, [N,C] act, [B,NH,T] f32
  View x2;                   // [N,C] f32
  View ln2, mean2, rstd2;
  View fc, activated;  // [N,I] act: before and after the activation
  // Of the adapters of c_attn, c_proj, c_fc and the MLP's c_proj.
  std::array<AdapterActivations, 4> adapters;
};

struct BackwardScratch {
  View dx;         // [N,C] f32: gradient of the residual stream
  View dbranch;    // [N,C] act: gradient of a branch's result
  View dnorm;      // [N,C] act: gradient of a normalisation's result, or of the attention's
  View wide;       // [N,max(I,3C)] act: gradient in the MLP, then that of q, k and v
  View attention;  // f32, AttentionBackward::scratch
};

// Dropout of one micro-batch; rate 0 turns it off, adapter_rate that of what adapters multiply.
struct PassDropout {
  float rate = 0;
  uint64_t seed = 0;
  float adapter_rate = 0;
  DropoutMask embedding() const { return {rate, seed, 0}; }
  DropoutMask attention(int64_t layer) const {
    return {rate, seed, static_cast<uint64_t>(3 * layer + 1)};
  }
  DropoutMask attention_branch(int64_t layer) const {
    return {rate, seed, static_cast<uint64_t>(3 * layer + 2)};
  }
  DropoutMask mlp_branch(int64_t layer) const {
    return {rate, seed, static_cast<uint64_t>(3 * layer + 3)};
  }
  // Of matrix `index` of the table.
  DropoutMask adapter(int index) const {
    return {adapter_rate, seed, (uint64_t{1} << 32) + static_cast<uint64_t>(index)};
  }
};

// What is computed again on the way back takes no memory of its own but lies in `shared`, the
// memory of another layer; null: nothing is.
BlockActivations plan_block(Arena& arena, const Network& network, int64_t layer,
                            const PassShape& shape, Recompute recompute = Recompute::kNone,
                            const BlockActivations* shared = nullptr);
BackwardScratch plan_scratch(Arena& arena, const Network& network, const PassShape& shape);

// 1/sqrt(HS), and 1/(layer + 1) on top where the configuration asks for it.
float attention_scale(const ModelConfig& config, int64_t layer);

// One layer in one pass.
struct BlockPass {
  const Network& network;
  int64_t layer;
  const PassShape& shape;
  const BlockActivations& a;
  const ProjectionScratch& projections;
  const PassDropout& dropout;
};

// x, delta: the stream before this layer is x + delta (delta absent: x is a.x1 and holds it
// already). Leaves the MLP's result in branch [N,C] act.
void block_forward(const BlockPass& pass, ConstView x, ConstView delta, View branch);

// Computes again what the plan did not keep; x1 and the rest is there. Uses branch.
void block_again(const BlockPass& pass, Recompute recompute, View branch);

// On entry s.dx is the gradient of the stream after this layer, on return that before it, if a row
// below this layer is trained. Gradients of rows that are trained are overwritten unless
// `accumulate`.
class Gradients;
void block_backward(const BlockPass& pass, const BackwardScratch& s, const Gradients& gradients,
                    bool accumulate);

}  // namespace inkstone
