#include "corpus/prepare/corpus_encoder.h"

#include <atomic>
#include <exception>
#include <mutex>

#include "base/error.h"
#include "base/hash.h"
#include "base/threads.h"
#include "base/utf8.h"
#include "corpus/read/document_reader.h"

namespace inkstone {
namespace {

// Enough to keep many threads busy with pieces of 1 MiB; ids take 4 bytes each, at most one for each byte.
constexpr size_t kBatch_bytes = size_t{32} << 20;
constexpr size_t kBatch_texts = 100'000;

// Bytes of the first `characters` characters of `text`, or of all of it when it has fewer. What it has is
// subtracted from `characters`.
size_t take_characters(std::string_view text, int64_t& characters) {
  size_t at = 0;
  for (; characters > 0 && at < text.size(); --characters) {
    at += static_cast<size_t>(decode_utf8(text, at).size_bytes);
  }
  return at;
}

[[noreturn]] void fail_changed(const ScannedFile& file) {
  fail(ErrorCode::kInputOutput,
       "'{}' changed while it was read: run prepare again when no other program writes to it", file.file.source);
}

class CorpusEncoder {
 public:
  CorpusEncoder(const CorpusScan& scan, const Tokenizer& tokenizer, const EncodeOptions& options,
                SplitWriters& writers, const OnEncoded& on_encoded)
      : scan_(scan),
        end_of_text_(options.training_characters ? std::nullopt : tokenizer.end_of_text()),
        training_left_(options.training_characters),
        writers_(writers),
        on_encoded_(on_encoded),
        encoder_(tokenizer, [&writers](Split split, std::span<const TokenId> ids) { writers[split].write(ids); }) {}

  SplitReports encode() {
    for (const ScannedFile& file : scan_.files) encode_file(file);
    encoder_.flush();
    report_progress();
    reports_.train.tokens = writers_.train.tokens();
    reports_.val.tokens = writers_.val.tokens();
    return reports_;
  }

 private:
  void encode_file(const ScannedFile& file) {
    std::string why_not;
    auto reader = open_documents(file.file.path, why_not);
    if (!reader) fail_changed(file);
    size_t documents = 0;
    uint64_t fingerprint = 0;
    Hash64 hash;
    DocumentPiece piece;
    const std::string context = "reading '" + file.file.source + "'";
    while (with_context(context, [&] { return reader->next(piece); })) {
      if (documents == file.documents) fail_changed(file);
      hash.add(piece.text);
      if (training_left_) {
        add_cut(piece);
      } else {
        add(piece, scan_.validates[file.first_document + documents] ? Split::kValidation : Split::kTrain);
      }
      if (!piece.last) continue;
      fingerprint = next_fingerprint(fingerprint, hash.value());
      hash.reset();
      ++documents;
    }
    if (documents != file.documents || fingerprint != file.fingerprint) fail_changed(file);
  }

  void add(const DocumentPiece& piece, Split split) {
    add_text(piece.text, split, piece.last ? end_of_text_ : std::nullopt);
    if (piece.last) ++reports_[split].documents;
  }

  // A piece of the one document of the corpus. The cut is a cut of the text: what stands before and after it
  // is encoded by itself.
  void add_cut(const DocumentPiece& piece) {
    const size_t training = take_characters(piece.text, *training_left_);
    add_text(piece.text.substr(0, training), Split::kTrain, std::nullopt);
    add_text(piece.text.substr(training), Split::kValidation, std::nullopt);
    if (!piece.last) return;
    for (SplitReport* report : {&reports_.train, &reports_.val}) report->documents = report->bytes > 0 ? 1 : 0;
  }

  void add_text(std::string_view text, Split split, std::optional<TokenId> end) {
    if (text.empty()) return;
    bytes_ += static_cast<int64_t>(text.size());
    reports_[split].bytes += static_cast<int64_t>(text.size());
    if (encoder_.add(text, split, end)) report_progress();
  }

  void report_progress() { on_encoded_(bytes_, writers_.train.tokens() + writers_.val.tokens()); }

  const CorpusScan& scan_;
  std::optional<TokenId> end_of_text_;
  std::optional<int64_t> training_left_;
  SplitReports reports_;
  int64_t bytes_ = 0;
  SplitWriters& writers_;
  const OnEncoded& on_encoded_;
  ParallelEncoder encoder_;
};

}  // namespace

bool ParallelEncoder::add(std::string_view text, Split split, std::optional<TokenId> end) {
  jobs_.push_back({.text = std::string(text), .split = split, .end = end, .ids = {}});
  pending_bytes_ += text.size();
  if (pending_bytes_ < kBatch_bytes && jobs_.size() < kBatch_texts) return false;
  flush();
  return true;
}

void ParallelEncoder::flush() {
  std::atomic<size_t> next{0};
  std::mutex mutex;
  std::exception_ptr error;
  // Texts differ in length: each thread takes the next one when it is free.
  parallel_for(thread_count(), 1, [&](int64_t, int64_t, int) {
    try {
      for (size_t i = next++; i < jobs_.size(); i = next++) {
        jobs_[i].ids = tokenizer_.encode(jobs_[i].text, SpecialTokens::kAsText);
        if (jobs_[i].end) jobs_[i].ids.push_back(*jobs_[i].end);
      }
    } catch (...) {
      const std::lock_guard lock(mutex);
      error = std::current_exception();
    }
  });
  if (error) std::rethrow_exception(error);
  for (const Job& job : jobs_) on_tokens_(job.split, job.ids);
  jobs_.clear();
  pending_bytes_ = 0;
}

SplitReports encode_corpus(const CorpusScan& scan, const Tokenizer& tokenizer, const EncodeOptions& options,
                           SplitWriters& writers, const OnEncoded& on_encoded) {
  return CorpusEncoder(scan, tokenizer, options, writers, on_encoded).encode();
}

}  // namespace inkstone
