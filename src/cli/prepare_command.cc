// `inkstone prepare`: text of any kind to token shards.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "base/message.h"
#include "cli/command.h"
#include "cli/prepare_display.h"
#include "cli/reading_options.h"
#include "corpus/clean/option_names.h"
#include "inkstone/prepare.h"

namespace inkstone::cli {
namespace {

struct PrepareArguments {
  std::vector<std::string> inputs;
  std::string tokenizer, output;
  ReadingArguments reading;
  std::string duplicates = "exact";
  bool raw = false, json = false;
  PrepareOptions options;
};

PrepareOptions options_of(const PrepareArguments& a) {
  PrepareOptions options = a.options;
  options.inputs.assign(a.inputs.begin(), a.inputs.end());
  options.output = a.output;
  options.read = a.reading.read_options();
  options.turns = a.reading.turn_template();
  options.exact_duplicates = a.duplicates != "keep";
  options.near_duplicates = a.duplicates == "near";
  if (a.raw) {
    options.clean.invalid = kNoCleaning.invalid;
    options.clean.line_ends = options.clean.control_characters = false;
  }
  return options;
}

int run(const PrepareArguments& a) {
  PrepareOptions options = options_of(a);
  options.runtime = make_runtime();
  const InterruptFlag interrupt;
  const Tokenizer tokenizer = Tokenizer::load(a.tokenizer);
  StatusLine status;
  PrepareProgressLine progress(status);
  try {
    const PrepareReport report = prepare(
        options, tokenizer,
        {.on_progress = [&](const PrepareProgress& p) { progress(p); },
         .stop = [&] { return interrupt.raised(); }});
    status.clear();
    if (report.resumed) note(marked("went on with the prepare that was interrupted"));
    if (a.json) {
      print(read_json(options.output / "report.json").dump() + "\n");
    } else {
      print_prepare_report(report, a.output);
    }
    return kExitDone;
  } catch (const Interrupted&) {
    status.clear();
    note(marked("interrupted; the same command goes on from here"));
    return kExitInterrupted;
  }
}

void add_cleaning_options(CLI::App* command, PrepareArguments& a) {
  CleanOptions& clean = a.options.clean;
  command
      ->add_option("--invalid", clean.invalid,
                   "bytes that are not valid: replace (default), drop the document, keep")
      ->transform(one_of_named(kInvalidTextNames))
      ->type_name("replace|drop|keep");
  command->add_flag("--raw", a.raw,
                    "no cleaning: line ends, control characters and invalid bytes stay");
  add_writing_options(command, clean);
  command->add_flag("--strip-boilerplate", clean.strip_boilerplate,
                    "remove lines about cookies, JavaScript and the like");
  command->add_flag("--repeated-lines", clean.repeated_lines,
                    "remove lines that a document has already");
  command->add_option("--min-characters", clean.min_characters, "drop shorter documents")
      ->check(whole_number(0));
  command->add_option("--max-characters", clean.max_characters, "drop longer documents")
      ->check(whole_number(0));
  command
      ->add_option("--quality", clean.quality,
                   "published rules (docs/cleaning.md): none (default), gopher, c4, fineweb")
      ->transform(one_of_named(kQualityRulesNames))
      ->type_name("none|gopher|c4|fineweb");
  command
      ->add_option("--script", clean.keep_scripts,
                   "keep documents in these scripts: Latin, Han, ...")
      ->delimiter(',');
  command
      ->add_option("--language", clean.languages,
                   "keep documents in these languages: en, zh, "
                   "zh-Hans, zh-Hant, ...")
      ->delimiter(',');
  command
      ->add_option("--duplicates", a.duplicates,
                   "drop exact (default) or also near duplicates, or keep all")
      ->check(one_of({"exact", "near", "keep"}));
  command
      ->add_option("--dropped", a.options.dropped_file,
                   "write a line of JSON for everything that is left out")
      ->type_name("FILE");
}

}  // namespace

void add_prepare_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<PrepareArguments>();
  CLI::App* command = add_command(
      app, selection, "prepare", "Text of any kind to token shards for training",
      marked("  inkstone prepare book.txt letters/ --tokenizer vocabulary -o data\n"
             "  inkstone prepare 'crawl/*.jsonl.gz' --json-field content --duplicates near "
             "--tokenizer "
             "vocabulary -o data"),
      [a] { return run(*a); });
  command
      ->add_option("INPUT", a->inputs,
                   "text, Markdown, DOCX, ODT, EPUB, SRT, VTT, JSON lines, JSON, CSV, TSV, HTML, "
                   "also in gz, "
                   "xz, zst, bz2, "
                   "tar and zip: files, "
                   "folders, 'patterns*', @lists of files, or - for standard input")
      ->required();
  command->add_option("--tokenizer", a->tokenizer, "folder or tokenizer.json")->required();
  command
      ->add_option("-o,--output", a->output, "folder for the shards, the tokenizer and report.json")
      ->required();
  command
      ->add_option("--val-fraction", a->options.val_fraction,
                   "part of the text that validates and is never trained on")
      ->capture_default_str();
  command->add_option("--shard-tokens", a->options.shard_tokens, "tokens in a shard")
      ->capture_default_str();
  command
      ->add_option("--bits", a->options.bits, "of a token: 16 or 32 (16 if the vocabulary allows)")
      ->check(one_of({"16", "32"}));
  add_reading_options(command, a->reading);
  add_records_options(command, a->reading);
  add_cleaning_options(command, *a);
  command->add_flag("--json", a->json, "print report.json on one line");
}

}  // namespace inkstone::cli
