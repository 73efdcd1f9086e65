#include "corpus/prepare/corpus_encoder.h"

#include <algorithm>
#include <bit>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "corpus/clean/cleaner.h"
#include "corpus/prepare/clean_dialogue.h"
#include "corpus/prepare/split.h"

namespace inkstone {
namespace {

// What may tell whether a piece begins between two parts: more than a character on either side.
constexpr size_t kBorder_bytes = 64;

// Bytes of the first `characters` characters of `text`, or of all of it when it has fewer. What it
// has is subtracted from `characters`.
size_t take_characters(std::string_view text, bool is_valid, int64_t& characters) {
  if (const int64_t all = count_code_points(text, is_valid); all <= characters) {
    characters -= all;
    return text.size();
  }
  size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) {
    at += static_cast<size_t>(decode_utf8(text, at).size_bytes);
  }
  return at;
}

[[noreturn]] void fail_changed(const std::string& source) {
  fail(ErrorCode::kInputOutput,
       "'{}' changed while it was read: run prepare again when no other program writes to it",
       source);
}

// A text that is encoded by itself.
struct Job {
  std::string text;
  Fate fate = Fate::kTrain;
  bool ends_document = false;
  std::vector<TokenId> ids = {};
  bool is_dialogue = false;
  std::vector<TrainedSpan> spans = {};  // of a conversation
  bool shares_tokens = false;
};

Json json_of_counts(const SplitReport& split) {
  return {{"documents", split.documents}, {"bytes", split.bytes}};
}

class CorpusEncoder {
 public:
  CorpusEncoder(const EncodeTask& task, SplitWriters& writers, const Json& state,
                DroppedLog& dropped)
      : task_(task),
        writers_(writers),
        dropped_(dropped),
        pool_(task.options.runtime.pool()),
        cleaner_(task.options.clean),
        records_(task.scanned.records) {
    totals_.token_counts.resize(static_cast<size_t>(task.tokenizer.vocab_size()));
    // Nothing stands beside a document that is alone.
    if (task.plan.kept > 1) end_of_text_ = task.tokenizer.end_of_text();
    if (!state.is_null()) restore(state);
    const int threads = pool_.threads();
    scratch_.resize(static_cast<size_t>(threads));
    for (int i = 0; i < threads; ++i) {
      encoders_.emplace_back(task.tokenizer);
      if (task.turns != nullptr) turn_encoders_.emplace_back(task.tokenizer, *task.turns);
    }
  }

  void add(DocumentBatch& batch) {
    choose(batch);
    clean(batch);
    std::vector<Job> jobs;
    for (size_t i = 0; i < batch.parts.size(); ++i)
      add_part(batch.parts[i], fates_[i], numbers_[i], jobs);
    encode(jobs);
    for (const Job& job : jobs) write(job);
    records_.release();  // they are read in order
  }

  void finish() {
    if (totals_.documents != static_cast<int64_t>(task_.plan.fates.size()))
      fail_changed(task_.files.back().source);
  }

  Json state(const ReadPosition& position) {
    return {{"stage", "encode"},
            {"position", to_json(position)},
            {"totals", to_json(task_.totals)},
            {"documents", totals_.documents},
            {"shared_tokens", totals_.shared_tokens},
            {"train", json_of_counts(totals_.train)},
            {"val", json_of_counts(totals_.val)},
            {"token_counts", totals_.token_counts},
            {"token_lengths", totals_.token_lengths},
            {"train_shards", writers_.train.state()},
            {"val_shards", writers_.val.state()},
            {"dropped", dropped_.state()}};
  }

  int64_t tokens() const { return writers_.train.tokens() + writers_.val.tokens(); }

  EncodedTotals totals() const { return totals_; }

 private:
  const DocumentRecord& record(int64_t document) const {
    return reinterpret_cast<const DocumentRecord*>(records_.bytes().data())[document];
  }

  void restore(const Json& state) {
    totals_.documents = count_in(state, "documents");
    totals_.shared_tokens = count_in(state, "shared_tokens");
    for (const auto& [name, split] :
         {std::pair{"train", &totals_.train}, std::pair{"val", &totals_.val}}) {
      split->documents = count_in(state.at(name), "documents");
      split->bytes = count_in(state.at(name), "bytes");
    }
    totals_.token_counts = state.at("token_counts").get<std::vector<int64_t>>();
    totals_.token_lengths = state.at("token_lengths").get<std::vector<int64_t>>();
  }

  // The fate of each part, and the lines of the report about those that are dropped here.
  void choose(const DocumentBatch& batch) {
    fates_.clear();
    numbers_.clear();
    for (const DocumentPart& part : batch.parts) {
      if (totals_.documents >= static_cast<int64_t>(task_.plan.fates.size()))
        fail_changed(part.place.source);
      const Fate fate = task_.plan.fates.at(static_cast<size_t>(totals_.documents));
      fates_.push_back(fate);
      numbers_.push_back(totals_.documents);
      if (!part.last) continue;
      if (fate == Fate::kDuplicate || fate == Fate::kNearDuplicate) {
        const char* reason = fate == Fate::kDuplicate ? marked("duplicate")
                                                      : marked("near-duplicate");
        dropped_.add({part.place.source, reason, part.place.document},
                     record(totals_.documents).bytes);
      }
      ++totals_.documents;
    }
  }

  static bool is_kept(Fate fate) { return fate <= Fate::kCut; }

  void clean(DocumentBatch& batch) {
    pool_.parallel_each(static_cast<int64_t>(batch.parts.size()), [&](int64_t i, int thread) {
      const size_t at = static_cast<size_t>(i);
      DocumentPart& part = batch.parts[at];
      if (!is_kept(fates_[at])) return;
      auto& scratch = scratch_[static_cast<size_t>(thread)];
      if (part.is_dialogue) {
        clean_dialogue(cleaner_, part.text, scratch);
        if (hash64(part.text) != record(numbers_[at]).hash) fail_changed(part.place.source);
      } else if (!part.first || !part.last) {
        cleaner_.clean_piece(part.text, scratch);
      } else if (cleaner_.clean(part.text, scratch);
                 hash64(part.text) != record(numbers_[at]).hash) {
        fail_changed(part.place.source);
      }
    });
  }

  void add_part(DocumentPart& part, Fate fate, int64_t number, std::vector<Job>& jobs) {
    if (!is_kept(fate)) return;
    const bool whole = part.first && part.last;
    if (!whole) check_long(part, number);
    if (fate == Fate::kCut) return add_cut(part, number, jobs);
    SplitReport& split = fate == Fate::kTrain ? totals_.train : totals_.val;
    split.bytes += part.is_dialogue ? record(number).bytes : static_cast<int64_t>(part.text.size());
    split.documents += part.last ? 1 : 0;
    if (part.is_dialogue) {
      if (turn_encoders_.empty()) fail_changed(part.place.source);
      jobs.push_back({std::move(part.text), fate, true, {}, true});
    } else if (whole) {
      jobs.push_back({std::move(part.text), fate, true});
    } else {
      add_text(std::move(part.text), fate, part.last, jobs);
    }
  }

  // The hash of a long document is made part after part.
  void check_long(const DocumentPart& part, int64_t number) {
    if (part.first) long_hash_.reset();
    long_hash_.add(part.text);
    if (part.last && long_hash_.value() != record(number).hash) fail_changed(part.place.source);
  }

  // A part of a long document. It is held back until it is known that the next one may be encoded
  // by itself.
  void add_text(std::string text, Fate fate, bool last, std::vector<Job>& jobs) {
    if (text.empty() && !last) return;
    if (!held_.text.empty() && is_border(held_.text, text)) flush(jobs);
    held_.text += text;
    held_.fate = fate;
    held_.ends_document = last;
    if (last) flush(jobs);
  }

  bool is_border(std::string_view left, std::string_view right) const {
    if (right.empty()) return false;
    const std::string_view end = left.substr(left.size() - std::min(left.size(), kBorder_bytes));
    const std::string border = std::string(end) + std::string(right.substr(0, kBorder_bytes));
    return task_.tokenizer.is_cut(border, end.size());
  }

  void flush(std::vector<Job>& jobs) {
    if (held_.text.empty() && !held_.ends_document) return;
    jobs.push_back(std::exchange(held_, {}));
  }

  // The cut is a cut of the text: what stands before and after it is encoded by itself, and is a
  // document of its part.
  void add_cut(const DocumentPart& part, int64_t number, std::vector<Job>& jobs) {
    if (part.first) {
      training_left_ = training_characters(record(number).characters, task_.options.val_fraction);
      is_behind_cut_ = false;
    }
    const size_t training = take_characters(
        part.text, task_.options.clean.invalid == InvalidText::kReplace, training_left_);
    totals_.train.bytes += static_cast<int64_t>(training);
    totals_.val.bytes += static_cast<int64_t>(part.text.size() - training);
    if (training > 0) add_text(part.text.substr(0, training), Fate::kTrain, false, jobs);
    if (training < part.text.size()) {
      if (!std::exchange(is_behind_cut_, true)) end_text(Fate::kTrain, task_.plan.kept > 1, jobs);
      add_text(part.text.substr(training), Fate::kValidation, false, jobs);
    }
    if (!part.last) return;
    end_text(is_behind_cut_ ? Fate::kValidation : Fate::kTrain, true, jobs);
    ++totals_.train.documents;
    totals_.val.documents += is_behind_cut_ ? 1 : 0;
  }

  void end_text(Fate fate, bool ends_document, std::vector<Job>& jobs) {
    held_.fate = fate;
    held_.ends_document = ends_document;
    flush(jobs);
  }

  void encode(std::vector<Job>& jobs) {
    pool_.parallel_each(static_cast<int64_t>(jobs.size()), [&](int64_t i, int thread) {
      Job& job = jobs[static_cast<size_t>(i)];
      if (job.is_dialogue) return encode_turns(turn_encoders_[static_cast<size_t>(thread)], job);
      StreamEncoder& encoder = encoders_[static_cast<size_t>(thread)];
      job.ids.reserve(job.text.size() / 3);
      encoder.encode(job.text, job.ids);
      if (job.ends_document && end_of_text_) job.ids.push_back(*end_of_text_);
    });
  }

  // The document's own end mark follows where the last turn's does not stand there already.
  void encode_turns(TurnEncoder& encoder, Job& job) const {
    EncodedTurns encoded = encoder.encode(unpack(job.text).turns);
    job.ids = std::move(encoded.ids);
    job.shares_tokens = encoded.shared_tokens > 0;
    for (const TokenSpan& span : encoded.trained) {
      job.spans.push_back({static_cast<uint32_t>(span.begin), static_cast<uint32_t>(span.end)});
    }
    const auto end_mark = task_.tokenizer.end_of_text();
    if (end_mark && (job.ids.empty() || job.ids.back() != *end_mark)) job.ids.push_back(*end_mark);
  }

  void write(const Job& job) {
    if (job.is_dialogue) {
      writers_[job.fate].write(job.ids, job.spans);
    } else {
      writers_[job.fate].write(job.ids);
    }
    totals_.shared_tokens += job.shares_tokens ? 1 : 0;
    for (const TokenId id : job.ids) ++totals_.token_counts[static_cast<size_t>(id)];
    document_tokens_ += static_cast<int64_t>(job.ids.size());
    if (!job.ends_document) return;
    add_length(std::exchange(document_tokens_, 0) - (end_of_text_ ? 1 : 0));
  }

  void add_length(int64_t tokens) {
    if (tokens <= 0) return;
    const size_t bin = static_cast<size_t>(std::bit_width(static_cast<uint64_t>(tokens))) - 1;
    if (totals_.token_lengths.size() <= bin) totals_.token_lengths.resize(bin + 1);
    ++totals_.token_lengths[bin];
  }

  const EncodeTask& task_;
  SplitWriters& writers_;
  DroppedLog& dropped_;
  ThreadPool& pool_;
  const Cleaner cleaner_;
  const MappedFile records_;
  std::optional<TokenId> end_of_text_;
  int64_t training_left_ = 0;  // characters, of the document that is cut
  bool is_behind_cut_ = false;
  EncodedTotals totals_;
  int64_t document_tokens_ = 0;            // of the document that is being written
  std::vector<Cleaner::Scratch> scratch_;  // by thread
  std::vector<StreamEncoder> encoders_;
  std::vector<TurnEncoder> turn_encoders_;  // by thread, if there are conversations
  std::vector<Fate> fates_;                 // of the batch, by part
  std::vector<int64_t> numbers_;            // of the documents
  Job held_;
  Hash64 long_hash_;
};

}  // namespace

EncodedTotals encode_corpus(const EncodeTask& task, SplitWriters& writers, Checkpoints& checkpoints,
                            DroppedLog& dropped, const OnEncoded& on_encoded) {
  const Json none(nullptr), &found = checkpoints.found();
  const Json& state = !found.is_null() && get_string(found, "stage") == "encode" ? found : none;
  CorpusEncoder encoder(task, writers, state, dropped);
  const ReadPosition start = state.is_null() ? ReadPosition{}
                                             : read_position_of(state.at("position"));
  if (state.is_null()) checkpoints.save(encoder.state(start));  // the scan need not be repeated
  CorpusReader reader(task.files, task.options.read, start, task.options.batch_bytes);
  DocumentBatch batch;
  while (reader.next(batch)) {
    encoder.add(batch);
    on_encoded(batch.bytes_read, encoder.tokens());
    if (batch.ends_between_documents() && checkpoints.due())
      checkpoints.save(encoder.state(batch.end));
  }
  encoder.finish();
  return encoder.totals();
}

}  // namespace inkstone
