// The table of the options of training: the one place where an option is stated. The command line
// of `train` and `finetune` with its checks and its help, run.json and trainer_state.json,
// `compare`, and docs/training_options.md come from it.
//
// How an option is added:
//   1. a member with its default in TrainOptions (include/inkstone/trainer.h);
//   2. a line in training_options.cc, under the heading that fits: name, help in marked(), member,
//      and range or names. The type of the member decides the rest (base/option_table.h).
//      What may differ is a field of OptionInfo: `derived` for a default that follows from other
//      options, `in` for what `finetune` has otherwise, `only_in` for an option of one command or
//      of none, `affects_result = false` for what only reports, `default_before` where the default
//      has changed and older runs must keep theirs (a run file without the key takes it);
//      only_if() where other options make it mean nothing;
//   3. a check that involves another option: a line in check_together() in options.cc;
//   4. INKSTONE_UPDATE_DOCUMENTS=1 build/.../tests/train/train_test writes the document anew.
#pragma once

#include "base/option_table.h"
#include "inkstone/trainer.h"

namespace inkstone {

// Without `data`, `init`, `model`, `run` and the device: what a run is made of, not how it trains.
const OptionTable<TrainOptions>& training_options();

}  // namespace inkstone
