// Scales of a few weights that are kept as small integers ("codes"), by weighted least squares. The
// codes that a scale implies are the nearest ones, so the error jumps as the scale moves: every
// search tries a grid of scales, solves for the best one with the codes that each implies, and from
// the best of all takes turns, codes then scale, while that helps.
#pragma once

#include <array>
#include <cstdint>

namespace inkstone {

// Neighbours in a row, a multiple of 16. The error of a piece is the sum of w * (x - decoded)^2.
struct Piece {
  const float* x;
  const float* w;  // in (0, 1]
  int count;
};

// Codes lie in [lowest, highest], which has 0 in it.
struct CodeRange {
  int lowest, highest;
};

// x ~ scale * q - min
struct Fit {
  float scale = 0, min = 0;
};

// Weights [count] of the squared errors: importance (not negative; null: 1) * (rms of x + |x|),
// over the largest, and none below 1e-6, so that a weight without importance stays near to what it
// was. Large elements count more, as in ggml: of a small trained model's predictions q2_k then
// changes 30 % less by Kullback and Leibler than with equal weights, though its plain error is
// larger by 2 %.
void weights_of(const float* x, const float* importance, int count, float* w);

// With min 0. The scale may be negative, since the range of codes is longer on one side. By the
// extreme: the largest magnitude is the lowest code.
Fit scale_of_extreme(const Piece& piece, CodeRange codes);
Fit fit_scale(const Piece& piece, CodeRange codes);

// With codes in [0, highest], scale >= 0. By the extremes: the least element is code 0 and the
// greatest the highest, but for a min that may not be negative.
enum class MinSign { kAny, kNotNegative };
Fit scale_and_min_of_extremes(const Piece& piece, int highest, MinSign sign);
Fit fit_scale_and_min(const Piece& piece, int highest, MinSign sign);

// The nearest half that is finite, and not 0 unless the scale is: with the smallest half codes can
// still be near to a small x, with 0 they cannot.
uint16_t half_of_scale(float scale);

// The error with the nearest codes.
float error_of(const Piece& piece, const Fit& fit, CodeRange codes);

// The nearest codes, as q - lowest, which is not negative. With scale 0 every q is 0.
void choose_codes(const Piece& piece, const Fit& fit, CodeRange codes, uint8_t* q);

// x ~ scale * value[q] with the values of iq4_nl.
float fit_iq4_nl_scale(const Piece& piece);
void choose_iq4_nl_codes(const Piece& piece, float scale, uint8_t* q);

}  // namespace inkstone
