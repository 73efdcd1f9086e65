#include "cli/tokenizer_training.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/prepare_display.h"
#include "cli/reading_options.h"
#include "cli/vocabulary_comparison.h"
#include "corpus/prepare/corpus_text.h"
#include "inkstone/tokenizer.h"
#include "inkstone/vocabulary.h"

namespace inkstone::cli {
namespace {

struct LearnArguments {
  std::vector<std::string> inputs, special_tokens = {std::string(kEndOfText)}, compare;
  std::string output, type = "bpe";
  int64_t vocab_size = 0, min_frequency = 2, max_token_length = 0, memory_mib = 768;
  double held_out = 0;
  ReadingArguments reading;
  CleanOptions clean;
  bool raw = false, json = false;
};

TokenizerType parse_type(const std::string& name) {
  if (name == "char") return TokenizerType::kChar;
  if (name == "byte") return TokenizerType::kByte;
  return TokenizerType::kBpe;
}

// Says what is left out, but no more than a screen of it: all of a bad file's records would bury
// what matters.
class LeftOutNotes {
 public:
  explicit LeftOutNotes(StatusLine& status) : status_(status) {}

  void operator()(const DroppedDocument& d) {
    constexpr int64_t kShown = 20;
    if (++count_ > kShown + 1) return;
    status_.clear();
    if (count_ > kShown) {
      note(marked("left out: more, which are not listed (prepare lists all with --dropped)"));
    } else {
      note(message("left out: {}: {}", place_of(d), d.reason));
    }
  }

 private:
  StatusLine& status_;
  int64_t count_ = 0;
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

VocabularyOptions options_of(const LearnArguments& a) {
  VocabularyOptions options;
  options.inputs.assign(a.inputs.begin(), a.inputs.end());
  options.read = a.reading.read_options();
  options.clean = a.clean;
  if (a.raw) {
    options.clean.invalid = kNoCleaning.invalid;
    options.clean.line_ends = options.clean.control_characters = false;
  }
  options.held_out = a.held_out;
  options.train.type = parse_type(a.type);
  if (a.vocab_size > 0) options.train.vocab_size = a.vocab_size;
  options.train.min_frequency = a.min_frequency;
  options.train.max_token_length = a.max_token_length;
  options.train.memory_bytes = a.memory_mib << 20;
  options.train.special_tokens = a.special_tokens;
  options.train.runtime = make_runtime();
  return options;
}

LearntVocabulary learn(const LearnArguments& a, TextSample& sample) {
  StatusLine status;
  return learn_vocabulary(options_of(a),
                          {.on_progress = LearningProgress(status),
                           .on_left_out = LeftOutNotes(status),
                           .on_sample = [&](std::string_view text) { sample.add(text); }});
}

std::vector<ComparedVocabulary> compare_all(std::vector<ComparedVocabulary> compared,
                                            const std::vector<std::string>& tokenizers,
                                            const TextSample& sample) {
  for (const std::string& name : tokenizers) {
    compared.push_back(measure_vocabulary(name, Tokenizer::load(name), sample, make_runtime()));
  }
  return compared;
}

Json train_json(const LearnArguments& a, const LearntVocabulary& learnt, const TextSample& sample,
                const std::vector<ComparedVocabulary>& compared) {
  const VocabularyReport& r = learnt.report;
  Json json{{"vocab_size", learnt.tokenizer.vocab_size()},
            {"type", a.type},
            {"documents", r.documents},
            {"bytes", r.bytes},
            {"held_out_bytes", r.held_out_bytes},
            {"output", a.output},
            {"sample_bytes", sample.bytes()},
            {"compared", comparison_json(compared, sample)},
            {"warnings", in_english(r.warnings)}};
  if (a.type == "bpe") {
    json["words"] = r.train.pieces;
    json["distinct_words"] = r.train.distinct_pieces;
    json["forgotten_words"] = r.train.forgotten_pieces;
    json["rare_merges"] = static_cast<int64_t>(r.train.merge_counts.size()) -
                          r.train.merges_seen(kRareMerge);
  }
  return json;
}

void print_report(const LearnArguments& a, const LearntVocabulary& learnt, const TextSample& sample,
                  const std::vector<ComparedVocabulary>& compared) {
  const VocabularyReport& r = learnt.report;
  note(message("{}: {} vocabulary of {} tokens from {} documents, {:.1f} MB", a.output, a.type,
               learnt.tokenizer.vocab_size(), r.documents,
               static_cast<double>(r.bytes - r.held_out_bytes) / 1e6));
  for (const Message& warning : r.warnings) note(message("warning: {}", warning));
  if (sample.bytes() == 0) {
    if (a.held_out > 0 || !a.compare.empty())
      note(marked("the text is too short to take a sample from it for a comparison"));
    return;
  }
  const double megabytes = static_cast<double>(sample.bytes()) / 1e6;
  note(a.held_out > 0
           ? message("measured on {:.2f} MB of text that was held out:", megabytes)
           : message("measured on {:.2f} MB of the training text (see --held-out):", megabytes));
  print(comparison_table(compared, sample));
}

int train_tokenizer(const LearnArguments& a) {
  refuse_folder_in_use(a.output);
  // Fails now rather than after the training.
  for (const std::string& name : a.compare) Tokenizer::load(name);
  TextSample sample;
  const LearntVocabulary learnt = learn(a, sample);
  learnt.tokenizer.save(a.output);
  note_sources(learnt.report.sources);
  const std::vector<ComparedVocabulary> compared = compare_all(
      {measure_vocabulary(a.output, learnt.tokenizer, sample, make_runtime())}, a.compare, sample);
  if (a.json) {
    print(train_json(a, learnt, sample, compared)
              .dump(-1, ' ', false, Json::error_handler_t::replace) +
          "\n");
    for (const Message& warning : learnt.report.warnings) note(message("warning: {}", warning));
  } else {
    print_report(a, learnt, sample, compared);
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
  StatusLine status;
  CorpusText corpus({a.texts.begin(), a.texts.end()}, a.reading.read_options(), {},
                    LeftOutNotes(status));
  TextSample sample(a.sample_mib << 20);
  while (sample.bytes() < a.sample_mib << 20) {
    const auto text = corpus.next();
    if (!text) break;
    sample.add(*text);
  }
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

void add_bpe_options(CLI::App* train, LearnArguments& a) {
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
  auto a = std::make_shared<LearnArguments>();
  CLI::App* train = add_command(
      group, selection, "train", "Learn a vocabulary from text files",
      marked("  inkstone tokenizer train book.txt -o vocabulary --vocab-size 4096"),
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
      ->check(one_of({"bpe", "char", "byte"}))
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
      ->check(number_from(0, 0.9))
      ->type_name("SHARE");
  add_reading_options(train, a->reading);
  add_writing_options(train, a->clean);
  train->add_flag("--raw", a->raw,
                  "learn from the text before prepare's cleaning (for prepare --raw)");
  train->add_flag("--json", a->json, "print a JSON object");
  train->callback([a, train, &selection] {
    for (const char* option :
         {"--vocab-size", "--min-frequency", "--max-token-length", "--memory"}) {
      if (train->get_option(option)->count() > 0 && a->type != "bpe") {
        fail(ErrorCode::kUsage, "{} has no meaning for --type {}; leave it out", option, a->type);
      }
    }
    selection.run = [a] { return train_tokenizer(*a); };
  });
}

void add_tokenizer_compare_command(CLI::App& group, Selection& selection) {
  auto a = std::make_shared<CompareArguments>();
  CLI::App* compare = add_command(
      group, selection, "compare", "Bytes per token of vocabularies on a text",
      marked("  inkstone tokenizer compare vocabulary gpt2 --text unseen.txt"),
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
