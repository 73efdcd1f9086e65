// The name of the instruction set that Highway's dispatch chose.
#include <hwy/targets.h>

#include "kernels/cpu/operations.h"

namespace inkstone::cpu {

const char* instruction_set() {
  const int64_t targets = hwy::SupportedTargets();
  return hwy::TargetName(targets & -targets);  // the lowest bit is the best target
}

}  // namespace inkstone::cpu
