// trainer_state.json of a checkpoint on any bytes. Law: what was read and written is read again as
// the same; and the clock gives a run no fewer steps than it has done, and no more than it wants.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "fuzz.h"
#include "train/checkpoint.h"
#include "train/plan.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  TrainerState read;
  if (!fuzz::accepts(
          [&] { read = trainer_state_from_json(parse_json(fuzz::as_text(data, size))); })) {
    return 0;
  }
  const Json written = to_json(read);
  fuzz::require(to_json(trainer_state_from_json(parse_json(written.dump()))) == written,
                "to_json(from_json(to_json(x))) == to_json(x)");
  const int64_t steps = steps_by_the_clock(read);
  fuzz::require(steps <= read.options.steps && steps >= std::min(read.step, read.options.steps),
                "step <= steps_by_the_clock <= steps");
  return 0;
}
