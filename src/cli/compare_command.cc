// `inkstone compare`: what differs between runs, and how far each came.
#include <memory>
#include <string>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/message.h"
#include "cli/command.h"
#include "cli/compare_page.h"
#include "cli/comparison.h"

namespace inkstone::cli {
namespace {

struct CompareArguments {
  std::vector<std::string> runs;
  std::string html;
  bool json = false;
};

// Those that can be read; of the others it is said why not. Throws the last one's error when none
// can.
std::vector<ComparedRun> readable_runs(const std::vector<std::string>& names) {
  std::vector<ComparedRun> runs;
  for (const std::string& name : names) {
    try {
      runs.push_back(compared_run(name));
    } catch (const Error& e) {
      if (runs.empty() && name == names.back()) throw;
      note(message("inkstone: left out: {}", e.message()));
    }
  }
  return runs;
}

void print_tables(const std::vector<ComparedRun>& runs) {
  print(comparison_table(runs));
  if (const std::string seeds = seeds_table(runs); !seeds.empty()) print("\n" + seeds);
}

int compare(const CompareArguments& a, const std::string& language) {
  const std::vector<ComparedRun> runs = readable_runs(a.runs);
  if (!a.html.empty()) write_file(a.html, compare_page(runs, language));
  if (a.json) {
    for (const ComparedRun& run : runs)
      print(run_json(run).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    return kExitDone;
  }
  print_tables(runs);
  if (!share_text(runs)) {
    note(
        marked("inkstone: note: these runs were not, or not surely, evaluated on the same text, so "
               "that their losses do not compare: `inkstone eval RUN FILE` measures each on one"));
  }
  return kExitDone;
}

}  // namespace

void add_compare_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* c = add_command(
      app, selection, "compare",
      "Runs beside each other: options that differ, best losses (*: the lowest)",
      marked("  inkstone compare run wider_run\n"
             "  inkstone compare runs/* --html runs.html\n"
             "  inkstone compare runs/* --json"),
      [a, &selection] { return compare(*a, selection.language); });
  c->add_option("RUN", a->runs, "folders that `train -o` or `finetune -o` made")->required();
  c->add_option("--html", a->html,
                "write a page with curves, tables and samples, which a browser shows without the "
                "network")
      ->type_name("FILE");
  c->add_flag("--json", a->json, "print a JSON object for each run");
}

}  // namespace inkstone::cli
