#include "train/memory_plan.h"

#include "base/message.h"
#include "model/training_pass.h"
#include "model/weights.h"
#include "train/optimizer.h"

namespace inkstone {

std::vector<MemoryPart> memory_parts(const Network& network, const TrainOptions& o,
                                     int64_t window) {
  const ParameterTable& table = network.table();
  const int64_t single = table.flat_count() * size_bytes(DType::kF32);
  std::vector<MemoryPart> parts;
  if (network.base() != nullptr)
    parts.push_back({marked("model, as it is stored"), network.base()->held_bytes()});
  parts.push_back({marked("weights"), single});
  if (network.compute() == DType::kBF16) parts.push_back({marked("their bf16 copies"), single / 2});
  parts.push_back({marked("gradients"), table.gradient_count() * size_bytes(DType::kF32)});
  parts.push_back({marked("optimiser"), Optimizer::planned_bytes(network, o.optimizer)});
  parts.push_back(
      {marked("activations"), TrainingPass::planned_bytes(network, o.batch, window, o.recompute)});
  return parts;
}

int64_t sum_of(std::span<const MemoryPart> parts) {
  int64_t bytes = 0;
  for (const MemoryPart& part : parts) bytes += part.bytes;
  return bytes;
}

}  // namespace inkstone
