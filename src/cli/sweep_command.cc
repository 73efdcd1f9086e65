// `inkstone sweep`: the runs of an experiment, one after the other or side by side.
#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/child_process.h"
#include "cli/command.h"
#include "cli/comparison.h"
#include "cli/sweep.h"
#include "cli/yaml_reader.h"

namespace inkstone::cli {
namespace {

constexpr size_t kUsualArray = 1000;  // tasks: Slurm's MaxArraySize is 1001 where nobody set it

struct SweepArguments {
  std::string spec, folder, emit;
  int jobs = 1;
  bool plan = false, retry = false, json = false;
};

SweepSpec read_spec(const std::string& path) {
  const std::string text = read_file(path, 1 << 20);
  return with_context(message("reading '{}'", path),
                      [&] { return sweep_spec_from_json(json_from_yaml(text)); });
}

// Of halving: how many points come how far.
std::string rungs_text(const SweepSpec& spec, size_t points) {
  std::string text;
  const auto counts = points_at_rungs(spec, points);
  for (size_t r = 0; r < counts.size(); ++r)
    text += localized("  {} points to step {}\n", counts[r], spec.rungs[r]);
  return text;
}

int show_plan(const Sweep& sweep, bool json) {
  const SweepSpec& spec = sweep.spec();
  const SweepCost cost = cost_of(spec);
  const size_t points = points_of(spec).size();
  if (json) {
    print(Json({{"points", points},
                {"runs", cost.runs},
                {"steps", cost.steps},
                {"grid_steps", cost.grid_steps}})
              .dump() +
          "\n");
    return kExitDone;
  }
  print(localized("{} points, {} runs\n", points, cost.runs));
  if (spec.method == SweepMethod::kHalving) print(rungs_text(spec, points));
  if (cost.steps > 0) {
    print(
        localized("{} steps in all, {:.0f} % of those of all runs to their end\n", cost.steps,
                  100.0 * static_cast<double>(cost.steps) / static_cast<double>(cost.grid_steps)));
  }
  for (const SweepRun& run : sweep.runs()) print(run.name + "\n");
  return kExitDone;
}

std::string command_line(const Sweep& sweep, const Task& task) {
  std::string line = shell_quoted(own_program().string());
  for (const std::string& word : sweep.words_of_task(task)) line += " " + shell_quoted(word);
  return line;
}

// GNU parallel takes a command per line.
void require_one_line(const Sweep& sweep, const Task& task) {
  for (const std::string& word : sweep.words_of_task(task)) {
    if (std::ranges::none_of(word, [](unsigned char c) { return c < ' ' || c == 0x7F; })) continue;
    fail(ErrorCode::kUsage,
         "the run '{}' has the word '{}' with a line break or another control character, which "
         "--emit parallel cannot hand on: change it, or take --emit slurm",
         sweep.runs()[task.run].name, shown_text(word));
  }
}

std::string parallel_lines(const Sweep& sweep, const std::vector<Task>& tasks) {
  std::string text;
  for (const Task& task : tasks) {
    require_one_line(sweep, task);
    text += command_line(sweep, task) + "\n";
  }
  return text;
}

std::string slurm_script(const Sweep& sweep, const std::vector<Task>& tasks) {
  std::string text = fmt::format(
      "#!/bin/bash\n#SBATCH --job-name=inkstone-sweep\n#SBATCH --array=0-{}\n"
      "case $SLURM_ARRAY_TASK_ID in\n",
      tasks.size() - 1);
  for (size_t i = 0; i < tasks.size(); ++i)
    text += fmt::format("{}) exec {} ;;\n", i, command_line(sweep, tasks[i]));
  return text + "esac\n";
}

int emit(const Sweep& sweep, const std::string& form) {
  const std::vector<Task> tasks = sweep.next();
  if (tasks.empty()) {
    note(marked("inkstone: note: nothing is left to run"));
    return kExitDone;
  }
  if (form == "slurm") {
    if (tasks.size() > kUsualArray) {
      note(message(
          "inkstone: note: the array has {} tasks: Slurm takes {} unless MaxArraySize is larger "
          "(scontrol show config)",
          tasks.size(), kUsualArray));
    }
    print(slurm_script(sweep, tasks));
  } else {
    print(parallel_lines(sweep, tasks));
  }
  return kExitDone;
}

void show_results(const Sweep& sweep, const std::vector<ComparedRun>& results, bool json) {
  if (json) {
    for (const ComparedRun& run : results)
      print(run_json(run).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return;
  }
  if (results.empty()) return;
  print(comparison_table(results));
  if (const std::string seeds = seeds_table(results); !seeds.empty()) print("\n" + seeds);
  for (const auto& [name, why] : sweep.failures())
    note(message("failed: {}: {}", name, message_of(why)));
}

int run_sweep(const SweepArguments& a, int threads) {
  std::filesystem::path folder = a.folder;
  // A job of Slurm may begin in another folder than this one.
  if (a.emit == "slurm" && !a.plan) folder = std::filesystem::absolute(folder);
  Sweep sweep(read_spec(a.spec), folder);
  if (a.retry) sweep.forget_failures();
  if (a.plan) return show_plan(sweep, a.json);
  if (!a.emit.empty()) return emit(sweep, a.emit);
  Sweep::Running how = {.jobs = a.jobs, .threads = threads};
  if (a.jobs > 1) how.threads = std::max(1, make_runtime().threads() / a.jobs);
  if (!sweep.run(how)) {
    note(marked("stopped; everything is saved. Go on with the same command"));
    return kExitInterrupted;
  }
  const std::vector<ComparedRun> results = sweep.results();
  show_results(sweep, results, a.json);
  return sweep.failures().size() < sweep.runs().size() ? kExitDone : kExitFailed;
}

}  // namespace

void add_sweep_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<SweepArguments>();
  CLI::App* c = add_command(
      app, selection, "sweep",
      "Train in many ways and compare: a grid, random search or successive halving",
      marked("  inkstone sweep sweep.yaml -o sweep --plan\n"
             "  inkstone sweep sweep.yaml -o sweep\n\n"
             "sweep.yaml:\n"
             "  options: {data: data, steps: 900, model: gpt-micro}   # of every run\n"
             "  axes: {lr: [0.001, 0.002, 0.004], dropout: [0, 0.1]}  # what is varied\n"
             "  method: halving                                       # or grid, random\n"
             "  rungs: 100                                            # steps to the first choice"),
      [a, &selection] { return run_sweep(*a, selection.threads); });
  c->add_option("SPEC", a->spec, "YAML file: what is run, and what is varied")->required();
  c->add_option("-o,--output", a->folder,
                "folder for the runs; the same command again goes on with them")
      ->required()
      ->type_name("DIR");
  c->add_flag("--plan", a->plan, "say how many runs and steps it is, and run nothing");
  c->add_option("--emit", a->emit,
                "print what is to be run next, for GNU parallel or as an array of Slurm, and run "
                "nothing")
      ->check(one_of({"parallel", "slurm"}));
  c->add_option("--jobs", a->jobs, "runs at a time, which share the threads")
      ->check(whole_number(1, 1024))
      ->capture_default_str();
  c->add_flag("--retry", a->retry, "try runs once more that have failed");
  c->add_flag("--json", a->json, "print JSON lines");
}

}  // namespace inkstone::cli
