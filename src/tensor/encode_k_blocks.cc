// One search for all K types. Each sub-block is fitted by itself; then the scales are rounded to
// multiples of the block's halves d and dmin, each sub-block trying the multiples around its fit
// and keeping what leaves the least error; then d and dmin are solved for anew with the codes
// chosen, and so on by turns while the error falls. It begins with the better of two sets of fits:
// the best of each sub-block, and those of the extremes, whose multiples are sometimes nearer.
#include "tensor/encode_k_blocks.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "tensor/block_fit.h"
#include "tensor/block_layout.h"

namespace inkstone {
namespace {

constexpr int kMostRounds = 3;
constexpr int kMostSubBlocks = 16;

// What tells the types apart: value = d * scale * q - dmin * min, with scale, min and q in ranges.
struct Form {
  int length;  // elements of a sub-block
  CodeRange codes, scales;
  int highest_min;  // 0: the type has no mins

  int sub_blocks() const { return kSuperBlock / length; }
};

struct EncodedBlock {
  uint16_t d = 0, dmin = 0;  // halves
  std::array<int, kMostSubBlocks> scales{}, mins{};
  float error = std::numeric_limits<float>::max();
};

using Fits = std::array<Fit, kMostSubBlocks>;

class BlockSearch {
 public:
  BlockSearch(const Form& form, const float* x, const float* w) : form_(form), x_(x), w_(w) {}

  EncodedBlock run() const {
    Fits fits = fits_of_extremes();
    EncodedBlock best = rounded(fits, first_halves(fits));
    const Fits searched = searched_fits();
    const EncodedBlock of_searched = rounded(searched, first_halves(searched));
    if (of_searched.error < best.error) fits = searched, best = of_searched;
    for (int round = 0; round < kMostRounds; ++round) {
      const EncodedBlock next = rounded(fits, solved_halves(best));
      if (!(next.error < best.error)) break;
      best = next;
    }
    return best;
  }

  Codes<kSuperBlock> codes(const EncodedBlock& block) const {
    Codes<kSuperBlock> q;
    for (int j = 0; j < form_.sub_blocks(); ++j)
      choose_codes(sub_block(j), decoded(block, j), form_.codes, &q[j * form_.length]);
    return q;
  }

 private:
  Piece sub_block(int j) const {
    return {x_ + j * form_.length, w_ + j * form_.length, form_.length};
  }
  Fits fits_of_extremes() const {
    return fits_by([&](const Piece& piece) {
      return form_.highest_min == 0
                 ? scale_of_extreme(piece, form_.codes)
                 : scale_and_min_of_extremes(piece, form_.codes.highest, MinSign::kNotNegative);
    });
  }
  Fits searched_fits() const {
    return fits_by([&](const Piece& piece) {
      return form_.highest_min == 0
                 ? fit_scale(piece, form_.codes)
                 : fit_scale_and_min(piece, form_.codes.highest, MinSign::kNotNegative);
    });
  }
  Fits fits_by(const auto& fit_of) const {
    Fits fits;
    for (int j = 0; j < form_.sub_blocks(); ++j) fits[j] = fit_of(sub_block(j));
    return fits;
  }
  Fit decoded(const EncodedBlock& block, int j) const {
    return {half_to_float(block.d) * static_cast<float>(block.scales[j]),
            half_to_float(block.dmin) * static_cast<float>(block.mins[j])};
  }

  // d and dmin such that the largest scale is the last multiple, on the longer side of the range.
  Fit first_halves(const Fits& fits) const {
    float scale = 0, min = 0;
    for (const Fit& fit : fits) {
      if (std::abs(fit.scale) > std::abs(scale)) scale = fit.scale;
      min = std::max(min, fit.min);
    }
    const int end = form_.scales.lowest < 0 ? form_.scales.lowest : form_.scales.highest;
    return {scale / static_cast<float>(end),
            form_.highest_min == 0 ? 0 : min / static_cast<float>(form_.highest_min)};
  }

  // The best d and dmin for the scales, mins and codes of `block`.
  Fit solved_halves(const EncodedBlock& block) const {
    const Codes<kSuperBlock> q = codes(block);
    double aa = 0, ab = 0, bb = 0, xa = 0, xb = 0;
    for (int i = 0; i < kSuperBlock; ++i) {
      const int j = i / form_.length;
      const double w = w_[i], x = x_[i], b = -block.mins[j],
                   a = block.scales[j] * (q[i] + form_.codes.lowest);
      aa += w * a * a, ab += w * a * b, bb += w * b * b, xa += w * x * a, xb += w * x * b;
    }
    const double determinant = aa * bb - ab * ab;
    double min = half_to_float(block.dmin);
    if (determinant > 1e-9 * aa * bb) min = std::max((xb * aa - xa * ab) / determinant, 0.0);
    const double scale = aa > 0 ? (xa - min * ab) / aa : 0;
    return {static_cast<float>(scale), static_cast<float>(min)};
  }

  EncodedBlock rounded(const Fits& fits, const Fit& halves) const {
    EncodedBlock block{.d = half_of_scale(halves.scale), .dmin = float_to_half(halves.min)};
    block.error = 0;
    for (int j = 0; j < form_.sub_blocks(); ++j) block.error += round_sub_block(block, fits[j], j);
    return block;
  }

  // The multiples around `wanted` / unit in [lowest, highest].
  static CodeRange multiples_about(float wanted, float unit, CodeRange range) {
    const float low = static_cast<float>(range.lowest), high = static_cast<float>(range.highest);
    const float nearest = unit == 0 ? 0 : std::clamp(wanted / unit, low, high);
    const int middle = static_cast<int>(std::lround(nearest));
    return {std::max(middle - 1, range.lowest), std::min(middle + 1, range.highest)};
  }

  float round_sub_block(EncodedBlock& block, const Fit& fit, int j) const {
    const float d = half_to_float(block.d), dmin = half_to_float(block.dmin);
    const CodeRange scales = multiples_about(fit.scale, d, form_.scales);
    const CodeRange mins = multiples_about(fit.min, dmin, {0, form_.highest_min});
    float least = std::numeric_limits<float>::max();
    for (int scale = scales.lowest; scale <= scales.highest; ++scale) {
      for (int min = mins.lowest; min <= mins.highest; ++min) {
        const Fit tried{d * static_cast<float>(scale), dmin * static_cast<float>(min)};
        const float error = error_of(sub_block(j), tried, form_.codes);
        if (!(error < least)) continue;
        least = error;
        block.scales[j] = scale, block.mins[j] = min;
      }
    }
    return least;
  }

  const Form form_;
  const float *const x_, *const w_;
};

// The fields of q4_k's and q5_k's beginning.
void store_with_mins(const EncodedBlock& encoded, uint8_t* block) {
  store_half(encoded.d, block);
  store_half(encoded.dmin, block + 2);
  ScalesAndMins sub;
  for (int j = 0; j < 8; ++j) {
    sub.scales[j] = static_cast<uint8_t>(encoded.scales[j]);
    sub.mins[j] = static_cast<uint8_t>(encoded.mins[j]);
  }
  pack_scales_and_mins(sub, block + 4);
}

}  // namespace

void encode_q2_k(const float* x, const float* w, uint8_t* block) {
  BlockSearch search({.length = 16, .codes = {0, 3}, .scales = {0, 15}, .highest_min = 15}, x, w);
  const EncodedBlock encoded = search.run();
  for (int j = 0; j < 16; ++j)
    block[j] = static_cast<uint8_t>(encoded.scales[j] | (encoded.mins[j] << 4));
  pack_bits<2, 32>(search.codes(encoded), 0, block + 16);
  store_half(encoded.d, block + 80);
  store_half(encoded.dmin, block + 82);
}

void encode_q3_k(const float* x, const float* w, uint8_t* block) {
  BlockSearch search({.length = 16, .codes = {-4, 3}, .scales = {-32, 31}, .highest_min = 0}, x, w);
  const EncodedBlock encoded = search.run();
  const Codes<kSuperBlock> q = search.codes(encoded);
  pack_bits<1, 32>(q, 2, block);
  pack_bits<2, 32>(q, 0, block + 32);
  Codes<16> scales;
  for (int j = 0; j < 16; ++j) scales[j] = static_cast<uint8_t>(encoded.scales[j] + 32);
  pack_bits<4, 8>(scales, 0, block + 96);
  pack_bits<2, 4>(scales, 4, block + 104);
  store_half(encoded.d, block + 108);
}

void encode_q4_k(const float* x, const float* w, uint8_t* block) {
  BlockSearch search({.length = 32, .codes = {0, 15}, .scales = {0, 63}, .highest_min = 63}, x, w);
  const EncodedBlock encoded = search.run();
  store_with_mins(encoded, block);
  pack_bits<4, 32>(search.codes(encoded), 0, block + 16);
}

void encode_q5_k(const float* x, const float* w, uint8_t* block) {
  BlockSearch search({.length = 32, .codes = {0, 31}, .scales = {0, 63}, .highest_min = 63}, x, w);
  const EncodedBlock encoded = search.run();
  const Codes<kSuperBlock> q = search.codes(encoded);
  store_with_mins(encoded, block);
  pack_bits<1, 32>(q, 4, block + 16);
  pack_bits<4, 32>(q, 0, block + 48);
}

void encode_q6_k(const float* x, const float* w, uint8_t* block) {
  BlockSearch search({.length = 16, .codes = {-32, 31}, .scales = {-128, 127}, .highest_min = 0}, x,
                     w);
  const EncodedBlock encoded = search.run();
  const Codes<kSuperBlock> q = search.codes(encoded);
  pack_bits<4, 64>(q, 0, block);
  pack_bits<2, 32>(q, 4, block + 128);
  for (int j = 0; j < 16; ++j) block[192 + j] = static_cast<uint8_t>(encoded.scales[j]);
  store_half(encoded.d, block + 208);
}

}  // namespace inkstone
