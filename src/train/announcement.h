// What a run says about itself before it begins.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "inkstone/message.h"
#include "model/network.h"
#include "train/batches.h"
#include "train/checkpoint.h"
#include "train/data_sets.h"

namespace inkstone {

struct RunFacts {
  const TrainerState& state;
  const Network& network;
  const DataSets& data;
  const TrainingBatches& batches;
  int64_t wanted_context, tokens_per_step;
};

// What packing made of the records of a data set.
RecordFacts record_facts(const std::string& name, const PackedRecords& packed);

// Lines for people: model, data, device and memory, and whatever is unusual.
std::vector<Message> announcement(const RunFacts& facts);

}  // namespace inkstone
