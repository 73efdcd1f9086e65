// Sum of x in double, in the order of the elements: of the losses of a micro-batch, too few for
// more than one thread.
#include "kernels/cpu/operations.h"

namespace inkstone::cpu {

void sum(ConstView x, View total, bool accumulate) {
  INK_CHECK(total.count() == 1, "sum: size of the total");
  const float* values = x.as<float>();
  double of_x = 0;
  for (int64_t i = 0; i < x.count(); ++i) of_x += values[i];
  double& to = *total.as<double>();
  to = accumulate ? to + of_x : of_x;
}

}  // namespace inkstone::cpu
