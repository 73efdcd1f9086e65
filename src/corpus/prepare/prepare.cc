#include "inkstone/prepare.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "corpus/clean/cleaner.h"
#include "corpus/dedup/minhash.h"
#include "corpus/folder_layout.h"
#include "corpus/prepare/checkpoints.h"
#include "corpus/prepare/corpus_encoder.h"
#include "corpus/prepare/output_folder.h"
#include "corpus/prepare/plan.h"
#include "corpus/prepare/prepare_report.h"
#include "corpus/prepare/scan.h"
#include "corpus/read/byte_source.h"
#include "corpus/read/list_inputs.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// What a shard's header can count.
constexpr int64_t kMaxShardTokens = std::numeric_limits<int32_t>::max();
// GPT-2's context: fewer tokens than this do not fill one window.
constexpr int64_t kUsualContext = 1024;
// Left-out files that an error names.
constexpr size_t kFrequentTokens = 50;

void validate(const PrepareOptions& options, const Tokenizer& tokenizer) {
  if (options.inputs.empty())
    fail(ErrorCode::kUsage, "no input is named, expected files, folders or '-'");
  if (options.output.empty()) fail(ErrorCode::kUsage, "no output folder is named");
  if (!(options.val_fraction >= 0 && options.val_fraction < 1)) {
    fail(ErrorCode::kUsage, "the validation fraction is {}, expected at least 0 and less than 1",
         options.val_fraction);
  }
  if (options.shard_tokens < 1 || options.shard_tokens > kMaxShardTokens) {
    fail(ErrorCode::kUsage, "the shard size is {} tokens, expected 1 to {}", options.shard_tokens,
         kMaxShardTokens);
  }
  if (options.bits != 0 && options.bits != 16 && options.bits != 32) {
    fail(ErrorCode::kUsage, "tokens of {} bits, expected 16 or 32", options.bits);
  }
  if (options.bits == 16 && tokenizer.vocab_size() > 65536) {
    fail(ErrorCode::kUsage, "a vocabulary of {} tokens does not fit into 16 bits: use 32",
         tokenizer.vocab_size());
  }
  std::error_code ignored;
  const auto dropped = fs::status(options.dropped_file, ignored);
  if (fs::exists(dropped) && !fs::is_regular_file(dropped)) {
    fail(ErrorCode::kUsage,
         "'{}', where a line for each dropped document shall go, is a folder or a device, expected "
         "a file",
         options.dropped_file.string());
  }
  static_cast<void>(Cleaner(options.clean));  // throws for options that contradict each other
  static_cast<void>(MinHash(options.minhash));
}

// A device such as /dev/zero: copying it would never end.
bool is_endless_nothing(std::string_view text) { return text.find_first_not_of('\0') == text.npos; }

// Copies what can be read only once into a file; of a stream that is no text, only the beginning.
// Returns why it cannot be read, "" if it can; throws when the copy cannot be written.
Message spool(const fs::path& from, const fs::path& to) {
  AtomicFile file(to);
  std::optional<ByteSource> source;
  std::string block(size_t{1} << 20, '\0');
  for (bool at_head = true;; at_head = false) {
    size_t n = 0;
    try {
      if (!source) source.emplace(from);
      n = source->read(block.data(), block.size());
    } catch (const Error& e) {
      return message("unreadable: {}", e.message());
    }
    const std::string_view text = std::string_view(block).substr(0, n);
    file.write(text);
    if (n < block.size() || (at_head && is_endless_nothing(text))) break;
  }
  file.commit();
  return "";
}

bool can_be_read_again(const fs::path& path) {
  std::error_code ignored;
  return path != "-" && fs::is_regular_file(path, ignored);
}

struct Corpus {
  std::vector<CorpusFile> files;
  std::vector<DroppedDocument> dropped;
  bool is_readable_again = true;  // by another process
};

// The files to read: those found, with copies in place of standard input and pipes.
Corpus find_corpus(const OutputFolder& folder, const std::vector<fs::path>& paths,
                   std::vector<DroppedDocument> dropped) {
  Corpus corpus{.files = {}, .dropped = std::move(dropped)};
  for (const fs::path& path : paths) {
    CorpusFile file{.path = path, .source = path == "-" ? "standard input" : path.string()};
    std::error_code ignored;
    if (!can_be_read_again(path)) {
      corpus.is_readable_again = false;
      file.path = folder.scratch() / fmt::format("input-{:06}", corpus.files.size());
      if (Message reason = spool(path, file.path); !reason.empty()) {
        corpus.dropped.push_back({file.source, std::move(reason)});
        continue;
      }
    }
    const auto size = fs::file_size(file.path, ignored);
    file.size_bytes = ignored ? 0 : static_cast<int64_t>(size);
    corpus.files.push_back(std::move(file));
  }
  return corpus;
}

// All that decides what the output is: an unfinished prepare with the same may be gone on with.
std::string fingerprint_of(const PrepareOptions& options, const Tokenizer& tokenizer,
                           const Corpus& corpus) {
  std::string text = prepare_options_json(options).dump(-1, ' ', false,
                                                        Json::error_handler_t::replace);
  text += fmt::format("|{}|{}|", kPrepareProgram, INKSTONE_VERSION);
  if (tokenizer.turn_template() != nullptr) text += to_json_text(*tokenizer.turn_template());
  for (TokenId id = 0; id < tokenizer.vocab_size(); ++id)
    text += hash128_hex(tokenizer.token_bytes(id));
  for (const CorpusFile& file : corpus.files) {
    std::error_code ignored;
    const auto time = fs::last_write_time(file.path, ignored).time_since_epoch().count();
    text += fmt::format("|{}|{}|{}", file.source, file.size_bytes, time);
  }
  for (const DroppedDocument& d : corpus.dropped)
    text += fmt::format("|{}|{}", d.source, d.reason.english());
  return hash128_hex(text);
}

Message warning_of_invalid(int64_t documents, InvalidText policy) {
  switch (policy) {
    case InvalidText::kKeep:
      return message("{} documents are not valid UTF-8; their bytes are kept as they are",
                     documents);
    case InvalidText::kReplace:
      return message(
          "{} documents have bytes that are not valid in their encoding; U+FFFD stands for them "
          "now",
          documents);
    case InvalidText::kDrop:
      return message(
          "{} documents have bytes that are not valid in their encoding, and were dropped",
          documents);
  }
  return "";
}

double validation_share(const PrepareReport& report) {
  const auto val = static_cast<double>(report.val.bytes);
  return val / std::max(1.0, val + static_cast<double>(report.train.bytes));
}

std::vector<Message> warnings_of(const ScanTotals& totals, const PrepareReport& report,
                                 const PrepareOptions& options, const Tokenizer& tokenizer) {
  std::vector<Message> warnings;
  if (report.val.tokens == 0 && options.val_fraction > 0) {
    warnings.emplace_back(
        marked("the validation part is empty: the text is too short to be divided"));
  }
  if (report.cut_documents > 0 && !report.single_document) {
    const double percent = 100 * options.val_fraction;
    warnings.push_back(
        report.cut_documents == 1
            ? message("1 document is longer than twice the validation fraction of the text, and "
                      "cut: the beginning trains, the last {:.3g} % validate",
                      percent)
            : message("{} documents are longer than twice the validation fraction of the text, and "
                      "cut: the beginning trains, the last {:.3g} % validate",
                      report.cut_documents, percent));
  }
  if (const double share = validation_share(report);
      options.val_fraction > 0 && report.val.tokens > 0 &&
      (share < options.val_fraction / 2 || share > 2 * options.val_fraction ||
       1 - share < (1 - options.val_fraction) / 2)) {
    warnings.push_back(message(
        "{:.3g} % of the text validate, and {:.3g} % were asked for: whole documents are chosen by "
        "their content, and these are too few or too unequal to come nearer",
        100 * share, 100 * options.val_fraction));
  }
  if (report.train.tokens <= kUsualContext) {
    warnings.push_back(message("the training part has {} tokens, less than one context of {}",
                               report.train.tokens, kUsualContext));
  }
  if (!tokenizer.end_of_text() && !report.single_document) {
    warnings.push_back(
        message("the tokenizer has no end mark such as {}: nothing marks where a document ends",
                kEndOfText));
  }
  if (report.long_documents > 0 && Cleaner(options.clean).needs_whole_documents()) {
    warnings.push_back(
        message("{} documents are longer than {} MiB: no rule about whole documents was applied",
                report.long_documents, CorpusReader::kWhole_bytes >> 20));
  }
  if (totals.invalid_documents > 0) {
    warnings.push_back(warning_of_invalid(totals.invalid_documents, options.clean.invalid));
  }
  if (totals.inline_marks > 0) {
    warnings.push_back(
        message("{} documents have {} inside a line, where it is text: only a line of its own "
                "separates documents",
                totals.inline_marks, kEndOfText));
  }
  return warnings;
}

std::vector<TokenCount> most_frequent(const std::vector<int64_t>& counts) {
  std::vector<TokenCount> tokens;
  for (size_t id = 0; id < counts.size(); ++id) {
    if (counts[id] > 0) tokens.push_back({static_cast<TokenId>(id), counts[id]});
  }
  const auto end = tokens.begin() +
                   static_cast<std::ptrdiff_t>(std::min(kFrequentTokens, tokens.size()));
  std::partial_sort(tokens.begin(), end, tokens.end(),
                    [](const TokenCount& a, const TokenCount& b) {
                      return a.count != b.count ? a.count > b.count : a.id < b.id;
                    });
  tokens.erase(end, tokens.end());
  return tokens;
}

// Loss on a part of some documents and on the whole of others would be two kinds of data in one
// folder.
void refuse_mixture(const ScanTotals& totals) {
  if (totals.dialogues() == 0 || totals.texts == 0) return;
  fail(ErrorCode::kUsage,
       "{} documents are text, and {} are records of which the completion alone is trained: "
       "prepare them apart and train on both (--data A --data B), or read all as text (--records "
       "text) or only the records (--records completion)",
       totals.texts, totals.dialogues());
}

// The template of a corpus that has conversations, and its name.
struct ChosenTurns {
  TurnTemplate turns;
  std::string name;
};

std::string name_of(const TurnTemplate& turns) {
  for (const std::string& name : turn_template_names()) {
    if (load_turn_template(name) == turns) return name;
  }
  return "";
}

std::optional<ChosenTurns> choose_turns(const PrepareOptions& options, const Tokenizer& tokenizer,
                                        const ScanTotals& totals) {
  if (totals.dialogues() == 0) return std::nullopt;
  if (options.turns) return ChosenTurns{*options.turns, name_of(*options.turns)};
  if (const TurnTemplate* own = tokenizer.turn_template()) return ChosenTurns{*own, name_of(*own)};
  const bool separated = totals.shapes[static_cast<size_t>(RecordShape::kPair)] ==
                             totals.dialogues() &&
                         totals.pairs_without_separator == 0;
  const std::string name = separated ? "plain" : "turns";
  return ChosenTurns{load_turn_template(name), name};
}

RecordsReport records_report_of(const ScanTotals& totals, const ChosenTurns& chosen,
                                int64_t shared_tokens) {
  RecordsReport report{.shapes = {}, .turns = chosen.name, .shared_tokens = shared_tokens};
  for (size_t i = 0; i < totals.shapes.size(); ++i) {
    if (totals.shapes[i] > 0)
      report.shapes[std::string(name_of(static_cast<RecordShape>(i)))] = totals.shapes[i];
  }
  return report;
}

void add_record_warnings(const PrepareReport& report, const ScanTotals& totals,
                         std::vector<Message>& warnings) {
  if (!report.records) return;
  const RecordsReport& records = *report.records;
  if (records.turns == "plain" && totals.pairs_without_separator > 0) {
    warnings.push_back(
        message("in {} of {} records no white space stands between prompt and completion, and the "
                "template 'plain' puts nothing there: the model cannot tell where a prompt ends "
                "(--template turns)",
                totals.pairs_without_separator, totals.dialogues()));
  }
  if (records.shared_tokens > 0) {
    warnings.push_back(
        message("in {} of {} records a token reaches from the prompt into the completion, as of a "
                "blank and the word behind it: it is trained; prompts that end with such a blank "
                "do not lead to it",
                records.shared_tokens, report.train.documents + report.val.documents));
  }
}

void finish_split(SplitReport& split, SplitWriter& writer) {
  split.tokens = writer.tokens();
  split.shard_files = writer.finish();
  split.shards = static_cast<int64_t>(split.shard_files.size());
  split.spans = writer.finish_spans();
}

PrepareReport report_of(const ScanTotals& totals, const Plan& plan) {
  PrepareReport report;
  report.files = totals.files;
  report.documents_in = totals.documents;
  report.bytes_in = totals.bytes_in;
  report.invalid_utf8_documents = totals.invalid_documents;
  report.cleaned = totals.cleaned;
  report.lines_removed = totals.lines_removed;
  report.long_documents = totals.long_documents;
  report.single_document = plan.kept == 1;
  report.cut_documents = plan.cut;
  report.encodings = totals.encodings;
  report.sources = totals.sources;
  return report;
}

// One call of prepare.
class Preparation {
 public:
  Preparation(const PrepareOptions& options, const Tokenizer& tokenizer, OutputFolder& folder,
              const Corpus& corpus, const PrepareObserver& observer)
      : options_(options),
        tokenizer_(tokenizer),
        folder_(folder),
        corpus_(corpus),
        observer_(observer),
        checkpoints_(folder.state(), fingerprint_of(options, tokenizer, corpus),
                     options.checkpoint_seconds, observer.stop),
        scanned_{folder.scratch() / "records", folder.scratch() / "bands"} {
    for (const CorpusFile& file : corpus.files) bytes_total_ += file.size_bytes;
    if (checkpoints_.found().is_null() && corpus.is_readable_again) folder.discard();
  }

  PrepareReport run() {
    const Json& found = checkpoints_.found();
    const bool resumed = !found.is_null();
    DroppedLog dropped(options_.dropped_file, resumed ? found.at("dropped") : Json(nullptr));
    if (!resumed) {
      for (const DroppedDocument& d : corpus_.dropped) dropped.add(d);
    }
    const ScanTotals totals = scan(dropped);
    Plan plan = make_plan(scanned_, options_, folder_.scratch());
    if (plan.kept == 0) fail_without_text(options_.inputs, dropped);
    refuse_mixture(totals);
    const auto chosen = choose_turns(options_, tokenizer_, totals);
    PrepareReport report = report_of(totals, plan);
    report.resumed = resumed;
    encode(totals, plan, chosen ? &*chosen : nullptr, dropped, report);
    (chosen ? tokenizer_.with_turn_template(chosen->turns) : tokenizer_).save(folder_.staged());
    report.warnings = warnings_of(totals, report, options_, tokenizer_);
    add_record_warnings(report, totals, report.warnings);
    report.dropped = dropped.examples();
    report.dropped_reasons = dropped.reasons();
    write_prepare_report(folder_.staged(), options_, tokenizer_, report);
    dropped.commit();
    folder_.publish();
    return report;
  }

 private:
  bool is_scanned() const {
    return !checkpoints_.found().is_null() && get_string(checkpoints_.found(), "stage") == "encode";
  }

  ScanTotals scan(DroppedLog& dropped) {
    if (is_scanned()) return scan_totals_of(checkpoints_.found().at("totals"));
    return scan_corpus(corpus_.files, options_, scanned_, checkpoints_, dropped,
                       [&](int64_t bytes) {
                         progress({.bytes_done = bytes,
                                   .bytes_total = bytes_total_,
                                   .tokens = 0,
                                   .stage = PrepareProgress::Stage::kScanning});
                       });
  }

  // chosen: nullptr where there are no conversations.
  void encode(const ScanTotals& totals, Plan& plan, const ChosenTurns* chosen, DroppedLog& dropped,
              PrepareReport& report) {
    const auto state = [&](const char* key) {
      return is_scanned() ? checkpoints_.found().at(key) : Json(nullptr);
    };
    const int bits = options_.bits != 0                 ? options_.bits
                     : tokenizer_.vocab_size() <= 65536 ? 16
                                                        : 32;
    const ShardOptions shards{.bits = bits, .shard_tokens = options_.shard_tokens};
    SplitWriters writers{.train = SplitWriter(folder_.staged(), std::string(kTrainSplit), shards,
                                              state("train_shards")),
                         .val = SplitWriter(folder_.staged(), std::string(kValidationSplit), shards,
                                            state("val_shards"))};
    const EncodeTask task{corpus_.files,
                          options_,
                          tokenizer_,
                          plan,
                          scanned_,
                          totals,
                          chosen != nullptr ? &chosen->turns : nullptr};
    EncodedTotals encoded = encode_corpus(task, writers, checkpoints_, dropped,
                                          [&](int64_t bytes, int64_t tokens) {
                                            progress({.bytes_done = bytes,
                                                      .bytes_total = bytes_total_,
                                                      .tokens = tokens,
                                                      .stage = PrepareProgress::Stage::kEncoding});
                                          });
    if (chosen != nullptr)
      report.records = records_report_of(totals, *chosen, encoded.shared_tokens);
    report.train = std::move(encoded.train);
    report.val = std::move(encoded.val);
    finish_split(report.train, writers.train);
    finish_split(report.val, writers.val);
    report.token_lengths = std::move(encoded.token_lengths);
    report.frequent_tokens = most_frequent(encoded.token_counts);
    report.bytes_per_token = static_cast<double>(report.train.bytes + report.val.bytes) /
                             static_cast<double>(report.train.tokens + report.val.tokens);
  }

  void progress(const PrepareProgress& p) const {
    if (observer_.on_progress) observer_.on_progress(p);
  }

  const PrepareOptions& options_;
  const Tokenizer& tokenizer_;
  OutputFolder& folder_;
  const Corpus& corpus_;
  const PrepareObserver& observer_;
  Checkpoints checkpoints_;
  ScanFiles scanned_;
  int64_t bytes_total_ = 0;
};

}  // namespace

PrepareReport prepare(const PrepareOptions& given, const Tokenizer& tokenizer,
                      const PrepareObserver& observer) {
  validate(given, tokenizer);
  PrepareOptions options = given;
  if (given.turns) {
    options.read.roles = given.turns->role_names();
  } else if (tokenizer.turn_template() != nullptr) {
    options.read.roles = tokenizer.turn_template()->role_names();
  }
  std::vector<DroppedDocument> left_out;
  const auto paths = list_inputs(options.inputs, &left_out, options.output);
  OutputFolder folder(options.output);
  if (!std::all_of(paths.begin(), paths.end(), can_be_read_again)) folder.discard();
  const Corpus corpus = find_corpus(folder, paths, std::move(left_out));
  try {
    return Preparation(options, tokenizer, folder, corpus, observer).run();
  } catch (const Interrupted&) {
    if (corpus.is_readable_again) folder.keep();
    throw;
  }
}

}  // namespace inkstone
