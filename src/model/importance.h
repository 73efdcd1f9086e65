// Which weights of a matrix matter most: the mean square of what each of its inputs is in a text.
#pragma once

#include <functional>
#include <span>
#include <vector>

#include "model/weights.h"

namespace inkstone {

// For each row of the parameter table that is multiplied the mean of x[k]^2 over all tokens, [in]
// numbers; of other rows nothing. The tokens are read in windows of the context.
std::vector<std::vector<float>> measure_importance(
    const Weights& weights, std::span<const TokenId> tokens,
    const std::function<void(int64_t done, int64_t all)>& on_progress);

}  // namespace inkstone
