// `inkstone prepare`: text of any kind to token shards.
#include <fmt/format.h>

#include <chrono>
#include <map>
#include <nlohmann/json.hpp>

#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/reading_options.h"
#include "corpus/clean/option_names.h"
#include "inkstone/prepare.h"

namespace inkstone::cli {
namespace {

struct Arguments {
  std::vector<std::string> inputs;
  std::string tokenizer, output;
  ReadingArguments reading;
  std::string duplicates = "exact";
  bool raw = false, json = false;
  PrepareOptions options;
};

double seconds_now() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// "encoding 40 %, 12.3 MB/s, 3.1 M tokens/s, 30s left"
class Progress {
 public:
  void show(const PrepareProgress& p) {
    const double now = seconds_now();
    if (p.stage != stage_) restart(p, now);
    if (now - shown_ < 0.2) return;
    shown_ = now;
    status_.show(text(p, now - stage_start_));
  }
  void clear() { status_.clear(); }

 private:
  // What an interrupted prepare had done before does not count.
  void restart(const PrepareProgress& p, double now) {
    stage_ = p.stage;
    stage_start_ = now;
    bytes_before_ = p.bytes_done;
    tokens_before_ = p.tokens;
  }

  std::string text(const PrepareProgress& p, double seconds) const {
    seconds = std::max(seconds, 1e-3);
    const double done = static_cast<double>(p.bytes_done),
                 total = static_cast<double>(p.bytes_total);
    const double rate = (done - static_cast<double>(bytes_before_)) / seconds;
    const bool scans = p.stage == PrepareProgress::Stage::kScanning;
    std::string text = scans ? "reading (1 of 2)" : "encoding (2 of 2)";
    if (total > 0) text += fmt::format(" {:.0f} %", 100 * done / total);
    text += fmt::format(", {:.1f} MB, {:.1f} MB/s", done / 1e6, rate / 1e6);
    if (!scans) {
      text += fmt::format(", {:.2f} M tokens/s",
                          static_cast<double>(p.tokens - tokens_before_) / seconds / 1e6);
    }
    if (total > 0 && rate > 0)
      text += fmt::format(", {} left", duration_text((total - done) / rate));
    return text;
  }

  StatusLine status_;
  PrepareProgress::Stage stage_ = PrepareProgress::Stage::kScanning;
  double stage_start_ = seconds_now(), shown_ = 0;
  int64_t bytes_before_ = 0, tokens_before_ = 0;
};

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6);
}

// Some examples of each reason, then how many more there are.
void note_dropped(const PrepareReport& r, const std::string& output) {
  constexpr int64_t kShown = 3;
  std::map<std::string, int64_t> shown;
  for (const DroppedDocument& d : r.dropped) {
    if (++shown[d.reason] > kShown) continue;
    const std::string place = d.document > 0 ? fmt::format("{} #{}", d.source, d.document)
                                             : d.source;
    note(fmt::format("left out: {}: {}", place, d.reason));
  }
  for (const auto& [reason, count] : r.dropped_reasons) {
    if (count.documents <= kShown) continue;
    note(fmt::format("left out: {} in all: {} ({}; more examples in {}/report.json)",
                     count.documents, reason, megabytes(count.bytes), output));
  }
}

void note_lengths(const PrepareReport& r) {
  int64_t documents = 0;
  for (const int64_t n : r.token_lengths) documents += n;
  if (documents < 2) return;
  int64_t below = 0;
  for (size_t i = 0; i < r.token_lengths.size(); ++i) {
    below += r.token_lengths[i];
    if (2 * below < documents) continue;
    note(fmt::format("half of the documents have less than {} tokens", int64_t{2} << i));
    return;
  }
}

void print_report(const PrepareReport& r, const Arguments& a) {
  note_dropped(r, a.output);
  const CharacterCounts& c = r.cleaned;
  if (c.line_ends + c.control_characters + c.invalid_sequences + r.lines_removed > 0) {
    note(
        fmt::format("cleaned: {} line ends, {} control characters removed, {} invalid sequences, "
                    "{} lines removed",
                    c.line_ends, c.control_characters, c.invalid_sequences, r.lines_removed));
  }
  note_sources(r.sources);
  for (const std::string& warning : r.warnings) note("note: " + warning);
  note_lengths(r);
  note(fmt::format(
      "{}: {} of {} documents, {} of {}: {} training and {} validation tokens, {:.2f} "
      "bytes per token",
      a.output, r.single_document ? 1 : r.train.documents + r.val.documents - r.cut_documents,
      r.documents_in, megabytes(r.train.bytes + r.val.bytes), megabytes(r.bytes_in), r.train.tokens,
      r.val.tokens, r.bytes_per_token));
}

PrepareOptions options_of(const Arguments& a) {
  PrepareOptions options = a.options;
  options.inputs.assign(a.inputs.begin(), a.inputs.end());
  options.output = a.output;
  options.read = a.reading.read_options();
  options.exact_duplicates = a.duplicates != "keep";
  options.near_duplicates = a.duplicates == "near";
  if (a.raw) {
    options.clean.invalid = kNoCleaning.invalid;
    options.clean.line_ends = options.clean.control_characters = false;
  }
  return options;
}

int run(const Arguments& a) {
  PrepareOptions options = options_of(a);
  options.runtime = make_runtime();
  const InterruptFlag interrupt;
  const Tokenizer tokenizer = Tokenizer::load(a.tokenizer);
  Progress progress;
  try {
    const PrepareReport report = prepare(
        options, tokenizer,
        {.on_progress = [&](const PrepareProgress& p) { progress.show(p); },
         .stop = [&] { return interrupt.raised(); }});
    progress.clear();
    if (report.resumed) note("went on with the prepare that was interrupted");
    if (a.json) {
      print(read_json(options.output / "report.json").dump() + "\n");
    } else {
      print_report(report, a);
    }
    return kExitDone;
  } catch (const Interrupted&) {
    progress.clear();
    note("interrupted; the same command goes on from here");
    return kExitInterrupted;
  }
}

void add_cleaning_options(CLI::App* command, Arguments& a) {
  CleanOptions& clean = a.options.clean;
  command
      ->add_option("--invalid", clean.invalid,
                   "bytes that are not valid: replace (default), drop the document, keep")
      ->transform(CLI::CheckedTransformer(kInvalidTextNames))
      ->type_name("replace|drop|keep");
  command->add_flag("--raw", a.raw,
                    "no cleaning: line ends, control characters and invalid bytes stay");
  command
      ->add_option("--normalize", clean.normalization,
                   "Unicode normalisation: none (default), nfc, nfkc")
      ->transform(CLI::CheckedTransformer(kNormalizationNames))
      ->type_name("none|nfc|nfkc");
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
      ->transform(CLI::CheckedTransformer(kQualityRulesNames))
      ->type_name("none|gopher|c4|fineweb");
  command
      ->add_option("--script", clean.keep_scripts,
                   "keep documents in these scripts: Latin, Han, ...")
      ->delimiter(',');
  command
      ->add_option("--language", clean.languages, "keep documents in these languages: en, zh, ...")
      ->delimiter(',');
  command
      ->add_option("--duplicates", a.duplicates,
                   "drop exact (default) or also near duplicates, or keep all")
      ->check(CLI::IsMember({"exact", "near", "keep"}));
  command
      ->add_option("--dropped", a.options.dropped_file,
                   "write a line of JSON for everything that is left out")
      ->type_name("FILE");
}

}  // namespace

void add_prepare_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  CLI::App* command = add_command(
      app, selection, "prepare", "Text of any kind to token shards for training",
      "  inkstone prepare book.txt letters/ --tokenizer vocabulary -o data\n"
      "  inkstone prepare 'crawl/*.jsonl.gz' --json-field content --duplicates near --tokenizer "
      "vocabulary -o data",
      [a] { return run(*a); });
  command
      ->add_option("INPUT", a->inputs,
                   "text, Markdown, JSON lines, JSON, CSV, TSV, HTML, also in gz, xz, zst, bz2, "
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
      ->check(CLI::IsMember({16, 32}));
  add_reading_options(command, a->reading);
  add_cleaning_options(command, *a);
  command->add_flag("--json", a->json, "print report.json on one line");
}

}  // namespace inkstone::cli
