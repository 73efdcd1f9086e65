#include "kernels/reference.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <numbers>
#include <utility>

#include "kernels/dropout_hash.h"
#include "kernels/page_layout.h"
#include "kernels/reference_codes.h"

namespace inkstone::reference {
namespace {

const double kRoot = std::sqrt(2 / std::numbers::pi);
constexpr double kCubic = 0.044715;

int64_t length(auto span) { return static_cast<int64_t>(span.size()); }

// A matrix seen through its strides: element (row, column).
struct Matrix {
  In data;
  int64_t row, column;
  double at(int64_t i, int64_t j) const { return data[i * row + j * column]; }
};

void matmul(const MatmulSizes& s, const Matrix& a, const Matrix& b, In bias, Out c) {
  for (int64_t m = 0; m < s.M; ++m) {
    for (int64_t n = 0; n < s.N; ++n) {
      double sum = s.accumulate ? c[m * s.N + n] : 0;
      if (!bias.empty()) sum += bias[n];
      for (int64_t k = 0; k < s.K; ++k) sum += a.at(m, k) * b.at(k, n);
      c[m * s.N + n] = sum;
    }
  }
}

double gelu_tanh_derivative(double x) {
  const double t = std::tanh(kRoot * (x + kCubic * x * x * x));
  return 0.5 * (1 + t) + 0.5 * x * (1 - t * t) * kRoot * (1 + 3 * kCubic * x * x);
}

// Phi, by erfc rather than erf: digits for negative x too.
double normal_distribution(double x) { return 0.5 * std::erfc(-x / std::numbers::sqrt2); }
double normal_density(double x) { return std::exp(-0.5 * x * x) / std::sqrt(2 * std::numbers::pi); }

double silu_derivative(double x) {
  const double s = 1 / (1 + std::exp(-x));
  return s * (1 + x * (1 - s));
}

// One head: element e at position t is data[t * stride + e].
template <typename Span>
struct Strided {
  Span data;
  int64_t stride;
  auto& at(int64_t t, int64_t e) const { return data[t * stride + e]; }
};
using Head = Strided<In>;

// Head h of sequence b in x [B,T,heads,HS].
template <typename Span>
Strided<Span> head(const AttentionSizes& s, Span x, int64_t heads, int64_t b, int64_t h) {
  return {x.subspan((b * s.T * heads + h) * s.HS), heads * s.HS};
}

int64_t key_head(const AttentionSizes& s, int64_t h) { return h * s.KVH / s.NH; }

double dot(const Head& x, int64_t i, const Head& y, int64_t j, int64_t HS) {
  double sum = 0;
  for (int64_t e = 0; e < HS; ++e) sum += x.at(i, e) * y.at(j, e);
  return sum;
}

// scores become their softmax; returns their log-sum-exp.
double softmax(Out scores) {
  const double maximum = *std::max_element(scores.begin(), scores.end());
  double sum = 0;
  for (const double x : scores) sum += std::exp(x - maximum);
  const double lse = maximum + std::log(sum);
  for (double& x : scores) x = std::exp(x - lse);
  return lse;
}

// M[i,j] of (batch, head): the factors of dropout on the probabilities.
double attention_factor(const AttentionSizes& s, int64_t b, int64_t h, int64_t i, int64_t j) {
  return dropout_factor(s.dropout, (b * s.NH + h) * s.T + i, static_cast<uint32_t>(j));
}

// With P and M as above: dP = (dout V^T) M, D[i] = sum_j P[i,j] dP[i,j], dS = P (dP - D),
// dV += (P M)^T dout, dQ += scale dS K, dK += scale dS^T Q.
void head_backward(const AttentionSizes& s, In dout, const AttentionInputs& in, int64_t b,
                   int64_t h, const AttentionGradients& to) {
  const int64_t g = key_head(s, h);
  const Head q = head(s, in.q, s.NH, b, h), k = head(s, in.k, s.KVH, b, g),
             v = head(s, in.v, s.KVH, b, g), dy = head(s, dout, s.NH, b, h);
  const auto dq = head(s, to.dq, s.NH, b, h), dk = head(s, to.dk, s.KVH, b, g),
             dv = head(s, to.dv, s.KVH, b, g);
  const std::vector<double> P = attention_probabilities(s, in.q, in.k, b, h).P;
  std::vector<double> dP(s.T);
  for (int64_t i = 0; i < s.T; ++i) {
    double D = 0;
    for (int64_t j = s.first_key(b, i); j <= s.last_key(b, i); ++j) {
      dP[j] = dot(dy, i, v, j, s.HS) * attention_factor(s, b, h, i, j);
      D += P[i * s.T + j] * dP[j];
    }
    for (int64_t j = s.first_key(b, i); j <= s.last_key(b, i); ++j) {
      const double dS = P[i * s.T + j] * (dP[j] - D);
      const double dropped = P[i * s.T + j] * attention_factor(s, b, h, i, j);
      for (int64_t e = 0; e < s.HS; ++e) {
        dq.at(i, e) += s.scale * dS * k.at(j, e);
        dk.at(j, e) += s.scale * dS * q.at(i, e);
        dv.at(j, e) += dropped * dy.at(i, e);
      }
    }
  }
}

// x as a multiple of the spacing of halves near it; from half a spacing beyond the largest on
// infinity.
double round_to_half(double x) {
  if (!std::isfinite(x) || x == 0) return x;
  const double spacing = std::ldexp(1.0, std::max(std::ilogb(x), -14) - 10);
  const double rounded = std::nearbyint(x / spacing) * spacing;
  return std::fabs(rounded) < 65536 ? rounded : std::copysign(HUGE_VAL, x);
}

// Of q8_0 pages: where a scale lies in a page of a head.
int64_t scale_byte(int64_t HS, int64_t position, int64_t channel) {
  return page_numbers(HS) + 2 * (channel / kScaleChannels * kPagePositions + position);
}
double scale_at(In bytes, int64_t i) {
  const auto byte = [&](int64_t at) { return static_cast<uint8_t>(static_cast<int>(bytes[at])); };
  return half_to_float(static_cast<uint16_t>(byte(i) | byte(i + 1) << 8));
}
void put_scale(double scale, Out bytes, int64_t i) {
  const uint16_t bits = float_to_half(static_cast<float>(scale));
  bytes[i] = static_cast<int8_t>(bits & 0xFF);
  bytes[i + 1] = static_cast<int8_t>(bits >> 8);
}

// The scale of 32 channels and the code of one, in float32 as the definition has them.
double scale_of_group(In x) {
  float largest = 0;
  for (const double number : x) {
    if (!std::isfinite(number)) return std::numeric_limits<double>::quiet_NaN();
    largest = std::max(largest, std::fabs(static_cast<float>(number)));
  }
  return round_to_half(largest / static_cast<float>(kLargestCode));
}
double code_of(double x, double scale) {
  if (!std::isfinite(scale) || scale == 0) return 0;
  const float code = std::nearbyint(static_cast<float>(x) / static_cast<float>(scale));
  return std::clamp(double{code}, -double{kLargestCode}, double{kLargestCode});
}

// Where the numbers of a row's head lie in the pages of its sequence.
struct PagedHead {
  PagedHead(const PagedSizes& the_sizes, const PagedRows& rows, int64_t r, int64_t head)
      : s(the_sizes), pages(rows.pages.subspan(rows.sequences[r] * s.M, s.M)), h(head) {}
  int64_t begin(int64_t t) const {
    return (pages[t / kPagePositions] * s.NH + h) * page_elements(s.cache, s.HS);
  }
  int64_t key(int64_t t, int64_t e) const {
    return begin(t) + e * kPagePositions + t % kPagePositions;
  }
  int64_t value(int64_t t, int64_t e) const { return begin(t) + t % kPagePositions * s.HS + e; }
  // The first of two bytes, of q8_0 pages.
  int64_t scale(int64_t t, int64_t e) const {
    return begin(t) + scale_byte(s.HS, t % kPagePositions, e);
  }
  const PagedSizes& s;
  Indices pages;
  int64_t h;
};

}  // namespace

void matmul_nn(const MatmulSizes& s, In a, In b, In bias, Out c) {
  matmul(s, {a, s.K, 1}, {b, s.N, 1}, bias, c);
}
void matmul_nt(const MatmulSizes& s, In a, In b, In bias, Out c) {
  matmul(s, {a, s.K, 1}, {b, 1, s.K}, bias, c);
}
void matmul_tn(const MatmulSizes& s, In a, In b, In bias, Out c) {
  matmul(s, {a, 1, s.M}, {b, s.N, 1}, bias, c);
}

void sum_rows(In x, Out out, bool accumulate) {
  if (!accumulate) std::fill(out.begin(), out.end(), 0.0);
  for (int64_t i = 0; i < length(x); ++i) out[i % length(out)] += x[i];
}

void scale_columns(In x, In scale, In bias, Out y) {
  const int64_t M = length(scale);
  for (int64_t i = 0; i < length(x); ++i)
    y[i] = x[i] * scale[i % M] + (bias.empty() ? 0 : bias[i % M]);
}

void sum_products(In x, In y, In scale, Out out) {
  const int64_t M = length(out);
  for (int64_t i = 0; i < length(x); ++i) out[i % M] += scale[i % M] * x[i] * y[i];
}

void adapted_norms(const AdaptedSizes& s, In w, In a, In b, Out norms) {
  for (int64_t j = 0; j < s.out; ++j) {
    double squares = 0;
    for (int64_t k = 0; k < s.in; ++k) {
      double x = s.in_first ? w[k * s.out + j] : w[j * s.in + k];
      for (int64_t i = 0; i < s.rank; ++i) x += s.factor * b[j * s.rank + i] * a[i * s.in + k];
      squares += x * x;
    }
    norms[j] = std::sqrt(squares);
  }
}

double sum(In x) {
  double total = 0;
  for (const double value : x) total += value;
  return total;
}

double sum_of_squares(In x) {
  double sum = 0;
  for (const double value : x) sum += value * value;
  return sum;
}

void add(Out x, In delta) {
  for (int64_t i = 0; i < length(x); ++i) x[i] += delta[i];
}

double cast(double x, DType to) {
  const auto single = static_cast<float>(x);
  if (to == DType::kF16) return round_to_half(single);
  return to == DType::kBF16 ? to_float(to_bf16(single)) : single;
}

void embedding_forward(Indices tokens, Indices positions, In wte, In wpe, Out x) {
  const int64_t N = length(tokens), C = length(x) / N;
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t c = 0; c < C; ++c)
      x[n * C + c] = wte[tokens[n] * C + c] + wpe[positions[n] * C + c];
  }
}

void embedding_backward(Indices tokens, Indices positions, In dx, Out dwte, Out dwpe) {
  const int64_t N = length(tokens), C = length(dx) / N;
  for (int64_t n = 0; n < N; ++n) {
    for (int64_t c = 0; c < C; ++c) {
      dwte[tokens[n] * C + c] += dx[n * C + c];
      dwpe[positions[n] * C + c] += dx[n * C + c];
    }
  }
}

void layer_norm_forward(In s, In weight, In bias, double epsilon, Out y, Out mean, Out rstd) {
  const int64_t C = length(weight), N = length(s) / C;
  for (int64_t n = 0; n < N; ++n) {
    const In row = s.subspan(n * C, C);
    double sum = 0, squares = 0;
    for (const double x : row) sum += x;
    mean[n] = sum / static_cast<double>(C);
    for (const double x : row) squares += (x - mean[n]) * (x - mean[n]);
    rstd[n] = 1 / std::sqrt(squares / static_cast<double>(C) + epsilon);
    for (int64_t c = 0; c < C; ++c)
      y[n * C + c] = (row[c] - mean[n]) * rstd[n] * weight[c] + (bias.empty() ? 0 : bias[c]);
  }
}

// With z = (s - mean) rstd and g = dy weight: dx += rstd (g - average(g) - z average(g z)).
void layer_norm_backward(In dy, In s, In weight, In mean, In rstd, const LayerNormGradients& to) {
  const int64_t C = length(weight), N = length(s) / C;
  for (int64_t n = 0; n < N; ++n) {
    const auto z = [&](int64_t c) { return (s[n * C + c] - mean[n]) * rstd[n]; };
    const auto g = [&](int64_t c) { return dy[n * C + c] * weight[c]; };
    double average_g = 0, average_gz = 0;
    for (int64_t c = 0; c < C; ++c) {
      average_g += g(c) / static_cast<double>(C);
      average_gz += g(c) * z(c) / static_cast<double>(C);
      to.dweight[c] += dy[n * C + c] * z(c);
      if (!to.dbias.empty()) to.dbias[c] += dy[n * C + c];
    }
    for (int64_t c = 0; c < C; ++c)
      to.dx[n * C + c] += rstd[n] * (g(c) - average_g - z(c) * average_gz);
  }
}

double activation(Activation kind, double x) {
  switch (kind) {
    case Activation::kGeluTanh: return 0.5 * x * (1 + std::tanh(kRoot * (x + kCubic * x * x * x)));
    case Activation::kGelu: return x * normal_distribution(x);
    case Activation::kRelu: return x > 0 ? x : 0;
    case Activation::kSilu: return x / (1 + std::exp(-x));
  }
  return 0;
}

double activation_derivative(Activation kind, double x) {
  switch (kind) {
    case Activation::kGeluTanh: return gelu_tanh_derivative(x);
    case Activation::kGelu: return normal_distribution(x) + x * normal_density(x);
    case Activation::kRelu: return x > 0 ? 1 : 0;
    case Activation::kSilu: return silu_derivative(x);
  }
  return 0;
}

double dropout_factor(const DropoutMask& mask, uint64_t row, uint32_t column) {
  if (mask.rate == 0) return 1;
  const bool kept = dropout_keeps(dropout_row(mask, row), column, dropout_threshold(mask.rate));
  return kept ? 1 / (1 - double{mask.rate}) : 0;
}

void dropout(Out x, const DropoutMask& mask) {
  for (uint64_t i = 0; i < x.size(); ++i)
    x[i] *= dropout_factor(mask, i >> 32, static_cast<uint32_t>(i));
}

int64_t AttentionSizes::first_key(int64_t b, int64_t i) const {
  return first_keys.empty() ? 0 : first_keys[b * T + i];
}
int64_t AttentionSizes::last_key(int64_t b, int64_t i) const {
  return last_keys.empty() ? i : last_keys[b * T + i];
}

Probabilities attention_probabilities(const AttentionSizes& s, In q, In k, int64_t b, int64_t h) {
  const Head queries = head(s, q, s.NH, b, h), keys = head(s, k, s.KVH, b, key_head(s, h));
  Probabilities result{std::vector<double>(s.T * s.T), std::vector<double>(s.T)};
  for (int64_t i = 0; i < s.T; ++i) {
    const int64_t first = s.first_key(b, i), count = s.last_key(b, i) - first + 1;
    const Out row = Out(result.P).subspan(i * s.T + first, count);
    for (int64_t j = 0; j < count; ++j) row[j] = s.scale * dot(queries, i, keys, first + j, s.HS);
    result.lse[i] = softmax(row);
  }
  return result;
}

void attention_forward(const AttentionSizes& s, const AttentionInputs& in, Out out, Out lse) {
  std::fill(out.begin(), out.end(), 0.0);
  for (int64_t pair = 0; pair < s.B * s.NH; ++pair) {
    const int64_t b = pair / s.NH, h = pair % s.NH;
    const Head v = head(s, in.v, s.KVH, b, key_head(s, h));
    const auto to = head(s, out, s.NH, b, h);
    const Probabilities p = attention_probabilities(s, in.q, in.k, b, h);
    std::copy(p.lse.begin(), p.lse.end(), lse.begin() + pair * s.T);
    for (int64_t i = 0; i < s.T; ++i) {
      for (int64_t j = s.first_key(b, i); j <= s.last_key(b, i); ++j) {
        const double dropped = p.P[i * s.T + j] * attention_factor(s, b, h, i, j);
        for (int64_t e = 0; e < s.HS; ++e) to.at(i, e) += dropped * v.at(j, e);
      }
    }
  }
}

void attention_backward(const AttentionSizes& s, In dout, const AttentionInputs& in,
                        const AttentionGradients& to) {
  for (const Out gradient : {to.dq, to.dk, to.dv}) std::fill(gradient.begin(), gradient.end(), 0.0);
  for (int64_t b = 0; b < s.B; ++b) {
    for (int64_t h = 0; h < s.NH; ++h) head_backward(s, dout, in, b, h, to);
  }
}

namespace {

// One position's 32 channels x, the first of which is `channel`, to q8_0 pages.
void store_group(const PagedHead& to, int64_t t, int64_t channel, In k, In v, Out keys,
                 Out values) {
  const double of_keys = scale_of_group(k), of_values = scale_of_group(v);
  put_scale(of_keys, keys, to.scale(t, channel));
  put_scale(of_values, values, to.scale(t, channel));
  for (int64_t i = 0; i < kScaleChannels; ++i) {
    keys[to.key(t, channel + i)] = code_of(k[i], of_keys);
    values[to.value(t, channel + i)] = code_of(v[i], of_values);
  }
}

void store_codes(const PagedSizes& s, const PagedRows& rows, In qkv, Out keys, Out values) {
  const int64_t C = s.NH * s.HS;
  for (int64_t r = 0; r < s.R; ++r) {
    for (int64_t h = 0; h < s.NH; ++h) {
      const PagedHead to(s, rows, r, h);
      for (int64_t e = 0; e < s.HS; e += kScaleChannels) {
        const In k = qkv.subspan(r * 3 * C + C + h * s.HS + e, kScaleChannels),
                 v = qkv.subspan(r * 3 * C + 2 * C + h * s.HS + e, kScaleChannels);
        store_group(to, rows.positions[r], e, k, v, keys, values);
      }
    }
  }
}

// Number i of a page, [16 HS], has the position and channel that place(i) says.
template <typename Place>
std::vector<double> numbers_of(const PagedSizes& s, In bytes, Place&& place) {
  const int64_t numbers = page_numbers(s.HS), elements = page_elements(DType::kI8, s.HS);
  const int64_t count = length(bytes) / elements * numbers;
  std::vector<double> result(count);
  for (int64_t i = 0; i < count; ++i) {
    const In page = bytes.subspan(i / numbers * elements, elements);
    const auto [position, channel] = place(i % numbers);
    result[i] = page[i % numbers] * scale_at(page, scale_byte(s.HS, position, channel));
  }
  return result;
}

}  // namespace

std::vector<double> keys_of_bytes(const PagedSizes& s, In bytes) {
  return numbers_of(s, bytes,
                    [](int64_t i) { return std::pair(i % kPagePositions, i / kPagePositions); });
}
std::vector<double> values_of_bytes(const PagedSizes& s, In bytes) {
  return numbers_of(s, bytes, [&](int64_t i) { return std::pair(i / s.HS, i % s.HS); });
}

void store_in_pages(const PagedSizes& s, const PagedRows& rows, In qkv, Out keys, Out values) {
  if (s.cache == DType::kI8) return store_codes(s, rows, qkv, keys, values);
  const int64_t C = s.NH * s.HS;
  for (int64_t r = 0; r < s.R; ++r) {
    for (int64_t h = 0; h < s.NH; ++h) {
      const PagedHead to(s, rows, r, h);
      for (int64_t e = 0; e < s.HS; ++e) {
        const int64_t from = r * 3 * C + h * s.HS + e;
        keys[to.key(rows.positions[r], e)] = cast(qkv[from + C], s.cache);
        values[to.value(rows.positions[r], e)] = cast(qkv[from + 2 * C], s.cache);
      }
    }
  }
}

void attention_paged(const PagedSizes& s, const PagedRows& rows, In qkv, In keys, In values,
                     Out out) {
  const int64_t C = s.NH * s.HS;
  std::fill(out.begin(), out.end(), 0.0);
  for (int64_t r = 0; r < s.R; ++r) {
    const int64_t first = rows.first_keys[r], count = rows.last_keys[r] + 1 - first;
    for (int64_t h = 0; h < s.NH; ++h) {
      const PagedHead of(s, rows, r, h);
      std::vector<double> p(count);
      for (int64_t t = 0; t < count; ++t) {
        for (int64_t e = 0; e < s.HS; ++e)
          p[t] += s.scale * qkv[r * 3 * C + h * s.HS + e] * keys[of.key(first + t, e)];
      }
      softmax(p);
      for (int64_t t = 0; t < count; ++t) {
        for (int64_t e = 0; e < s.HS; ++e)
          out[r * C + h * s.HS + e] += p[t] * values[of.value(first + t, e)];
      }
    }
  }
}

void cross_entropy(In logits, Indices targets, In weights, double gradient_scale, Out losses,
                   Out dlogits) {
  const int64_t R = length(targets), V = length(logits) / R;
  for (int64_t r = 0; r < R; ++r) {
    const In row = logits.subspan(r * V, V);
    std::vector<double> p(row.begin(), row.end());
    const double lse = softmax(p);
    const bool counts = targets[r] >= 0;
    const double weight = weights.empty() ? 1 : weights[r];
    losses[r] = counts ? weight * (lse - row[targets[r]]) : 0;
    for (int64_t v = 0; v < V && !dlogits.empty(); ++v) {
      dlogits[r * V + v] = counts ? (p[v] - (v == targets[r] ? 1 : 0)) * weight * gradient_scale
                                  : 0;
    }
  }
}

double gradient_scale(double squared_norm, double clip) {
  return clip > 0 ? std::min(1.0, clip / (std::sqrt(squared_norm) + 1e-6)) : 1;
}

void adamw(const AdamWNumbers& numbers, const ParameterUpdate& row, double scale, Out parameter,
           In gradient, Out m, Out v) {
  const double beta1 = numbers.beta1, beta2 = numbers.beta2, lr = row.lr;
  for (int64_t i = 0; i < length(parameter); ++i) {
    const double g = gradient[i] * scale;
    m[i] = beta1 * m[i] + (1 - beta1) * g;
    v[i] = beta2 * v[i] + (1 - beta2) * g * g;
    const double direction = m[i] / numbers.correction1 /
                             (std::sqrt(v[i] / numbers.correction2) + numbers.epsilon);
    parameter[i] -= lr * (direction + row.weight_decay * parameter[i]);
  }
}

namespace {

// 3.4445 x - 4.7750 a x + 2.0315 a^2 x, a = x x^T, five times; x [R,C] of norm 1.
void orthogonalise(const MuonSizes& s, Out x) {
  const int64_t R = s.rows, C = s.columns;
  for (int i = 0; i < 5; ++i) {
    std::vector<double> a(R * R), once(R * C), twice(R * C);
    matmul_nt({R, R, C}, x, x, {}, a);
    matmul_nn({R, C, R}, a, x, {}, once);
    matmul_nn({R, C, R}, a, once, {}, twice);
    for (int64_t e = 0; e < R * C; ++e) x[e] = 3.4445 * x[e] - 4.7750 * once[e] + 2.0315 * twice[e];
  }
}

}  // namespace

void muon(const MuonNumbers& numbers, const ParameterUpdate& row, double scale, const MuonSizes& s,
          Out parameter, In gradient, Out m) {
  const int64_t R = s.rows, C = s.columns, width = row.parts * C;
  const double beta = numbers.beta;
  std::vector<double> u(R * width);
  for (int64_t i = 0; i < R * width; ++i) {
    const double g = gradient[i] * scale;
    m[i] = beta * m[i] + (1 - beta) * g;
    u[i] = beta * m[i] + (1 - beta) * g;
  }
  const double rate = row.lr * std::sqrt(std::max(1.0, static_cast<double>(C) / R));
  for (int64_t part = 0; part < row.parts; ++part) {
    std::vector<double> x;
    for (int64_t r = 0; r < R; ++r) {
      const auto first = u.begin() + r * width + part * C;
      x.insert(x.end(), first, first + C);
    }
    const double norm = std::max(std::sqrt(sum_of_squares(x)), 1e-7);
    for (double& value : x) value /= norm;
    orthogonalise(s, x);
    for (int64_t r = 0; r < R; ++r) {
      for (int64_t c = 0; c < C; ++c) {
        double& p = parameter[r * width + part * C + c];
        p = p * (1 - row.lr * row.weight_decay) - rate * x[r * C + c];
      }
    }
  }
}

}  // namespace inkstone::reference
