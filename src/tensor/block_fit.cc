// The searches run over fixed lanes, which compilers turn into vector instructions and which add up
// in the same order everywhere.
#include "tensor/block_fit.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/block_layout.h"

namespace inkstone {
namespace {

constexpr int kLanes = 8;
using Lanes = std::array<float, kLanes>;

float sum(const Lanes& lanes) {
  return ((lanes[0] + lanes[4]) + (lanes[1] + lanes[5])) +
         ((lanes[2] + lanes[6]) + (lanes[3] + lanes[7]));
}

// Below half of the smallest half times the smallest code: 0 is the nearest that any type has.
constexpr float kNegligible = 0x1p-26f;
constexpr int kMostTurns = 2;

float inverse_of(float scale) { return std::abs(scale) < 0x1p-60f ? 0.0f : 1.0f / scale; }

// To the nearest whole number, ties to even, for |x| < 2^22: above 2^23 floats have no fraction.
inline float whole(float x) {
  constexpr float kShift = 0x1.8p23f;
  return (x + kShift) - kShift;
}

// The nearest code as a float. Clamped first, so that any finite x will do.
struct Nearest {
  explicit Nearest(CodeRange codes)
      : lowest(static_cast<float>(codes.lowest)), highest(static_cast<float>(codes.highest)) {}
  float operator()(float x) const { return whole(std::min(std::max(x, lowest), highest)); }
  float lowest, highest;
};

// The grid of scales: an extreme of the piece is the last code, or up to an eighth of all codes, at
// least one code, more or less.
constexpr int kSteps = 21;
using Ends = std::array<float, kSteps>;

Ends ends_about(int last, CodeRange codes) {
  const float reach = std::max(1.0f, static_cast<float>(codes.highest - codes.lowest) / 8);
  Ends ends;
  for (int step = 0; step < kSteps; ++step)
    ends[step] = static_cast<float>(last) + reach * (static_cast<float>(step) / 10 - 1);
  return ends;
}

float largest_magnitude(const Piece& piece) {
  float largest = 0;
  for (int i = 0; i < piece.count; ++i) {
    if (std::abs(piece.x[i]) > std::abs(largest)) largest = piece.x[i];
  }
  return largest;
}

// ---- One scale ----------------------------------------------------------------------------------

// The best scale for codes q is sum(w x q) / sum(w q q); it takes sum(w x q)^2 / sum(w q q) off the
// error that zeros have.
struct Products {
  float xq, qq;
  float gain() const { return qq > 0 ? xq * xq / qq : 0; }
  float scale() const { return qq > 0 ? xq / qq : 0; }
};

// value_at(x / scale) is what the code nearest to it stands for.
template <class Value>
Products products(const Piece& piece, float inverse, const Value& value_at) {
  Lanes xq{}, qq{};
  for (int i = 0; i < piece.count; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float x = piece.x[i + l], q = value_at(inverse * x), wq = piece.w[i + l] * q;
      xq[l] += wq * x;
      qq[l] += wq * q;
    }
  }
  return {sum(xq), sum(qq)};
}

template <class Value>
float search_scale(const Piece& piece, const Value& value_at, const auto& inverses) {
  Products best{0, 0};
  for (const float inverse : inverses) {
    const Products tried = products(piece, inverse, value_at);
    if (tried.gain() > best.gain()) best = tried;
  }
  for (int turn = 0; turn < kMostTurns; ++turn) {
    const Products next = products(piece, inverse_of(best.scale()), value_at);
    if (!(next.gain() > best.gain())) break;
    best = next;
  }
  return best.scale();
}

// 1 / scale such that `largest` is each of `ends`, and with the other sign.
std::array<float, 2 * kSteps> inverses_for(const Ends& ends, float largest) {
  std::array<float, 2 * kSteps> to;
  for (int step = 0; step < kSteps; ++step) {
    to[2 * step] = -ends[step] / largest;
    to[2 * step + 1] = ends[step] / largest;
  }
  return to;
}

// ---- Scale and min ------------------------------------------------------------------------------

// Sums over y = x - low, which is as large as the codes' range and not as large as x.
struct Moments {
  float y = 0, q = 0, yq = 0, qq = 0;
};

Moments moments(const Piece& piece, float low, float offset, float inverse,
                const Nearest& nearest) {
  Lanes y{}, q{}, yq{}, qq{};
  for (int i = 0; i < piece.count; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float w = piece.w[i + l], yi = piece.x[i + l] - low;
      const float qi = nearest((yi - offset) * inverse);
      y[l] += w * yi;
      q[l] += w * qi;
      yq[l] += w * yi * qi;
      qq[l] += w * qi * qi;
    }
  }
  return {sum(y), sum(q), sum(yq), sum(qq)};
}

// y ~ scale * q + offset. Begins with the line from the least to the greatest element.
class AffineSearch {
 public:
  AffineSearch(const Piece& piece, const Fit& extremes, int highest, MinSign sign)
      : piece_(piece),
        low_(-extremes.min),
        nearest_({0, highest}),
        highest_offset_(sign == MinSign::kAny ? std::numeric_limits<float>::max() : -low_),
        scale_(extremes.scale) {
    Lanes w{};
    for (int i = 0; i < piece.count; i += kLanes) {
      for (int l = 0; l < kLanes; ++l) w[l] += piece.w[i + l];
    }
    w_ = sum(w);
  }

  // Solves for the best line with the codes that this one implies; true when it is the best so far.
  bool try_line(float inverse, float offset) {
    const Moments m = moments(piece_, low_, offset, inverse, nearest_);
    const auto [scale, at_zero] = solve(m);
    // The error less the sum of w y y, which is the same for all.
    const float error = scale * (scale * m.qq + 2 * at_zero * m.q - 2 * m.yq) +
                        at_zero * (at_zero * w_ - 2 * m.y);
    if (!(error < error_ && scale > 0)) return false;
    error_ = error, scale_ = scale, offset_ = at_zero;
    return true;
  }
  void take_turns() {
    for (int turn = 0; turn < kMostTurns; ++turn) {
      if (!try_line(inverse_of(scale_), offset_)) return;
    }
  }
  Fit fit() const { return {scale_, -(offset_ + low_)}; }

 private:
  struct Line {
    float scale, at_zero;
  };

  // Two equations. Where all the weight is on one code they are one, and the offset is free: then,
  // and where it would be too high, it is the highest.
  Line solve(const Moments& m) const {
    const float determinant = w_ * m.qq - m.q * m.q;
    if (determinant > 1e-5f * w_ * m.qq) {
      const float at_zero = (m.qq * m.y - m.q * m.yq) / determinant;
      if (at_zero <= highest_offset_) return {(w_ * m.yq - m.y * m.q) / determinant, at_zero};
    }
    return {m.qq > 0 ? (m.yq - highest_offset_ * m.q) / m.qq : 0, highest_offset_};
  }

  const Piece piece_;
  const float low_;
  const Nearest nearest_;
  const float highest_offset_;
  float w_, error_ = std::numeric_limits<float>::max(), scale_, offset_ = 0;
};

// ---- iq4_nl -------------------------------------------------------------------------------------

// Index of the nearest value for every half of a whole number in [-127, 113]: values' middles are
// whole or half numbers, so the half number below x decides.
constexpr int kHalves = 2 * (127 + 113) + 1;
constexpr std::array<uint8_t, kHalves> kIq4NlCodeOfHalves = [] {
  std::array<uint8_t, kHalves> codes{};
  int code = 0;
  for (int half = 0; half < kHalves; ++half) {
    while (code < 15 && half - 2 * 127 >= kIq4NlValues[code] + kIq4NlValues[code + 1]) ++code;
    codes[half] = static_cast<uint8_t>(code);
  }
  return codes;
}();

uint8_t nearest_iq4_nl_code(float x) {
  const float inside = std::min(std::max(x, -127.0f), 113.0f);
  return kIq4NlCodeOfHalves[static_cast<int>((inside + 127.0f) * 2)];
}

float nearest_iq4_nl_value(float x) {
  return static_cast<float>(kIq4NlValues[nearest_iq4_nl_code(x)]);
}

}  // namespace

void weights_of(const float* x, const float* importance, int count, float* w) {
  // Over the largest first, so that neither squares nor products leave the range of floats.
  const float largest_x = std::abs(largest_magnitude({x, nullptr, count}));
  const float largest_importance = importance == nullptr
                                       ? 0
                                       : *std::max_element(importance, importance + count);
  const float x_unit = largest_x > 0 ? largest_x : 1;
  float squares = 0;
  for (int i = 0; i < count; ++i) squares += (x[i] / x_unit) * (x[i] / x_unit);
  const float rms = largest_x > 0 ? std::sqrt(squares / static_cast<float>(count)) : 1;
  for (int i = 0; i < count; ++i) {
    const float each = largest_importance > 0 ? importance[i] / largest_importance : 1;
    w[i] = std::max(each * (rms + std::abs(x[i]) / x_unit) / (rms + 1), 1e-6f);
  }
}

Fit scale_of_extreme(const Piece& piece, CodeRange codes) {
  return {largest_magnitude(piece) / static_cast<float>(codes.lowest), 0};
}

Fit fit_scale(const Piece& piece, CodeRange codes) {
  const float largest = largest_magnitude(piece);
  if (std::abs(largest) < kNegligible) return {};
  const auto inverses = inverses_for(ends_about(-codes.lowest, codes), largest);
  return {search_scale(piece, Nearest(codes), inverses), 0};
}

Fit scale_and_min_of_extremes(const Piece& piece, int highest, MinSign sign) {
  const auto [least, most] = std::minmax_element(piece.x, piece.x + piece.count);
  const float low = sign == MinSign::kNotNegative ? std::min(*least, 0.0f) : *least;
  return {(*most - low) / static_cast<float>(highest), -low};
}

Fit fit_scale_and_min(const Piece& piece, int highest, MinSign sign) {
  const Fit extremes = scale_and_min_of_extremes(piece, highest, sign);
  if (!(extremes.scale >= kNegligible)) return extremes;
  AffineSearch search(piece, extremes, highest, sign);
  for (const float end : ends_about(highest, {0, highest}))
    search.try_line(end / (extremes.scale * static_cast<float>(highest)), 0);
  search.take_turns();
  return search.fit();
}

uint16_t half_of_scale(float scale) {
  const uint16_t half = float_to_half(std::clamp(scale, -65504.0f, 65504.0f));
  const bool vanished = (half & 0x7FFF) == 0 && scale != 0;
  return vanished ? half | 1 : half;
}

float error_of(const Piece& piece, const Fit& fit, CodeRange codes) {
  const float inverse = inverse_of(fit.scale);
  const Nearest nearest(codes);
  Lanes error{};
  for (int i = 0; i < piece.count; i += kLanes) {
    for (int l = 0; l < kLanes; ++l) {
      const float x = piece.x[i + l] + fit.min;
      const float difference = fit.scale * nearest(x * inverse) - x;
      error[l] += piece.w[i + l] * difference * difference;
    }
  }
  return sum(error);
}

void choose_codes(const Piece& piece, const Fit& fit, CodeRange codes, uint8_t* q) {
  const float inverse = inverse_of(fit.scale);
  const Nearest nearest(codes);
  for (int i = 0; i < piece.count; ++i) {
    const float code = nearest((piece.x[i] + fit.min) * inverse);
    q[i] = static_cast<uint8_t>(static_cast<int>(code) - codes.lowest);
  }
}

float fit_iq4_nl_scale(const Piece& piece) {
  const float largest = largest_magnitude(piece);
  if (std::abs(largest) < kNegligible) return 0;
  std::array<float, 2 * kSteps> inverses = inverses_for(ends_about(127, {-127, 113}), largest);
  return search_scale(piece, nearest_iq4_nl_value, inverses);
}

void choose_iq4_nl_codes(const Piece& piece, float scale, uint8_t* q) {
  const float inverse = inverse_of(scale);
  for (int i = 0; i < piece.count; ++i) q[i] = nearest_iq4_nl_code(piece.x[i] * inverse);
}

}  // namespace inkstone
