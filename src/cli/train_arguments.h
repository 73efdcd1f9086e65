// The options of `train` and `finetune`.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <string>
#include <vector>

#include "cli/command_record.h"
#include "cli/reading_options.h"
#include "cli/text_run.h"
#include "inkstone/trainer.h"

namespace inkstone::cli {

struct TrainArguments {
  TrainOptions options;  // those of the table of training
  std::vector<std::string> texts, data;
  ReadingArguments reading;
  CleanOptions clean;
  std::string run, init, adapter, resume, tokenizer, model, device = "cpu";
  // In place of the shape's: 0, not given.
  int64_t layers = 0, heads = 0, width = 0, context = 0;
  int64_t vocab_size = 0, stop_at = 0;
  double minutes = 0, val_fraction = 0.05;
  bool fall_back = false, json = false, finetune = false;
  bool plan = false, verify_resume = false, find_lr = false;  // in place of training
};

void add_train_options(CLI::App* command, TrainArguments& arguments);
void add_finetune_options(CLI::App* command, TrainArguments& arguments);

// With --resume, what the run was started with holds; only some options may come along. Throws
// kUsage naming the first other one.
void refuse_with_resume(const CLI::App& command);
// Options that contradict each other, or lack. Throws kUsage. `command` says what was given.
void check_arguments(const TrainArguments& arguments, const CLI::App& command);

// The command that these words of a command line are, `train` or `finetune` first, checked as when it
// begins: nothing is read or written. Throws kUsage.
CommandRecord checked_training_command(std::vector<std::string> words);

// What a text is made into before training.
TextRun text_run(const TrainArguments& arguments);

// What is trained on `data`; with --minutes, what fits into the time.
TrainOptions train_options(const TrainArguments& arguments, const CLI::App& command,
                           const std::vector<std::filesystem::path>& data,
                           const TrainObserver& observer);

}  // namespace inkstone::cli
