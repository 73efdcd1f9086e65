#include "cli/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <limits>
#include <memory>
#include <nlohmann/json.hpp>
#include <thread>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "cli/child_process.h"
#include "cli/train_arguments.h"
#include "train/run_folder.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

constexpr const char* kState = "sweep.json";
constexpr std::chrono::milliseconds kPause{50};

// What a killed sweep left half written.
bool is_unfinished_state(const std::string& name) {
  return name.starts_with(std::string(kState) + ".") && name.ends_with(".tmp");
}

void remove_unfinished_state(const fs::path& folder) {
  for (const auto& entry : fs::directory_iterator(folder)) {
    std::error_code ignored;
    if (is_unfinished_state(entry.path().filename().string())) fs::remove(entry.path(), ignored);
  }
}

// One that holds nothing but a sweep, or runs of this one, which --emit's commands may have begun.
void require_own_folder(const fs::path& folder, const std::vector<SweepRun>& runs) {
  if (!fs::exists(folder) || fs::exists(folder / kState)) return;
  if (!fs::is_directory(folder)) fail(ErrorCode::kUsage, "'{}' is not a folder", folder.string());
  for (const auto& entry : fs::directory_iterator(folder)) {
    const std::string name = entry.path().filename().string();
    if (name == "logs" || is_unfinished_state(name) ||
        std::ranges::count(runs, name, &SweepRun::name) > 0)
      continue;
    fail(ErrorCode::kUsage,
         "the folder '{}' is not empty, and holds no sweep but '{}': choose another -o",
         folder.string(), name);
  }
}

// What is wrong with a run is said before the first one begins.
void require_sound(const SweepRun& run, const fs::path& folder) {
  with_context(message("the run '{}'", run.name), [&] {
    std::vector<std::string> words = run.words;
    words.insert(words.begin() + 1, "--output=" + folder.string());
    const CommandRecord record = checked_training_command(std::move(words));
    if (fs::exists(folder)) require_same_command(record, folder);
  });
}

// The end of what a run said: its error, or else its last line.
std::string last_words(const fs::path& log) {
  constexpr size_t kTail = 4096;
  std::string text = read_file(log);
  text.erase(0, text.size() - std::min(text.size(), kTail));
  const size_t error = text.rfind("inkstone: error: ");
  if (error != std::string::npos) return text.substr(error, text.find('\n', error) - error);
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

std::string reason_of(int status, const fs::path& log) {
  if (status > 128) return fmt::format("ended by signal {}", status - 128);
  return fmt::format("exit status {}: {}", status, last_words(log));
}

// A killed sweep's child saves before it ends.
void wait_until_free(const fs::path& run) {
  constexpr double kLongest_s = 120;
  const double begin = seconds_now();
  for (bool told = false; fs::exists(run);) {
    try {
      const FolderLock lock(run);
      return;
    } catch (const Error& e) {
      if (e.code() != ErrorCode::kUsage || seconds_now() - begin > kLongest_s) throw;
      if (!told) note(message("waiting until '{}' is free", run.string()));
      told = true;
      std::this_thread::sleep_for(kPause);
    }
  }
}

double sorting_loss(const ComparedRun& run) {
  if (!run.best) return std::numeric_limits<double>::infinity();
  return run.best->val_nats_per_character.value_or(run.best->val_loss);
}

struct Job {
  Task task;
  std::unique_ptr<ChildProcess> child;
};

}  // namespace

Sweep::Sweep(SweepSpec spec, fs::path folder)
    : spec_(std::move(spec)), folder_(std::move(folder)), runs_(runs_of(spec_)) {
  require_own_folder(folder_, runs_);
  for (const SweepRun& run : runs_) require_sound(run, folder_of(run));
  read_state();
}

void Sweep::read_state() {
  const fs::path file = folder_ / kState;
  if (!fs::exists(file)) return;
  const Json json = read_json(file);
  with_context(message("reading '{}'", file.string()), [&] {
    if (!json.is_object() || !json.contains("failed") || !json["failed"].is_object())
      fail_missing_key("failed");
    for (const auto& [name, why] : json["failed"].items())
      failures_[name] = required(get_string(json["failed"], name), name);
  });
}

void Sweep::write_state() const {
  Json failed = Json::object();
  for (const auto& [name, why] : failures_) failed[name] = why;
  write_json(folder_ / kState,
             {{"program", "inkstone"}, {"spec", to_json(spec_)}, {"failed", failed}});
}

std::vector<RunState> Sweep::states() const {
  std::vector<RunState> states;
  for (const SweepRun& run : runs_) {
    const RunProgress progress = read_run_progress(folder_of(run));
    states.push_back({.step = progress.step,
                      .finished = progress.finished,
                      .failed = failures_.contains(run.name),
                      .evaluations = read_run_metrics(folder_of(run)).evaluations});
  }
  return states;
}

std::vector<Task> Sweep::next() const { return next_tasks(spec_, runs_, states()); }

std::vector<std::string> Sweep::words_of_task(const Task& task) const {
  const SweepRun& run = runs_[task.run];
  std::vector<std::string> words = run.words;
  words.insert(words.begin() + 1, "--output=" + folder_of(run).string());
  if (task.stop_at > 0) words.insert(words.begin() + 2, fmt::format("--stop-at={}", task.stop_at));
  return words;
}

// What became of a run, which must have come to where it was sent.
void Sweep::note_end(const Task& task, int status) {
  const SweepRun& run = runs_[task.run];
  const RunProgress progress = read_run_progress(folder_of(run));
  const bool arrived = progress.finished || (task.stop_at > 0 && progress.step >= task.stop_at);
  if (status == kExitDone && arrived) {
    const auto best = read_run_metrics(folder_of(run)).best();
    note(best ? message("{}: step {}, lowest validation loss {:.4f} nats per token at step {}",
                        run.name, progress.step, best->val_loss, best->step)
              : message("{}: step {}", run.name, progress.step));
    return;
  }
  failures_[run.name] = status == kExitDone
                            ? "it ended before its time"
                            : reason_of(status, folder_ / "logs" / (run.name + ".log"));
  write_state();
  note(message("{}: failed, and is left out: {}", run.name, failures_[run.name]));
}

bool Sweep::run_tasks(const std::vector<Task>& tasks, const Running& how) {
  const InterruptFlag interrupt;
  std::deque<Task> waiting(tasks.begin(), tasks.end());
  std::vector<Job> jobs;
  bool stopped = false, told = false;
  const auto start = [&](const Task& task) {
    wait_until_free(folder_of(runs_[task.run]));
    std::vector<std::string> words = words_of_task(task);
    words.insert(words.begin() + 1, "--lang=en");
    if (how.threads > 0 && spec_.fixed_value("threads").empty())
      words.insert(words.begin() + 1, fmt::format("--threads={}", how.threads));
    const fs::path log = folder_ / "logs" / (runs_[task.run].name + ".log");
    jobs.push_back({task, std::make_unique<ChildProcess>(words, log)});
  };
  while (!jobs.empty() || (!waiting.empty() && !stopped)) {
    while (!stopped && !waiting.empty() && jobs.size() < static_cast<size_t>(how.jobs)) {
      start(waiting.front());
      waiting.pop_front();
    }
    std::erase_if(jobs, [&](const Job& job) {
      const auto status = job.child->poll();
      if (!status) return false;
      if (*status == kExitInterrupted) {
        stopped = true;  // by us, or by somebody else: it goes on another time
      } else {
        note_end(job.task, *status);
      }
      return true;
    });
    stopped = stopped || interrupt.raised();
    if (stopped && !told) {
      for (const Job& job : jobs) job.child->signal(SIGTERM);
      told = true;
    }
    std::this_thread::sleep_for(kPause);
  }
  return !stopped;
}

bool Sweep::run(const Running& how) {
  make_folders(folder_ / "logs");
  const FolderLock lock(folder_);
  remove_unfinished_state(folder_);
  write_state();
  for (auto tasks = next(); !tasks.empty(); tasks = next()) {
    if (spec_.method == SweepMethod::kHalving) {
      note(tasks.front().stop_at > 0
               ? message("{} runs to step {}", tasks.size(), tasks.front().stop_at)
               : message("{} runs to their end", tasks.size()));
    }
    if (!run_tasks(tasks, how)) return false;
  }
  return true;
}

std::vector<ComparedRun> Sweep::results() const {
  std::vector<ComparedRun> results;
  for (const SweepRun& run : runs_) {
    if (has_run_description(folder_of(run)))
      results.push_back(compared_run(folder_of(run).string()));
  }
  std::ranges::stable_sort(results, {}, sorting_loss);
  return results;
}

}  // namespace inkstone::cli
