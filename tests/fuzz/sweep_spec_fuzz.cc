// SPEC.yaml on any bytes. Laws: what was read and written is read again as the same; names of runs
// are names of files, and differ.
#include <nlohmann/json.hpp>
#include <set>

#include "cli/sweep_plan.h"
#include "cli/sweep_spec.h"
#include "cli/yaml_reader.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  cli::SweepSpec spec;
  if (!fuzz::accepts([&] {
        spec = cli::sweep_spec_from_json(cli::json_from_yaml(fuzz::as_text(data, size)));
      })) {
    return 0;
  }
  fuzz::require(cli::sweep_spec_from_json(cli::to_json(spec)) == spec,
                "from_json(to_json(spec)) == spec");
  if (spec.points > 100 || spec.seeds.size() > 20) return 0;  // large ones are slow, and the same
  std::vector<cli::SweepRun> runs;
  if (!fuzz::accepts([&] { runs = cli::runs_of(spec); })) return 0;
  std::set<std::string> names;
  for (const cli::SweepRun& run : runs) {
    fuzz::require(names.insert(run.name).second, "names differ");
    fuzz::require(run.name.find('/') == std::string::npos && run.name.size() < 255,
                  "a file's name");
  }
  fuzz::require(
      cli::next_tasks(spec, runs, std::vector<cli::RunState>(runs.size())).size() == runs.size(),
      "at first everything is to be run");
  return 0;
}
