// A step of the optimiser: the scale of the gradients, then AdamW for its rows at once and Muon for
// one row after the other (adamw.cc, muon.cc).
#include <algorithm>
#include <cmath>

#include "kernels/cpu/operations.h"

namespace inkstone::cpu {
namespace {

void check(const ParameterUpdate& row) {
  const int64_t count = row.parameter.count();
  INK_CHECK(row.gradient.count() == count && row.m.count() == count, "optimizer_step: sizes");
  INK_CHECK(!row.copy || row.copy.count() == count, "optimizer_step: size of the copy");
  if (row.rule == UpdateRule::kAdamW) {
    INK_CHECK(row.v.count() == count, "optimizer_step: size of v");
  } else {
    INK_CHECK(
        row.parameter.shape.rank() == 2 && row.parts > 0 && row.parameter.shape[1] % row.parts == 0,
        "optimizer_step: shape of a matrix");
  }
}

double scale_of(const OptimizerStep& op, double norm) {
  return op.clip > 0 ? std::min(1.0, op.clip / (norm + 1e-6)) : 1.0;
}

}  // namespace

int64_t optimizer_scratch_floats(std::span<const ParameterUpdate> rows) {
  int64_t most = 0;
  for (const ParameterUpdate& row : rows) {
    if (row.rule == UpdateRule::kMuon) most = std::max(most, muon_scratch_floats(row));
  }
  return most;
}

void optimizer_step(Context& context, const OptimizerStep& op) {
  for (const ParameterUpdate& row : op.rows) check(row);
  INK_CHECK(op.scratch.count() >= optimizer_scratch_floats(op.rows),
            "optimizer_step: size of the scratch");
  const double norm = op.squared_norm ? std::sqrt(*op.squared_norm.as<double>()) : 0;
  if (!std::isfinite(norm)) return;
  const double scale = op.squared_norm ? scale_of(op, norm) : 1;
  adamw(context, op, scale);
  for (const ParameterUpdate& row : op.rows) {
    if (row.rule == UpdateRule::kMuon) muon(context, op.muon, row, op.scratch, scale);
  }
}

}  // namespace inkstone::cpu
