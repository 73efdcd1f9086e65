#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/hash.h"
#include "base/message.h"
#include "corpus/prepare/corpus_text.h"
#include "corpus/prepare/dropped_log.h"
#include "inkstone/prepare.h"
#include "inkstone/vocabulary.h"

namespace inkstone {
namespace {

// The text to learn from; beside it a sample goes to the observer, of parts that their content
// chooses.
class TrainingText {
 public:
  TrainingText(const VocabularyOptions& options, const VocabularyObserver& observer)
      : inputs_(options.inputs),
        held_out_(options.held_out),
        observer_(observer),
        corpus_(options.inputs, options.read, options.clean,
                [this](const DroppedDocument& dropped) {
                  left_out_.add(dropped);
                  if (observer_.on_left_out) observer_.on_left_out(dropped);
                }) {}

  // The next part to learn from; nullopt at the end, and an error where there was no text at all.
  std::optional<std::string> next_of_some() {
    std::optional<std::string> part = next();
    if (!part && corpus_.bytes() == 0) fail_without_text(inputs_, left_out_);
    return part;
  }

  std::optional<std::string> next() {
    while (const auto text = corpus_.next()) {
      if (!is_chosen(*text)) return std::string(*text);
      if (observer_.on_sample) observer_.on_sample(*text);
      if (held_out_ == 0) return std::string(*text);
      held_out_bytes_ += static_cast<int64_t>(text->size());
    }
    return std::nullopt;
  }

  void progress(int64_t merges, int64_t merges_wanted) const {
    if (observer_.stop && observer_.stop()) throw Interrupted{};
    if (!observer_.on_progress) return;
    observer_.on_progress({.bytes_done = corpus_.bytes_read(),
                           .bytes_total = corpus_.bytes_total(),
                           .merges = merges,
                           .merges_wanted = merges_wanted});
  }

  VocabularyReport report() const {
    VocabularyReport report;
    report.documents = corpus_.documents();
    report.bytes = corpus_.bytes();
    report.held_out_bytes = held_out_bytes_;
    report.left_out = left_out_.count();
    report.sources = corpus_.sources();
    return report;
  }

 private:
  bool is_chosen(std::string_view text) const {
    const double share = held_out_ > 0 ? held_out_ : 1.0 / 64;
    return static_cast<double>(hash64(text) >> 11) < share * 0x1p53;
  }

  const std::vector<std::filesystem::path>& inputs_;
  double held_out_;
  const VocabularyObserver& observer_;
  DroppedLog left_out_{"", nullptr};
  int64_t held_out_bytes_ = 0;
  CorpusText corpus_;
};

std::vector<Message> warnings_of(const TokenizerTrainReport& report,
                                 const TokenizerTrainOptions& options) {
  std::vector<Message> list;
  const int64_t merges = static_cast<int64_t>(report.merge_counts.size()),
                good = report.merges_seen(kRareMerge);
  if (10 * (merges - good) > merges) {
    list.push_back(
        message("the vocabulary is large for this text: {} of its {} merges join a pair that "
                "occurs fewer than {} times; such tokens are hardly learnt and make every step "
                "of training slower; --vocab-size {} would leave them out",
                merges - good, merges, kRareMerge,
                good + 256 + static_cast<int64_t>(options.special_tokens.size())));
  }
  if (report.forgotten_pieces > 0) {
    list.push_back(message(
        "the text has more distinct words than fit into {} MiB: the rarest were forgotten on the "
        "way, {:.2g}% of all words; pairs that occur seldom may be merged otherwise than with more "
        "--memory",
        options.memory_bytes >> 20,
        100 * static_cast<double>(report.forgotten_pieces) / static_cast<double>(report.pieces)));
  }
  return list;
}

}  // namespace

LearntVocabulary learn_vocabulary(const VocabularyOptions& options,
                                  const VocabularyObserver& observer) {
  TrainingText text(options, observer);
  TokenizerTrainOptions train = options.train;
  train.on_progress = [&](const TokenizerTrainProgress& p) {
    if (options.train.on_progress) options.train.on_progress(p);
    text.progress(p.merges, p.merges_wanted);
  };
  TokenizerTrainReport report;
  Tokenizer tokenizer = Tokenizer::train([&] { return text.next_of_some(); }, train, &report);
  while (text.next()) {  // a byte vocabulary needs no text; the counts are of all of it
  }
  VocabularyReport learnt = text.report();
  learnt.warnings = warnings_of(report, options.train);
  learnt.train = std::move(report);
  return {.tokenizer = std::move(tokenizer), .report = std::move(learnt)};
}

}  // namespace inkstone
