// The reference's backward passes against central differences of its forward passes, in double
// precision.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "base/rng.h"
#include "kernels/operation_case.h"
#include "kernels/reference.h"

namespace inkstone::test {
namespace {

using Doubles = std::vector<double>;

// inputs -> output, and (inputs, gradient of the output) -> gradient of each input.
struct Differentiable {
  std::vector<Doubles> inputs;
  std::function<Doubles(const std::vector<Doubles>&)> forward;
  std::function<std::vector<Doubles>(const std::vector<Doubles>&, const Doubles&)> backward;
};

Doubles normals(int64_t count, uint64_t seed) {
  const Random random(seed, RandomStream::kInitialisation);
  Doubles values(count);
  for (int64_t i = 0; i < count; ++i) values[i] = random.normal(i);
  return values;
}

// d(sum_i weights[i] output[i]) / d inputs[k][i] by central differences.
Doubles numeric_gradient(const Differentiable& f, size_t k, const Doubles& weights) {
  constexpr double kStep = 1e-4;
  std::vector<Doubles> inputs = f.inputs;
  const auto loss = [&] {
    const Doubles out = f.forward(inputs);
    double sum = 0;
    for (size_t i = 0; i < out.size(); ++i) sum += weights[i] * out[i];
    return sum;
  };
  Doubles gradient;
  for (double& x : inputs[k]) {
    const double middle = x;
    x = middle + kStep;
    const double above = loss();
    x = middle - kStep;
    gradient.push_back((above - loss()) / (2 * kStep));
    x = middle;
  }
  return gradient;
}

// max |a - b| / max |b|.
double distance(const Doubles& a, const Doubles& b) {
  double difference = 0, largest = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    difference = std::max(difference, std::fabs(a[i] - b[i]));
    largest = std::max(largest, std::fabs(b[i]));
  }
  return difference / largest;
}

void check_gradient(const Differentiable& f) {
  constexpr double kBound = 1e-6;
  const Doubles weights = normals(static_cast<int64_t>(f.forward(f.inputs).size()), 99);
  const std::vector<Doubles> gradients = f.backward(f.inputs, weights);
  ASSERT_EQ(gradients.size(), f.inputs.size());
  for (size_t k = 0; k < gradients.size(); ++k) {
    const Doubles expected = numeric_gradient(f, k, weights);
    EXPECT_LE(distance(gradients[k], expected), kBound) << "input " << k;
    Doubles wrong = gradients[k];
    for (double& x : wrong) x *= 1.001;
    EXPECT_GT(distance(wrong, expected), kBound) << "input " << k << ": the test cannot fail";
  }
}

Doubles sum_over_rows(const Doubles& x, int64_t width) {
  Doubles out(width);
  reference::sum_rows(x, out, false);
  return out;
}

// The gradients of a product are the other two products, as the model uses them.
TEST(Gradient, MatmulNN) {
  constexpr int64_t M = 3, N = 5, K = 4;
  check_gradient({{normals(M * K, 1), normals(K * N, 2), normals(N, 3)},
                  [](const auto& in) {
                    Doubles c(M * N);
                    reference::matmul_nn({M, N, K}, in[0], in[1], in[2], c);
                    return c;
                  },
                  [](const auto& in, const Doubles& dc) {
                    Doubles da(M * K), db(K * N);
                    reference::matmul_nt({M, K, N}, dc, in[1], {}, da);
                    reference::matmul_tn({K, N, M}, in[0], dc, {}, db);
                    return std::vector<Doubles>{da, db, sum_over_rows(dc, N)};
                  }});
}

TEST(Gradient, MatmulNTAccumulating) {
  constexpr int64_t M = 3, N = 5, K = 4;
  check_gradient({{normals(M * K, 1), normals(N * K, 2), normals(M * N, 3)},
                  [](const auto& in) {
                    Doubles c = in[2];
                    reference::matmul_nt({M, N, K, true}, in[0], in[1], {}, c);
                    return c;
                  },
                  [](const auto& in, const Doubles& dc) {
                    Doubles da(M * K), db(N * K);
                    reference::matmul_nn({M, K, N}, dc, in[1], {}, da);
                    reference::matmul_tn({N, K, M}, dc, in[0], {}, db);
                    return std::vector<Doubles>{da, db, dc};
                  }});
}

TEST(Gradient, Embedding) {
  static const std::vector<int32_t> tokens = {3, 0, 3, 5, 3}, positions = {0, 1, 2, 0, 1};
  constexpr int64_t N = 5, C = 3, V = 6, T = 4;
  check_gradient({{normals(V * C, 1), normals(T * C, 2)},
                  [](const auto& in) {
                    Doubles x(N * C);
                    reference::embedding_forward(tokens, positions, in[0], in[1], x);
                    return x;
                  },
                  [](const auto&, const Doubles& dx) {
                    Doubles dwte(V * C), dwpe(T * C);
                    reference::embedding_backward(tokens, positions, dx, dwte, dwpe);
                    return std::vector<Doubles>{dwte, dwpe};
                  }});
}

// Input 0 reaches the output by the normalisation and, as in the model, around it.
TEST(Gradient, LayerNormWithResidual) {
  constexpr int64_t N = 3, C = 7;
  static const auto forward = [](const std::vector<Doubles>& in, Doubles& mean, Doubles& rstd) {
    Doubles y(N * C);
    reference::layer_norm_forward(in[0], in[1], in[2], 1e-5, y, mean, rstd);
    return y;
  };
  check_gradient(
      {{normals(N * C, 1), normals(C, 2), normals(C, 3)},
       [](const auto& in) {
         Doubles mean(N), rstd(N), y = forward(in, mean, rstd);
         reference::add(y, in[0]);
         return y;
       },
       [](const auto& in, const Doubles& dy) {
         Doubles mean(N), rstd(N), dx = dy, dweight(C), dbias(C);
         forward(in, mean, rstd);
         reference::layer_norm_backward(dy, in[0], in[1], mean, rstd, {dx, dweight, dbias});
         return std::vector<Doubles>{dx, dweight, dbias};
       }});
}

TEST(Gradient, LayerNormWithoutBias) {
  constexpr int64_t N = 3, C = 7;
  static const auto forward = [](const std::vector<Doubles>& in, Doubles& mean, Doubles& rstd) {
    Doubles y(N * C);
    reference::layer_norm_forward(in[0], in[1], {}, 1e-5, y, mean, rstd);
    return y;
  };
  check_gradient({{normals(N * C, 1), normals(C, 2)},
                  [](const auto& in) {
                    Doubles mean(N), rstd(N);
                    return forward(in, mean, rstd);
                  },
                  [](const auto& in, const Doubles& dy) {
                    Doubles mean(N), rstd(N), dx(N * C), dweight(C);
                    forward(in, mean, rstd);
                    reference::layer_norm_backward(dy, in[0], in[1], mean, rstd, {dx, dweight, {}});
                    return std::vector<Doubles>{dx, dweight};
                  }});
}

// None of the 40 numbers is so near to 0 that a step crosses relu's edge.
TEST(Gradient, Activation) {
  for (const Activation kind : kActivations) {
    SCOPED_TRACE(static_cast<int>(kind));
    check_gradient({{normals(40, 1)},
                    [kind](const auto& in) {
                      Doubles y = in[0];
                      for (double& x : y) x = reference::activation(kind, 2 * x);
                      return y;
                    },
                    [kind](const auto& in, const Doubles& dy) {
                      Doubles dx = dy;
                      for (size_t i = 0; i < dx.size(); ++i)
                        dx[i] *= 2 * reference::activation_derivative(kind, 2 * in[0][i]);
                      return std::vector<Doubles>{dx};
                    }});
  }
}

// The kinds are those that they are called: their definitions at -1.5, computed with mpmath.
TEST(Formula, ActivationsAtOnePoint) {
  constexpr double kX = -1.5;
  EXPECT_NEAR(reference::activation(Activation::kGeluTanh, kX), -0.1004284230197671, 1e-15);
  EXPECT_NEAR(reference::activation(Activation::kGelu, kX), -0.1002108019032871, 1e-15);
  EXPECT_EQ(reference::activation(Activation::kRelu, kX), 0);
  EXPECT_NEAR(reference::activation(Activation::kSilu, kX), -0.2736382857095345, 1e-15);
  EXPECT_EQ(reference::activation_derivative(Activation::kRelu, 0), 0);
}

TEST(Gradient, DropoutIsItsOwn) {
  static const DropoutMask mask{.rate = 0.4f, .seed = 1, .site = 2};
  const auto drop = [](Doubles x) {
    reference::dropout(x, mask);
    return x;
  };
  check_gradient({{normals(50, 1)},
                  [=](const auto& in) { return drop(in[0]); },
                  [=](const auto&, const Doubles& dy) { return std::vector<Doubles>{drop(dy)}; }});
}

void check_attention(const reference::AttentionSizes& s) {
  const int64_t rows = s.B * s.T, queries = rows * s.NH * s.HS, keys = rows * s.KVH * s.HS;
  check_gradient(
      {{normals(queries, 1), normals(keys, 2), normals(keys, 3)},
       [=](const auto& in) {
         Doubles out(queries), lse(rows * s.NH);
         reference::attention_forward(s, {in[0], in[1], in[2]}, out, lse);
         return out;
       },
       [=](const auto& in, const Doubles& dout) {
         std::vector<Doubles> d = in;
         reference::attention_backward(s, dout, {in[0], in[1], in[2]}, {d[0], d[1], d[2]});
         return d;
       }});
}

TEST(Gradient, Attention) {
  check_attention({.B = 2, .T = 6, .NH = 2, .KVH = 2, .HS = 3, .scale = 0.6});
}

TEST(Gradient, AttentionWithDropout) {
  check_attention({.B = 2,
                   .T = 6,
                   .NH = 2,
                   .KVH = 2,
                   .HS = 3,
                   .scale = 0.6,
                   .dropout = {.rate = 0.3f, .seed = 4, .site = 2}});
}

TEST(Gradient, AttentionOfIntervalsAndSharedKeys) {
  for (const KeyMask mask : kIntervals) {
    for (const int64_t shared : {1, 2, 4}) {
      check_attention(AttentionCase{
          .B = 2, .T = 9, .NH = 4, .HS = 3, .mask = mask, .queries_per_key_head = shared}
                          .sizes());
    }
  }
}

TEST(Gradient, CrossEntropy) {
  static const std::vector<int32_t> targets = {2, -1, 0};
  static const Doubles weights = {0.3, 1, 1.7};
  constexpr int64_t V = 5;
  check_gradient({{normals(3 * V, 1)},
                  [](const auto& in) {
                    Doubles losses(3);
                    reference::cross_entropy(in[0], targets, weights, 1, losses, {});
                    return Doubles{losses[0] + losses[1] + losses[2]};
                  },
                  [](const auto& in, const Doubles& dloss) {
                    Doubles losses(3), dlogits(3 * V);
                    reference::cross_entropy(in[0], targets, weights, dloss[0], losses, dlogits);
                    return std::vector<Doubles>{dlogits};
                  }});
}

// sum_of_squares is the square of the gradient's norm: d/dx = 2x.
TEST(Gradient, SumOfSquares) {
  check_gradient({{normals(9, 1)},
                  [](const auto& in) { return Doubles{reference::sum_of_squares(in[0])}; },
                  [](const auto& in, const Doubles& dy) {
                    Doubles dx = in[0];
                    for (double& x : dx) x *= 2 * dy[0];
                    return std::vector<Doubles>{dx};
                  }});
}

// The first step from m = v = 0 moves by lr against the gradient's sign whatever its size, after
// the decay.
TEST(Formula, AdamWFirstStep) {
  const ParameterUpdate row{.lr = 0.125, .weight_decay = 0.5};
  AdamWNumbers numbers{.epsilon = 0};
  numbers.correction1 = 1 - numbers.beta1, numbers.correction2 = 1 - numbers.beta2;
  Doubles p = {4, 4, 4}, m(3), v(3);
  reference::adamw(numbers, row, 1, p, Doubles{1e-3, -7, 1e5}, m, v);
  const double decayed = 4 * (1 - 0.125 * 0.5);
  EXPECT_NEAR(p[0], decayed - 0.125, 1e-6);
  EXPECT_NEAR(p[1], decayed + 0.125, 1e-6);
  EXPECT_NEAR(p[2], decayed - 0.125, 1e-6);
}

// Of a matrix whose singular values are 1 the update is that of its singular values alone, f
// applied five times to 1/sqrt(n), for all directions alike.
TEST(Formula, MuonOfARotationIsTheRotationScaled) {
  Doubles p(4), m(4);
  reference::muon({.beta = 0.5}, {.rule = UpdateRule::kMuon, .lr = 0.25}, 1,
                  {.rows = 2, .columns = 2}, p, Doubles{0.6, -0.8, 0.8, 0.6}, m);
  double s = std::sqrt(0.5);
  for (int i = 0; i < 5; ++i) s = 3.4445 * s - 4.7750 * s * s * s + 2.0315 * s * s * s * s * s;
  EXPECT_NEAR(p[0], -0.25 * 0.6 * s, 1e-12);
  EXPECT_NEAR(p[1], 0.25 * 0.8 * s, 1e-12);
  EXPECT_NEAR(m[2], 0.5 * 0.8, 1e-12);
}

}  // namespace
}  // namespace inkstone::test
