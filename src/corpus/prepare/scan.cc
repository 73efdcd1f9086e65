#include "corpus/prepare/scan.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "base/thread_pool.h"
#include "base/utf8.h"
#include "corpus/clean/cleaner.h"
#include "corpus/dedup/minhash.h"
#include "corpus/prepare/clean_dialogue.h"
#include "corpus/prepare/message_state.h"

namespace inkstone {
namespace {

ScanTotals scan_counts_of(const Json& json) {
  ScanTotals totals;
  totals.files = count_in(json, "files");
  totals.documents = count_in(json, "documents");
  totals.bytes_in = count_in(json, "bytes_in");
  totals.invalid_documents = count_in(json, "invalid_documents");
  totals.inline_marks = count_in(json, "inline_marks");
  totals.long_documents = count_in(json, "long_documents");
  totals.cleaned = {.invalid_sequences = count_in(json, "invalid_sequences"),
                    .line_ends = count_in(json, "line_ends"),
                    .control_characters = count_in(json, "control_characters")};
  totals.lines_removed = count_in(json, "lines_removed");
  totals.shapes = json.at("shapes").get<std::array<int64_t, kRecordShapes>>();
  totals.texts = count_in(json, "texts");
  totals.pairs_without_separator = count_in(json, "pairs_without_separator");
  return totals;
}

SourceFacts facts_of(const Json& json) {
  std::vector<Message> notes;
  for (const Json& note : json.at("notes")) notes.push_back(message_of(note));
  return {.source = json.at("source").get<std::string>(),
          .encoding = json.at("encoding").get<std::string>(),
          .certainty = json.at("certainty").get<double>(),
          .notes = std::move(notes)};
}

// What one part of a batch is found to be.
struct ScannedPart {
  CleanResult cleaned;
  int64_t bytes_in = 0;
  DocumentRecord record;  // of a whole document; of a part: bytes and characters
  bool has_mark = false;
  std::vector<uint64_t> bands;       // of a whole document
  std::optional<RecordShape> shape;  // of a conversation
  bool lacks_separator = false;
};

// What one thread needs.
struct Worker {
  Cleaner::Scratch scratch;
  MinHash minhash;
};

class Scanner {
 public:
  Scanner(const PrepareOptions& options, const ScanFiles& output, const Json& state,
          DroppedLog& dropped)
      : options_(options),
        cleaner_(options.clean),
        totals_(state.is_null() ? ScanTotals{} : scan_totals_of(state.at("totals"))),
        records_(output.records, static_cast<uint64_t>(totals_.documents) * sizeof(DocumentRecord)),
        dropped_(dropped),
        long_minhash_(options.minhash) {
    if (options.near_duplicates) {
      bands_.emplace(output.bands, static_cast<uint64_t>(totals_.documents) * bands_bytes());
    }
    if (!state.is_null()) {
      const ReadPosition position = read_position_of(state.at("position"));
      if (position.documents > 0) last_file_ = position.file;
    }
    for (int i = 0; i < options.runtime.threads(); ++i)
      workers_.push_back({.scratch = {}, .minhash = MinHash(options.minhash)});
  }

  void add(DocumentBatch& batch) {
    std::vector<ScannedPart> scanned(batch.parts.size());
    options_.runtime.pool().parallel_each(
        static_cast<int64_t>(scanned.size()), [&](int64_t i, int thread) {
          const size_t at = static_cast<size_t>(i);
          scanned[at] = scan(batch.parts[at], workers_[static_cast<size_t>(thread)]);
        });
    for (const DroppedDocument& d : batch.dropped) dropped_.add(d);
    for (const SourceFacts& facts : batch.sources) add_source(facts);
    for (size_t i = 0; i < scanned.size(); ++i) {
      const DocumentPart& part = batch.parts[i];
      if (part.first && part.last) {
        add_whole(part, scanned[i]);
      } else {
        add_part_of_long(part, scanned[i]);
      }
    }
    write_records();
  }

  Json state(const ReadPosition& position) {
    records_.sync();
    if (bands_) bands_->sync();
    return {{"stage", "scan"},
            {"position", to_json(position)},
            {"totals", to_json(totals_)},
            {"dropped", dropped_.state()}};
  }

  void commit() {
    records_.commit();
    if (bands_) bands_->commit();
  }

  const ScanTotals& totals() const { return totals_; }

 private:
  size_t bands_bytes() const {
    return static_cast<size_t>(options_.minhash.bands) * sizeof(uint64_t);
  }

  ScannedPart scan(DocumentPart& part, Worker& worker) const {
    if (part.is_dialogue) return scan_dialogue(part, worker);
    ScannedPart result;
    const bool whole = part.first && part.last;
    result.bytes_in = static_cast<int64_t>(part.text.size());
    result.cleaned = whole ? cleaner_.clean(part.text, worker.scratch)
                           : cleaner_.clean_piece(part.text, worker.scratch);
    if (whole && part.replaced > 0 && options_.clean.invalid == InvalidText::kDrop) {
      result.cleaned.reason = DropReason::kInvalidUtf8;
    }
    if (options_.read.records == Records::kCompletion)
      result.cleaned.reason = DropReason::kNoRecord;
    if (!result.cleaned.kept()) return result;
    result.record.bytes = static_cast<int64_t>(part.text.size());
    result.record.characters = count_code_points(
        part.text, cleaner_.options().invalid == InvalidText::kReplace ||
                       result.cleaned.characters.invalid_sequences == 0);
    result.has_mark = part.text.find(kEndOfText) != part.text.npos;
    if (whole) add_hashes(part.text, part.text, worker, result);
    return result;
  }

  ScannedPart scan_dialogue(DocumentPart& part, Worker& worker) const {
    ScannedPart result;
    result.bytes_in = static_cast<int64_t>(text_of(unpack(part.text)).size());
    result.cleaned = clean_dialogue(cleaner_, part.text, worker.scratch);
    const bool is_invalid = part.replaced + result.cleaned.characters.invalid_sequences > 0;
    if (is_invalid && options_.clean.invalid == InvalidText::kDrop)
      result.cleaned.reason = DropReason::kInvalidUtf8;
    if (!result.cleaned.kept()) return result;
    const Dialogue dialogue = unpack(part.text);
    const std::string text = text_of(dialogue);
    result.shape = dialogue.shape;
    result.lacks_separator = dialogue.is_pair_without_separator();
    result.record.bytes = static_cast<int64_t>(text.size());
    result.record.characters = count_code_points(text);
    result.record.is_dialogue = 1;
    result.has_mark = text.find(kEndOfText) != text.npos;
    add_hashes(part.text, text, worker, result);
    return result;
  }

  // whole: what makes two documents the same; text: what makes them similar.
  void add_hashes(std::string_view whole, std::string_view text, Worker& worker,
                  ScannedPart& result) const {
    result.record.hash = hash64(whole);
    result.record.key = hash128(whole);
    if (!bands_) return;
    worker.minhash.add(text);
    const auto bands = worker.minhash.finish();
    result.bands.assign(bands.begin(), bands.end());
  }

  void add_source(const SourceFacts& facts) {
    ++totals_.encodings[facts.encoding];
    if (facts.tells() && totals_.sources.size() < kToldSources) totals_.sources.push_back(facts);
  }

  void add_counts(const ScannedPart& part) {
    totals_.bytes_in += part.bytes_in;
    totals_.cleaned.invalid_sequences += part.cleaned.characters.invalid_sequences;
    totals_.cleaned.line_ends += part.cleaned.characters.line_ends;
    totals_.cleaned.control_characters += part.cleaned.characters.control_characters;
    totals_.lines_removed += part.cleaned.lines_removed;
  }

  void begin_document(const DocumentPart& part) {
    if (last_file_ != part.file) ++totals_.files;
    last_file_ = part.file;
  }

  void end_document(const DocumentPart& part, int64_t bytes_in, DropReason reason, bool invalid,
                    bool has_mark, DocumentRecord record, std::span<const uint64_t> bands) {
    ++totals_.documents;
    totals_.cleaned.invalid_sequences += part.replaced;
    totals_.invalid_documents += invalid || part.replaced > 0 ? 1 : 0;
    if (reason != DropReason::kNone) {
      record = DocumentRecord();
      record.is_dropped = 1;
      dropped_.add({part.place.source, std::string(name(reason)), part.place.document}, bytes_in);
    } else {
      totals_.inline_marks += has_mark ? 1 : 0;
    }
    record.has_bands = bands.empty() ? 0 : 1;
    new_records_.push_back(record);
    if (!bands_) return;
    new_bands_.insert(new_bands_.end(), bands.begin(), bands.end());
    new_bands_.resize(new_records_.size() * static_cast<size_t>(options_.minhash.bands));
  }

  void add_whole(const DocumentPart& part, const ScannedPart& scanned) {
    begin_document(part);
    add_counts(scanned);
    if (scanned.shape) ++totals_.shapes[static_cast<size_t>(*scanned.shape)];
    totals_.texts += scanned.cleaned.kept() && !scanned.shape ? 1 : 0;
    totals_.pairs_without_separator += scanned.lacks_separator ? 1 : 0;
    end_document(part, scanned.bytes_in, scanned.cleaned.reason,
                 scanned.cleaned.characters.invalid_sequences > 0, scanned.has_mark, scanned.record,
                 scanned.bands);
  }

  // Its hashes are made here, part after part.
  void add_part_of_long(const DocumentPart& part, const ScannedPart& scanned) {
    if (part.first) {
      begin_document(part);
      ++totals_.long_documents;
      long_ = {};
      long_hash_.reset();
      long_key_.reset();
    }
    add_counts(scanned);
    long_hash_.add(part.text);
    long_key_.add(part.text);
    if (bands_) long_minhash_.add(part.text);
    long_.bytes_in += scanned.bytes_in;
    long_.record.bytes += scanned.record.bytes;
    long_.record.characters += scanned.record.characters;
    long_.cleaned.characters.invalid_sequences += scanned.cleaned.characters.invalid_sequences;
    long_.has_mark = long_.has_mark || scanned.has_mark;
    if (!part.last) return;
    long_.record.hash = long_hash_.value();
    long_.record.key = long_key_.value();
    const auto bands = bands_ ? long_minhash_.finish() : std::span<const uint64_t>();
    const bool invalid = long_.cleaned.characters.invalid_sequences > 0;
    const bool drops = options_.clean.invalid == InvalidText::kDrop &&
                       (invalid || part.replaced > 0);
    const DropReason reason = options_.read.records == Records::kCompletion ? DropReason::kNoRecord
                              : drops ? DropReason::kInvalidUtf8
                                      : DropReason::kNone;
    totals_.texts += reason == DropReason::kNone ? 1 : 0;
    end_document(part, long_.bytes_in, reason, invalid, long_.has_mark, long_.record, bands);
  }

  void write_records() {
    records_.write(new_records_.data(), new_records_.size() * sizeof(DocumentRecord));
    if (bands_) bands_->write(new_bands_.data(), new_bands_.size() * sizeof(uint64_t));
    new_records_.clear();
    new_bands_.clear();
  }

  const PrepareOptions& options_;
  const Cleaner cleaner_;
  ScanTotals totals_;
  AtomicFile records_;
  std::optional<AtomicFile> bands_;
  DroppedLog& dropped_;
  std::vector<Worker> workers_;
  std::optional<size_t> last_file_;
  std::vector<DocumentRecord> new_records_;  // of this batch
  std::vector<uint64_t> new_bands_;
  ScannedPart long_;  // the long document that is being read
  Hash64 long_hash_;
  Hash128 long_key_;
  MinHash long_minhash_;
};

}  // namespace

Json to_json(const SourceFacts& facts) {
  return {{"source", facts.source},
          {"encoding", facts.encoding},
          {"certainty", facts.certainty},
          {"notes", in_english(facts.notes)}};
}

Json to_json(const ScanTotals& t) {
  Json sources = Json::array();
  for (const SourceFacts& facts : t.sources) {
    sources.push_back(to_json(facts));
    Json& notes = sources.back()["notes"] = Json::array();
    for (const Message& note : facts.notes) notes.push_back(state_of(note));
  }
  return {{"files", t.files},
          {"documents", t.documents},
          {"bytes_in", t.bytes_in},
          {"invalid_documents", t.invalid_documents},
          {"inline_marks", t.inline_marks},
          {"long_documents", t.long_documents},
          {"invalid_sequences", t.cleaned.invalid_sequences},
          {"line_ends", t.cleaned.line_ends},
          {"control_characters", t.cleaned.control_characters},
          {"lines_removed", t.lines_removed},
          {"shapes", t.shapes},
          {"texts", t.texts},
          {"pairs_without_separator", t.pairs_without_separator},
          {"encodings", t.encodings},
          {"sources", sources}};
}

ScanTotals scan_totals_of(const Json& json) {
  ScanTotals totals = scan_counts_of(json);
  totals.encodings = json.at("encodings").get<std::map<std::string, int64_t>>();
  for (const Json& source : json.at("sources")) totals.sources.push_back(facts_of(source));
  return totals;
}

Json to_json(const ReadPosition& position) {
  return {{"file", position.file}, {"documents", position.documents}};
}

ReadPosition read_position_of(const Json& json) {
  return {.file = static_cast<size_t>(count_in(json, "file")),
          .documents = count_in(json, "documents")};
}

ScanTotals scan_corpus(const std::vector<CorpusFile>& files, const PrepareOptions& options,
                       const ScanFiles& output, Checkpoints& checkpoints, DroppedLog& dropped,
                       const OnBytes& on_bytes) {
  const Json& state = checkpoints.found();
  Scanner scanner(options, output, state, dropped);
  const ReadPosition start = state.is_null() ? ReadPosition{}
                                             : read_position_of(state.at("position"));
  CorpusReader reader(files, options.read, start, options.batch_bytes);
  DocumentBatch batch;
  while (reader.next(batch)) {
    scanner.add(batch);
    on_bytes(batch.bytes_read);
    if (batch.ends_between_documents() && checkpoints.due())
      checkpoints.save(scanner.state(batch.end));
  }
  scanner.commit();
  return scanner.totals();
}

int64_t count_code_points(std::string_view text, bool is_valid) {
  if (is_valid) return count_characters(text);
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++count)
    at += static_cast<size_t>(decode_utf8(text, at).size_bytes);
  return count;
}

}  // namespace inkstone
