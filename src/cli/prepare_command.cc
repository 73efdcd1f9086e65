// `inkstone prepare`: text files to token shards.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "corpus/prepare/prepare.h"

namespace inkstone::cli {
namespace {

struct Arguments {
  std::vector<std::string> inputs;
  std::string tokenizer, output;
  double val_fraction = 0.1;
  bool json = false;
};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// "encoding 40 % 12.3 MB/s 1.2 M tokens, 30s left"
std::string progress_text(const PrepareProgress& p, double seconds) {
  const double done = static_cast<double>(p.bytes_done), rate = done / std::max(seconds, 1e-3);
  if (p.stage == PrepareProgress::Stage::kScanning) {
    return fmt::format("reading {:.1f} MB, {:.1f} MB/s", done / 1e6, rate / 1e6);
  }
  std::string text =
      fmt::format("encoding {:.1f} MB/s, {:.2f} M tokens", rate / 1e6, static_cast<double>(p.tokens) / 1e6);
  if (p.bytes_total <= 0) return text;
  const double total = static_cast<double>(p.bytes_total);
  const double seconds_left = (total - done) / std::max(rate, 1.0);
  return fmt::format("{}, {:.0f} %, {} left", text, 100 * done / total, duration_text(seconds_left));
}

void print_report(const PrepareReport& r, const std::string& output) {
  constexpr size_t kMostShown = 20;
  for (size_t i = 0; i < std::min(kMostShown, r.dropped.size()); ++i) {
    note(fmt::format("left out: {}: {}", r.dropped[i].source, r.dropped[i].reason));
  }
  if (r.dropped.size() > kMostShown) {
    note(fmt::format("left out: {} more, all listed in {}/report.json", r.dropped.size() - kMostShown, output));
  }
  for (const std::string& warning : r.warnings) note("note: " + warning);
  note(fmt::format("{}: {} documents, {:.2f} MB: {} training and {} validation tokens, {:.2f} bytes per token", output,
                   r.documents_in, static_cast<double>(r.bytes_in) / 1e6, r.train.tokens, r.val.tokens,
                   r.bytes_per_token));
}

int run(const Arguments& a) {
  PrepareOptions options;
  options.inputs.assign(a.inputs.begin(), a.inputs.end());
  options.output = a.output;
  options.val_fraction = a.val_fraction;
  const Tokenizer tokenizer = Tokenizer::load(a.tokenizer);
  StatusLine status;
  double stage_start = seconds_now(), shown = 0;
  auto stage = PrepareProgress::Stage::kScanning;
  const PrepareReport report = prepare(options, tokenizer, [&](const PrepareProgress& p) {
    const double now = seconds_now();
    if (p.stage != stage) stage = p.stage, stage_start = now;
    if (now - shown < 0.2) return;
    shown = now;
    status.show(progress_text(p, now - stage_start));
  });
  status.clear();
  if (a.json) {
    print(read_json(options.output / "report.json").dump() + "\n");
  } else {
    print_report(report, a.output);
  }
  return kExitDone;
}

}  // namespace

void add_prepare_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = add_command(app, selection, "prepare", "Text files to token shards for training",
                                  "  inkstone prepare book.txt letters/ --tokenizer vocabulary -o data",
                                  [a] { return run(*a); });
  command->add_option("INPUT", a->inputs, "text files, folders, or - for standard input")->required();
  command->add_option("--tokenizer", a->tokenizer, "folder or tokenizer.json")->required();
  command->add_option("-o,--output", a->output, "folder for the shards, the tokenizer and report.json")->required();
  command->add_option("--val-fraction", a->val_fraction, "part of the text that validates and is never trained on")
      ->capture_default_str();
  command->add_flag("--json", a->json, "print report.json on one line");
}

}  // namespace inkstone::cli
