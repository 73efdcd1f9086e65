// Low-rank adapters: what is trained in place of a model's matrices.
#pragma once

#include <cstdint>
#include <string>

namespace inkstone {

// A matrix W [in, out] becomes W + s (B A)^T with A [rank, in] and B [out, rank], which alone are
// trained; s = alpha / rank. Source: Hu et al. 2021, arXiv:2106.09685.
struct LoraOptions {
  int64_t rank = 0;  // 0: no adapter, the model itself is trained
  double alpha = 16;
  // Of attn.c_attn, attn.c_proj, mlp.c_fc, mlp.c_proj, which each layer has, with commas between
  // them; "c_proj" means both with that end, as in PEFT. Empty: all four.
  std::string targets = {};
  double dropout = 0;  // of what A is multiplied with, in [0, 1)
  // s = alpha / sqrt(rank). Source: Kalajdzievski 2023, arXiv:2312.03732.
  bool rank_stabilised = false;
  // A magnitude [out] for each matrix is trained too: the columns of the sum are brought to that
  // length, whose own gradient is left out. Source: Liu et al. 2024, arXiv:2402.09353, section 4.3.
  bool magnitudes = false;

  bool operator==(const LoraOptions&) const = default;
};

}  // namespace inkstone
