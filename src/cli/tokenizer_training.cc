#include "cli/tokenizer_training.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "cli/reading_options.h"
#include "cli/vocabulary_comparison.h"
#include "corpus/read/document_source.h"
#include "corpus/read/list_inputs.h"
#include "inkstone/tokenizer.h"

namespace inkstone::cli {
namespace {

using Clock = std::chrono::steady_clock;

// A merge is called rare when its pair occurs less often than this in the training text: its
// token's embedding is then trained on fewer places in every pass over it. A vocabulary is too
// large when more than a tenth is rare.
constexpr int64_t kRareMerge = 100;

struct TrainArguments {
  std::vector<std::string> inputs, special_tokens = {std::string(kEndOfText)}, compare;
  std::string output, type = "bpe";
  int64_t vocab_size = 0, min_frequency = 2, max_token_length = 0, memory_mib = 768;
  double held_out = 0;
  ReadingArguments reading;
  bool json = false;
};

TokenizerType parse_type(const std::string& name) {
  if (name == "char") return TokenizerType::kChar;
  if (name == "byte") return TokenizerType::kByte;
  return TokenizerType::kBpe;
}

// The documents of files and folders in parts of at most about 64 KiB, with what was left out said
// on the way.
class CorpusText {
 public:
  CorpusText(const std::vector<std::string>& inputs, const ReadOptions& options)
      : options_(options),
        files_(list_inputs(std::vector<std::filesystem::path>(inputs.begin(), inputs.end()),
                           &left_out_)) {
    for (const DroppedDocument& d : left_out_) say_left_out(d.source, d.reason);
  }

  std::optional<std::string_view> next() {
    while (rest_.empty()) {
      if (!next_piece()) return std::nullopt;
    }
    const std::string_view part = rest_.substr(
        0, piece_size(rest_, std::min(kPart_bytes, rest_.size())));
    rest_.remove_prefix(part.size());
    bytes_ += static_cast<int64_t>(part.size());
    show_progress();
    return part;
  }

  int64_t bytes() const { return bytes_; }
  int64_t documents() const { return documents_; }
  StatusLine& status() { return status_; }

 private:
  static constexpr size_t kPart_bytes = size_t{64} << 10;

  bool next_piece() {
    while (!source_ || !source_->next(piece_)) {
      if (next_file_ == files_.size()) return false;
      source_ = open_source(files_[next_file_++], options_,
                            [this](const SourcePlace& place, const std::string& reason) {
                              say_left_out(place.document > 0
                                               ? fmt::format("{} #{}", place.source, place.document)
                                               : place.source,
                                           reason);
                            });
    }
    documents_ += piece_.last;
    rest_ = piece_.text;
    return true;
  }

  // All of a bad file's records would bury what matters.
  void say_left_out(const std::string& source, const std::string& reason) {
    constexpr int64_t kShown = 20;
    if (++left_out_count_ > kShown + 1) return;
    status_.clear();
    note(left_out_count_ > kShown
             ? "left out: more, which are not listed (prepare lists all with --dropped)"
             : fmt::format("left out: {}: {}", source == "-" ? "standard input" : source, reason));
  }

  void show_progress() {
    const auto now = Clock::now();
    if (now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double megabytes = static_cast<double>(bytes_) / 1e6;
    status_.show(fmt::format("reading {:.1f} MB, {:.1f} MB/s, file {} of {}", megabytes,
                             megabytes / seconds, next_file_, files_.size()));
  }

  ReadOptions options_;
  std::vector<DroppedDocument> left_out_;
  int64_t left_out_count_ = 0;
  std::vector<std::filesystem::path> files_;
  size_t next_file_ = 0;
  std::unique_ptr<DocumentSource> source_;
  DocumentPiece piece_;
  std::string_view rest_;  // of the piece
  int64_t bytes_ = 0, documents_ = 0;
  StatusLine status_;
  Clock::time_point begin_ = Clock::now(), shown_ = begin_;
};

// The text to learn from, and beside it a sample to measure vocabularies on. A part is chosen by
// its content: with `held_out` all that are chosen are kept from the training; without, about one
// in 64 is measured as well as learned.
class TrainingText {
 public:
  TrainingText(const std::vector<std::string>& inputs, const ReadOptions& options, double held_out)
      : corpus_(inputs, options), held_out_(held_out) {}

  std::optional<std::string> next() {
    while (const auto text = corpus_.next()) {
      if (!is_chosen(*text)) return std::string(*text);
      sample_.add(*text);
      if (held_out_ == 0) return std::string(*text);
      held_out_bytes_ += static_cast<int64_t>(text->size());
    }
    return std::nullopt;
  }

  CorpusText& corpus() { return corpus_; }
  const TextSample& sample() const { return sample_; }
  int64_t held_out_bytes() const { return held_out_bytes_; }

 private:
  bool is_chosen(std::string_view text) const {
    const double share = held_out_ > 0 ? held_out_ : 1.0 / 64;
    return static_cast<double>(hash64(text) >> 11) < share * 0x1p53;
  }

  CorpusText corpus_;
  double held_out_;
  TextSample sample_;
  int64_t held_out_bytes_ = 0;
};

// Shows the merges, a few times a second.
class MergeProgress {
 public:
  explicit MergeProgress(StatusLine& status) : status_(status) {}

  void operator()(const TokenizerTrainProgress& p) {
    if (p.merges_wanted == 0) return;
    const auto now = Clock::now();
    if (p.merges == 1) begin_ = now;
    if (now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count() + 1e-9;
    const double rate = static_cast<double>(p.merges) / seconds;
    status_.show(
        fmt::format("merge {} of {}, {:.0f} a second, at most {} left", p.merges, p.merges_wanted,
                    rate, duration_text(static_cast<double>(p.merges_wanted - p.merges) / rate)));
  }

 private:
  StatusLine& status_;
  Clock::time_point begin_, shown_;
};

// A model, a run and prepared data mean their ids by the vocabulary beside them: a new one would
// spoil them.
void refuse_folder_in_use(const std::filesystem::path& folder) {
  for (const char* name : {"config.json", "checkpoints", "report.json"}) {
    if (!std::filesystem::exists(folder / name)) continue;
    fail(ErrorCode::kUsage,
         "the output folder '{}' holds '{}', whose token ids would change their meaning; choose "
         "another folder",
         folder.string(), name);
  }
}

TokenizerTrainOptions train_options(const TrainArguments& a) {
  TokenizerTrainOptions options;
  options.type = parse_type(a.type);
  if (a.vocab_size > 0) options.vocab_size = a.vocab_size;
  options.min_frequency = a.min_frequency;
  options.max_token_length = a.max_token_length;
  options.memory_bytes = a.memory_mib << 20;
  options.special_tokens = a.special_tokens;
  options.runtime = make_runtime();
  return options;
}

Tokenizer learn(const TrainArguments& a, TrainingText& text, TokenizerTrainReport& report) {
  TokenizerTrainOptions options = train_options(a);
  options.on_progress = MergeProgress(text.corpus().status());
  Tokenizer tokenizer = with_context(fmt::format("'{}'", fmt::join(a.inputs, "', '")), [&] {
    return Tokenizer::train([&] { return text.next(); }, options, &report);
  });
  while (text.next()) {  // a byte vocabulary needs no text; the counts are of all of it
  }
  text.corpus().status().clear();
  return tokenizer;
}

std::vector<ComparedVocabulary> compare_all(std::vector<ComparedVocabulary> compared,
                                            const std::vector<std::string>& tokenizers,
                                            const TextSample& sample) {
  for (const std::string& name : tokenizers) {
    compared.push_back(measure_vocabulary(name, Tokenizer::load(name), sample, make_runtime()));
  }
  return compared;
}

// What the user should know of the vocabulary; empty where nothing is amiss.
std::vector<std::string> warnings(const TokenizerTrainReport& report, const TrainArguments& a) {
  std::vector<std::string> list;
  const int64_t merges = static_cast<int64_t>(report.merge_counts.size()),
                good = report.merges_seen(kRareMerge);
  if (10 * (merges - good) > merges) {
    list.push_back(
        fmt::format("the vocabulary is large for this text: {} of its {} merges join a pair that "
                    "occurs fewer than {} times, too "
                    "few to train a token's embedding on; --vocab-size {} would leave them out",
                    merges - good, merges, kRareMerge,
                    good + 256 + static_cast<int64_t>(a.special_tokens.size())));
  }
  if (report.forgotten_pieces > 0) {
    list.push_back(fmt::format(
        "the text has more distinct words than fit into {} MiB: the rarest were forgotten on the "
        "way, {:.2g}% of all "
        "words; pairs that occur seldom may be merged otherwise than with more --memory",
        a.memory_mib,
        100 * static_cast<double>(report.forgotten_pieces) / static_cast<double>(report.pieces)));
  }
  return list;
}

Json train_json(const TrainArguments& a, const Tokenizer& tokenizer, TrainingText& text,
                const TokenizerTrainReport& report,
                const std::vector<ComparedVocabulary>& compared) {
  Json json{{"vocab_size", tokenizer.vocab_size()},
            {"type", a.type},
            {"documents", text.corpus().documents()},
            {"bytes", text.corpus().bytes()},
            {"held_out_bytes", text.held_out_bytes()},
            {"output", a.output},
            {"sample_bytes", text.sample().bytes()},
            {"compared", comparison_json(compared, text.sample())},
            {"warnings", warnings(report, a)}};
  if (a.type == "bpe") {
    json["words"] = report.pieces;
    json["distinct_words"] = report.distinct_pieces;
    json["forgotten_words"] = report.forgotten_pieces;
    json["rare_merges"] = static_cast<int64_t>(report.merge_counts.size()) -
                          report.merges_seen(kRareMerge);
  }
  return json;
}

void print_report(const TrainArguments& a, const Tokenizer& tokenizer, TrainingText& text,
                  const TokenizerTrainReport& report,
                  const std::vector<ComparedVocabulary>& compared) {
  note(fmt::format("{}: {} vocabulary of {} tokens from {} documents, {:.1f} MB", a.output, a.type,
                   tokenizer.vocab_size(), text.corpus().documents(),
                   static_cast<double>(text.corpus().bytes() - text.held_out_bytes()) / 1e6));
  for (const std::string& warning : warnings(report, a)) note("warning: " + warning);
  if (text.sample().bytes() == 0) {
    if (a.held_out > 0 || !a.compare.empty())
      note("the text is too short to take a sample from it for a comparison");
    return;
  }
  note(fmt::format(
      "measured on {:.2f} MB of {}:", static_cast<double>(text.sample().bytes()) / 1e6,
      a.held_out > 0 ? "text that was held out" : "the training text (see --held-out)"));
  print(comparison_table(compared, text.sample()));
}

int train_tokenizer(const TrainArguments& a) {
  refuse_folder_in_use(a.output);
  // Fails now rather than after the training.
  for (const std::string& name : a.compare) Tokenizer::load(name);
  TrainingText text(a.inputs, a.reading.read_options(), a.held_out);
  TokenizerTrainReport report;
  const Tokenizer tokenizer = learn(a, text, report);
  tokenizer.save(a.output);
  const std::vector<ComparedVocabulary> compared = compare_all(
      {measure_vocabulary(a.output, tokenizer, text.sample(), make_runtime())}, a.compare,
      text.sample());
  if (a.json) {
    const Json json = train_json(a, tokenizer, text, report, compared);
    print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    for (const std::string& warning : warnings(report, a)) note("warning: " + warning);
  } else {
    print_report(a, tokenizer, text, report, compared);
  }
  return kExitDone;
}

struct CompareArguments {
  std::vector<std::string> tokenizers, texts;
  int64_t sample_mib = 64;
  bool json = false;
  ReadingArguments reading;
};

int compare_tokenizers(const CompareArguments& a) {
  CorpusText corpus(a.texts, a.reading.read_options());
  TextSample sample(a.sample_mib << 20);
  while (sample.bytes() < a.sample_mib << 20) {
    const auto text = corpus.next();
    if (!text) break;
    sample.add(*text);
  }
  corpus.status().clear();
  if (sample.bytes() == 0) {
    fail(ErrorCode::kInvalidData, "'{}': there is no text to compare on",
         fmt::join(a.texts, "', '"));
  }
  const std::vector<ComparedVocabulary> compared = compare_all({}, a.tokenizers, sample);
  if (a.json) {
    print(Json{{"sample_bytes", sample.bytes()}, {"compared", comparison_json(compared, sample)}}
              .dump(-1, ' ', false, Json::error_handler_t::replace) +
          "\n");
  } else {
    print(comparison_table(compared, sample));
  }
  return kExitDone;
}

void add_bpe_options(CLI::App* train, TrainArguments& a) {
  train->add_option("--vocab-size", a.vocab_size, "of bpe: at most so many tokens (50257)")
      ->check(whole_number(257, 10'000'000))
      ->type_name("N");
  train->add_option("--min-frequency", a.min_frequency, "of bpe: rarer pairs are not merged")
      ->check(whole_number(1))
      ->capture_default_str();
  train
      ->add_option("--max-token-length", a.max_token_length,
                   "of bpe: merged tokens are shorter than N bytes")
      ->check(whole_number(3))
      ->type_name("N");
  train
      ->add_option("--memory", a.memory_mib,
                   "of bpe: MiB for distinct words; the rarest of more are forgotten")
      ->check(whole_number(1, int64_t{1} << 24))
      ->capture_default_str();
}

}  // namespace

void add_tokenizer_train_command(CLI::App& group, Selection& selection) {
  auto a = std::make_shared<TrainArguments>();
  CLI::App* train = add_command(
      group, selection, "train", "Learn a vocabulary from text files",
      "  inkstone tokenizer train book.txt -o vocabulary --vocab-size 4096",
      [a] { return train_tokenizer(*a); });
  train
      ->add_option(
          "INPUT", a->inputs,
          "text of any kind that prepare reads: files, folders, patterns, or - for standard input")
      ->required();
  train
      ->add_option("-o,--output", a->output,
                   "folder for tokenizer.json (and vocab.json, merges.txt)")
      ->required();
  train
      ->add_option("--type", a->type,
                   "bpe: GPT-2's byte-level BPE; char: one token per character; byte: 256 bytes")
      ->check(CLI::IsMember({"bpe", "char", "byte"}))
      ->capture_default_str();
  add_bpe_options(train, *a);
  train
      ->add_option("--special-tokens", a->special_tokens, "they take the first ids (<|endoftext|>)")
      ->type_name("TOKEN");
  train
      ->add_option("--compare", a->compare,
                   "vocabularies to compare with: GPT-2's folder, for example")
      ->type_name("DIR");
  train
      ->add_option("--held-out", a->held_out,
                   "share of the text, by content, to measure on and not to learn from")
      ->check(CLI::Range(0.0, 0.9))
      ->type_name("SHARE");
  add_reading_options(train, a->reading);
  train->add_flag("--json", a->json, "print a JSON object");
  train->callback([a, train, &selection] {
    for (const char* option :
         {"--vocab-size", "--min-frequency", "--max-token-length", "--memory"}) {
      if (train->get_option(option)->count() > 0 && a->type != "bpe") {
        throw CLI::ValidationError(
            fmt::format("{} has no meaning for --type {}; leave it out", option, a->type));
      }
    }
    selection.run = [a] { return train_tokenizer(*a); };
  });
}

void add_tokenizer_compare_command(CLI::App& group, Selection& selection) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* compare = add_command(group, selection, "compare",
                                  "Bytes per token of vocabularies on a text",
                                  "  inkstone tokenizer compare vocabulary gpt2 --text unseen.txt",
                                  [a] { return compare_tokenizers(*a); });
  compare
      ->add_option("TOKENIZER", a->tokenizers,
                   "folders or tokenizer.json files; ratios are to the first")
      ->required();
  compare->add_option("--text", a->texts, "files, folders, or - for standard input")->required();
  compare
      ->add_option("--sample", a->sample_mib, "measure on at most so many MiB, from the beginning")
      ->check(whole_number(1, int64_t{1} << 14))
      ->capture_default_str();
  add_reading_options(compare, a->reading);
  compare->add_flag("--json", a->json, "print a JSON object");
}

}  // namespace inkstone::cli
