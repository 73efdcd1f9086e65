// The weights that a run begins with.
#pragma once

#include "inkstone/model.h"
#include "inkstone/trainer.h"
#include "train/data_sets.h"

namespace inkstone {

// The weights that the options begin with; with options.lora the model with an adapter that is
// zero. Sets what they leave to the data or to the model that they name.
Model starting_model(TrainOptions& options, const DataSets& data, const TrainObserver& observer);

// Which parameters are trained, and how; what is made for a session by other ways needs it too.
void set_policy(const Model& model, const TrainOptions& options);

}  // namespace inkstone
