// What Engine holds; the layer's own clients use it too.
#pragma once

#include <condition_variable>
#include <mutex>
#include <utility>
#include <vector>

#include "generate/generator_impl.h"
#include "generate/sampling.h"
#include "generate/scheduler.h"
#include "inkstone/engine.h"

namespace inkstone {

struct Engine::Impl {
  Impl(Generator& its_generator, const EngineOptions& options);

  // Any strategy. From any thread.
  RequestId submit(JobRequest request);
  // The ordinary one. task.kept is set here.
  RequestId submit(SamplingTask task);
  bool step();

  Generator& generator;
  Scheduler scheduler;  // the stepping thread's

  // What came since the last step. The others' and the stepping thread's, under the mutex.
  struct Arrival {
    RequestId id;
    JobRequest request;
    PageNeed need;
  };
  mutable std::mutex mutex;
  std::condition_variable arrived;
  std::vector<Arrival> arrivals;
  std::vector<RequestId> cancelled;
  RequestId next_id = 1;
  EngineState state;
};

}  // namespace inkstone
