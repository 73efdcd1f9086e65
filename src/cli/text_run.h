// From a text to prepared data, inside a run's folder: what `train TEXT` does before it trains.
#pragma once

#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cli/command_record.h"
#include "cli/train_display.h"
#include "inkstone/cleaning.h"
#include "inkstone/reading.h"
#include "inkstone/turns.h"

namespace inkstone::cli {

struct TextRun {
  std::filesystem::path run;
  std::vector<std::string> texts;  // whatever prepare reads
  std::string tokenizer;           // folder or file; empty: a vocabulary is learnt
  int64_t vocab_size = 0;          // of the one that is learnt, at most
  double val_fraction = 0;
  ReadOptions read;
  std::optional<TurnTemplate> turns;  // of records with a completion
  CleanOptions clean;
};

// Makes RUN/command.json, RUN/tokenizer (if a vocabulary is to be learnt) and RUN/data, or as much
// of them as is not there yet, and tells of it. Standard input is kept in RUN/text, for it is read
// twice. Killed at any moment, the next call goes on; the result is the same, byte for byte.
// Returns the data folder. Throws kUsage when the folder holds something else, or lies inside a
// text's folder; Interrupted.
std::filesystem::path prepare_text_run(const TextRun& text, const CommandRecord& command,
                                       TrainDisplay& display);

// Says of a text that was written again after the run's shards were made that the run goes on with
// the shards.
void tell_newer_texts(const std::filesystem::path& run, const CommandRecord& command,
                      TrainDisplay& display);

}  // namespace inkstone::cli
