// `inkstone train` and `inkstone finetune`.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "cli/command_record.h"
#include "cli/help_format.h"
#include "cli/text_run.h"
#include "cli/train_arguments.h"
#include "cli/train_display.h"
#include "cli/train_plan.h"
#include "inkstone/prepare.h"
#include "inkstone/trainer.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

std::vector<fs::path> all_data_folders(const std::vector<std::string>& given) {
  std::vector<fs::path> folders;
  for (const std::string& name : given) {
    const auto found = find_data_folders(name);
    folders.insert(folders.end(), found.begin(), found.end());
  }
  return folders;
}

// The same command again.
ResumeOptions resume_options(const TrainArguments& a) {
  return {.run = a.run, .fall_back = a.fall_back, .threads = make_runtime().threads()};
}

// --resume, and what may come along.
ResumeOptions resume_options(const TrainArguments& a, const CLI::App& command) {
  ResumeOptions options{.run = a.resume,
                        .fall_back = a.fall_back,
                        .data = all_data_folders(a.data),
                        .threads = make_runtime().threads()};
  if (command.count("--steps") > 0) options.steps = a.options.steps;
  return options;
}

// Begins the run, or goes on with it where the same command was stopped.
int run_command(const TrainArguments& a, const CLI::App& command) {
  check_arguments(a, command);
  const CommandRecord record = record_of(command);
  require_same_command(record, a.run);
  const InterruptFlag interrupt;
  TrainDisplay display(a.json, interrupt);
  TrainObserver observer = display.observer();
  observer.stop_at = a.stop_at;
  observer.on_begin = [&](const fs::path& run) { write_command_record(record, run); };
  tell_newer_texts(a.run, record, display);
  const bool only_looks = a.plan || a.verify_resume;
  if (!only_looks && read_command_record(a.run) && can_resume(a.run))
    return display.finish(resume(resume_options(a), observer), a.run);
  try {
    const auto data = a.texts.empty() ? all_data_folders(a.data)
                                      : std::vector{prepare_text_run(text_run(a), record, display)};
    const TrainOptions options = train_options(a, command, data, observer);
    if (a.plan) return show_plan(options, a.json);
    if (a.verify_resume) return show_resume_check(options, a.json);
    return display.finish(train(options, observer), a.run);
  } catch (const Interrupted&) {
    return display.interrupted(a.run);
  }
}

// A run that was stopped before its training began: its command, once more.
int repeat_command(const CommandRecord& record, const TrainArguments& a) {
  std::vector<std::string> words = words_of(record);
  words.insert(words.begin() + 1, "--output=" + a.resume);
  if (a.json) words.insert(words.begin() + 1, "--json");
  if (a.stop_at > 0) words.insert(words.begin() + 1, fmt::format("--stop-at={}", a.stop_at));
  CLI::App app;
  Selection selection;
  add_train_command(app, selection);
  add_finetune_command(app, selection);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    fail(ErrorCode::kInvalidData, "'{}/command.json' holds no command that can be repeated: {}",
         a.resume, refusal(e));
  }
  return selection.run();
}

int run_resume(const TrainArguments& a, const CLI::App& command) {
  refuse_with_resume(command);
  if (!can_resume(a.resume)) {
    if (const auto record = read_command_record(a.resume)) {
      if (command.count("--steps") > 0 || !a.data.empty()) {
        fail(ErrorCode::kUsage,
             "the training of '{}' has not begun yet: --steps and --data cannot be changed; leave "
             "them out",
             a.resume);
      }
      return repeat_command(*record, a);
    }
  }
  const InterruptFlag interrupt;
  TrainDisplay display(a.json, interrupt);
  TrainObserver observer = display.observer();
  observer.stop_at = a.stop_at;
  return display.finish(resume(resume_options(a, command), observer), a.resume);
}

// The options of `train`, read into `a`.
CLI::App* declare_train(CLI::App& app, Selection& selection, TrainArguments& a) {
  CLI::App* c = add_command(
      app, selection, "train", "Train a GPT-2 on a text, from scratch or from a model",
      marked("  inkstone train book.txt -o run --minutes 6\n"
             "  inkstone train letters/ 'crawl/*.jsonl.gz' -o run --model gpt-baby --steps 5000\n"
             "  inkstone train --data data -o run --dropout 0.2\n"
             "  inkstone train --resume run"),
      [] { return kExitDone; });
  add_train_options(c, a);
  return c;
}

CLI::App* declare_finetune(CLI::App& app, Selection& selection, TrainArguments& a) {
  a.finetune = true;
  CLI::App* c = add_command(
      app, selection, "finetune", "Train a model further on other text, at a small learning rate",
      marked("  inkstone finetune gpt2 letters.txt -o tuned\n\n"
             "--data must be prepared with the model's own tokenizer: prepare --tokenizer MODEL."),
      [] { return kExitDone; });
  add_finetune_options(c, a);
  return c;
}

}  // namespace

void add_train_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = declare_train(app, selection, *a);
  c->callback([a, c, &selection] {
    selection.run = [a, c] { return a->resume.empty() ? run_command(*a, *c) : run_resume(*a, *c); };
  });
}

void add_finetune_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* c = declare_finetune(app, selection, *a);
  c->callback([a, c, &selection] { selection.run = [a, c] { return run_command(*a, *c); }; });
}

CommandRecord checked_training_command(std::vector<std::string> words) {
  CLI::App app;
  Selection selection;
  TrainArguments train_arguments, finetune_arguments;
  CLI::App* train = declare_train(app, selection, train_arguments);
  CLI::App* finetune = declare_finetune(app, selection, finetune_arguments);
  std::reverse(words.begin(), words.end());  // as CLI11 takes them
  try {
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    throw Error(ErrorCode::kUsage, refusal(e));
  }
  const bool is_train = train->parsed();
  const CLI::App& command = is_train ? *train : *finetune;
  check_arguments(is_train ? train_arguments : finetune_arguments, command);
  return record_of(command);
}

}  // namespace inkstone::cli
