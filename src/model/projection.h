// One matrix of the model in training: y = x W + b, with its adapter where it has one, and back.
// Legend: N rows, `in` and `out` of the matrix, r the adapter's rank, act the activation type.
//
// With an adapter, d = dropout(x), s its scale (LoraOptions):
//   u = x W + s (d A^T) B^T,  y = u + b; with magnitudes m and n the norms of the columns of
//   W + s (B A)^T: y = u m / n + b.
// PEFT's y with magnitudes and dropout differs: there x W is dropped too where m / n is not 1.
#pragma once

#include "model/network.h"
#include "tensor/arena.h"

namespace inkstone {

class Gradients;

// What the backward pass of a matrix with an adapter needs besides x.
struct AdapterActivations {
  View z;                      // [N,r] act: s d A^T
  View u;                      // [N,out] act, with magnitudes
  View norms, inverses, gain;  // [out] f32, with magnitudes: n, 1 / n, m / n
};

// Shared by all matrices.
struct ProjectionScratch {
  View widened;  // act, a vector: of a base's weights that are stored in another type
  View dropped;  // [N, the largest in] act: d
  View dz;       // [N,r] act
  View du;       // [N, the largest out] act, with magnitudes
  View scale;    // [r] f32, every one s
};

ProjectionScratch plan_projections(Arena& arena, const Network& network, int64_t rows);
// Fills in what does not change.
void prepare_projections(const Network& network, const ProjectionScratch& scratch);
// Empty where row `weight` has no adapter.
AdapterActivations plan_adapter(Arena& arena, const Network& network, int weight, int64_t rows);

// y = x W (+ bias), or dx (+)= dy W^T, with the matrix of row `weight` alone, whatever its type.
struct Product {
  int weight;
  ConstView from, bias = {};
  View to;
  bool accumulate = false;
};
void multiply(const Network& network, const Product& op, View widened);
void multiply_back(const Network& network, const Product& op, View widened);

struct Projection {
  const Network& network;
  int weight, bias;  // rows of the table
  const AdapterActivations& a;
  const ProjectionScratch& s;
  DropoutMask dropout;  // of the adapter's input

  void forward(ConstView x, View y) const;
  // dx is overwritten; an empty one is not computed. Gradients of rows that are trained are
  // overwritten, or added to where `accumulate` says so. dx is not dy.
  void backward(ConstView x, ConstView dy, View dx, const Gradients& gradients,
                bool accumulate) const;

 private:
  ConstView dropped(ConstView x) const;
  ConstView through_magnitudes(ConstView dy, const Gradients& gradients, bool accumulate) const;
  void adapter_backward(ConstView x, ConstView du, View dx, const Gradients& gradients,
                        bool accumulate) const;
};

}  // namespace inkstone
