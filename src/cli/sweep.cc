#include "cli/sweep.h"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <deque>
#include <fstream>
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

uint64_t size_of(const fs::path& log) { return fs::exists(log) ? fs::file_size(log) : 0; }

// The end of what stands in the file behind `begin`, 4 KiB at most.
std::string tail_of(const fs::path& log, uint64_t begin) {
  constexpr uint64_t kMost = 4096;
  const uint64_t end = size_of(log);
  begin = std::max(begin, end - std::min(end, kMost));
  if (begin >= end) return "";
  std::string text(end - begin, '\0');
  std::ifstream file(log, std::ios::binary);
  file.seekg(static_cast<std::streamoff>(begin));
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  text.resize(static_cast<size_t>(file.gcount()));
  return text;
}

// The end of what a run said since: its error, or else its last line.
std::string last_words(const fs::path& log, uint64_t begin) {
  std::string text = tail_of(log, begin);
  const size_t error = text.rfind("inkstone: error: ");
  if (error != std::string::npos) return text.substr(error, text.find('\n', error) - error);
  while (text.ends_with('\n')) text.pop_back();
  return text.substr(text.rfind('\n') + 1);
}

RunFailure failure_of(int status, const fs::path& log, uint64_t log_begin) {
  using Kind = RunFailure::Kind;
  if (status == kExitDone) return {.kind = Kind::kEarly};
  if (status > 128) return {.kind = Kind::kSignal, .number = status - 128};
  return {.kind = Kind::kExit, .number = status, .text = last_words(log, log_begin)};
}

// By us, or by somebody else: the run goes on another time.
bool is_interruption(int status) {
  return status == kExitInterrupted || status == 128 + SIGINT || status == 128 + SIGTERM ||
         status == 128 + SIGHUP;
}

bool says_threads(const SweepRun& run) {
  return std::ranges::any_of(run.words,
                             [](const auto& word) { return word.starts_with("--threads="); });
}

// A killed sweep's child saves before it ends. Returns early when the flag is raised.
void wait_until_free(const fs::path& run, const InterruptFlag& interrupt) {
  constexpr double kLongest_s = 120;
  const double begin = seconds_now();
  for (bool told = false; fs::exists(run) && !interrupt.raised();) {
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
  uint64_t log_begin = 0;  // how long the log was before
};

}  // namespace

Sweep::Sweep(SweepSpec spec, fs::path folder)
    : spec_(std::move(spec)), folder_(std::move(folder)), runs_(runs_of(spec_)) {
  require_own_folder(folder_, runs_);
  for (const SweepRun& run : runs_) require_sound(run, folder_of(run));
  read_state();
  forget_failures_of_finished();
}

void Sweep::read_state() {
  const fs::path file = folder_ / kState;
  if (!fs::exists(file)) return;
  const Json json = read_json(file);
  with_context(message("reading '{}'", file.string()), [&] {
    if (!json.is_object() || !json.contains("failed") || !json["failed"].is_object())
      fail_missing_key("failed");
    for (const auto& [name, why] : json["failed"].items())
      failures_[name] = run_failure_from_json(why);
  });
}

// Somebody has brought them to their end since.
void Sweep::forget_failures_of_finished() {
  for (const SweepRun& run : runs_) {
    if (failures_.contains(run.name) && read_run_progress(folder_of(run)).finished)
      failures_.erase(run.name);
  }
}

void Sweep::write_state() const {
  Json failed = Json::object();
  for (const auto& [name, why] : failures_) failed[name] = to_json(why);
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
void Sweep::note_end(const Task& task, int status, uint64_t log_begin) {
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
  const RunFailure failure = failure_of(status, log_of(run), log_begin);
  failures_[run.name] = failure;
  write_state();
  note(message("{}: failed, and is left out: {}", run.name, message_of(failure)));
}

bool Sweep::run_tasks(const std::vector<Task>& tasks, const Running& how) {
  const InterruptFlag interrupt;
  std::deque<Task> waiting(tasks.begin(), tasks.end());
  std::vector<Job> jobs;
  bool stopped = false, told = false;
  const auto start = [&](const Task& task) {
    const SweepRun& run = runs_[task.run];
    std::vector<std::string> words = words_of_task(task);
    words.insert(words.begin() + 1, "--lang=en");
    if (how.threads > 0 && !says_threads(run))
      words.insert(words.begin() + 1, fmt::format("--threads={}", how.threads));
    const uint64_t log_begin = size_of(log_of(run));
    jobs.push_back({task, std::make_unique<ChildProcess>(words, log_of(run)), log_begin});
  };
  while (!jobs.empty() || (!waiting.empty() && !stopped)) {
    while (!stopped && !waiting.empty() && jobs.size() < static_cast<size_t>(how.jobs)) {
      wait_until_free(folder_of(runs_[waiting.front().run]), interrupt);
      stopped = interrupt.raised();
      if (stopped) break;
      start(waiting.front());
      waiting.pop_front();
    }
    std::erase_if(jobs, [&](const Job& job) {
      const auto status = job.child->poll();
      if (!status) return false;
      if (is_interruption(*status)) {
        stopped = true;
      } else {
        note_end(job.task, *status, job.log_begin);
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
