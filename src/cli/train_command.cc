// `inkstone train` and `inkstone finetune`.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/command_record.h"
#include "cli/help_format.h"
#include "cli/terminal/columns.h"
#include "cli/text_run.h"
#include "cli/train_arguments.h"
#include "cli/train_display.h"
#include "cli/train_plan.h"
#include "inkstone/learning_rate.h"
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

// Some fifteen lines of what was tried, and what follows.
void show_rates(const RateFinding& finding, bool json) {
  if (json) {
    Json points = Json::array();
    for (const auto& p : finding.points)
      points.push_back({{"lr", p.lr}, {"loss", p.loss}, {"smoothed", p.smoothed}});
    print(Json({{"event", "find_lr"},
                {"suggested_lr", finding.suggested_lr},
                {"steepest_lr", finding.steepest_lr},
                {"lowest_lr", finding.lowest_lr},
                {"points", points}})
              .dump() +
          "\n");
    return;
  }
  constexpr size_t kRows = 15;
  std::vector<std::vector<std::string>> rows = {{"lr", translated(marked("loss"))}};
  const size_t count = finding.points.size(), shown = std::min(kRows, count);
  for (size_t k = 1; k <= shown; ++k) {
    const auto& p = finding.points[count * k / shown - 1];
    rows.push_back({fmt::format("{:.2g}", p.lr), fmt::format("{:.4f}", p.smoothed)});
  }
  print(aligned_table(rows));
  print(localized(
      "the loss falls fastest at {:.2g} and is lowest at {:.2g}; suggested: --lr {:.2g}\n",
      finding.steepest_lr, finding.lowest_lr, finding.suggested_lr));
}

// A folder for what a text is made into, which goes with the object.
class PassingFolder {
 public:
  PassingFolder() : path_(temporary_beside(fs::temp_directory_path() / "inkstone-find-lr")) {}
  ~PassingFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  PassingFolder(const PassingFolder&) = delete;
  PassingFolder& operator=(const PassingFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

// Tries learning rates in place of the run that the arguments describe.
int run_find_lr(TrainArguments a, const CLI::App& command) {
  if (a.minutes > 0) fail(ErrorCode::kUsage, "--find-lr tries steps, not --minutes: leave one out");
  if (!a.resume.empty())
    fail(ErrorCode::kUsage, "--find-lr is for a run that has not begun: leave out --resume");
  const PassingFolder passing;
  a.run = passing.path().string();
  check_arguments(a, command);
  const InterruptFlag interrupt;
  TrainDisplay display(a.json, interrupt);
  const TrainObserver observer = display.observer();
  try {
    const auto data = a.texts.empty()
                          ? all_data_folders(a.data)
                          : std::vector{prepare_text_run(text_run(a), record_of(command), display)};
    const TrainOptions options = train_options(a, command, data, observer);
    RateRamp ramp;
    if (command.count("--steps") > 0) ramp.steps = options.steps;
    const RateFinding finding = find_learning_rate(options, ramp, observer);
    if (interrupt.raised()) return kExitInterrupted;
    show_rates(finding, a.json);
    return kExitDone;
  } catch (const Interrupted&) {
    return kExitInterrupted;
  } catch (const Error&) {
    if (interrupt.raised()) return kExitInterrupted;  // too few steps to say anything
    throw;
  }
}

// Begins the run, or goes on with it where the same command was stopped.
int run_command(const TrainArguments& a, const CLI::App& command) {
  if (a.find_lr) return run_find_lr(a, command);
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
    if (a.verify_resume) return show_resume_check(options, a.json, observer.stop_requested);
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
    selection.run = [a, c] {
      return a->resume.empty() || a->find_lr ? run_command(*a, *c) : run_resume(*a, *c);
    };
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
