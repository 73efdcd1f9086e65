#include "corpus/prepare/scan.h"

#include <array>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "base/utf8.h"
#include "corpus/read/document_reader.h"
#include "corpus/prepare/split.h"
#include "inkstone/tokenizer.h"

namespace inkstone {
namespace {

// Between two reports of progress.
constexpr int64_t kReport_bytes = int64_t{16} << 20;

// What one file adds to a CorpusScan; kept apart until the file has been read to its end.
struct FileScan {
  std::vector<uint64_t> hashes;
  int64_t bytes = 0, characters = 0, invalid_utf8_documents = 0, inline_marks = 0, blank_documents = 0;
};

// One document while its pieces come in.
class DocumentScan {
 public:
  void add(std::string_view piece, FileScan& file) {
    hash_.add(piece);
    file.bytes += static_cast<int64_t>(piece.size());
    file.characters += count_characters(piece, &valid_);
    // A piece never ends inside the mark, which has no white space in it.
    has_mark_ = has_mark_ || piece.find(kEndOfText) != piece.npos;
  }

  void finish(FileScan& file) {
    file.hashes.push_back(hash_.value());
    file.invalid_utf8_documents += valid_ ? 0 : 1;
    file.inline_marks += has_mark_ ? 1 : 0;
    hash_.reset();
    valid_ = true;
    has_mark_ = false;
  }

 private:
  Hash64 hash_;
  bool valid_ = true, has_mark_ = false;
};

// nullopt with a reason when the file is no text or cannot be read to its end.
std::optional<FileScan> scan_file(const CorpusFile& file, int64_t bytes_before, const OnBytes& on_bytes,
                                  std::string& why_not) {
  auto reader = open_documents(file.path, why_not);
  if (!reader) return std::nullopt;
  try {
    FileScan scan;
    DocumentScan document;
    DocumentPiece piece;
    while (reader->next(piece)) {
      document.add(piece.text, scan);
      if (piece.last) document.finish(scan);
      on_bytes(bytes_before + scan.bytes);
    }
    scan.blank_documents = reader->blank_documents();
    return scan;
  } catch (const Error& e) {
    why_not = fmt::format("unreadable: {}", e.what());
    return std::nullopt;
  }
}

std::string reason_of_blank(int64_t documents) {
  return documents == 1 ? "blank" : fmt::format("blank ({} documents)", documents);
}

void append(const CorpusFile& file, const FileScan& scan, CorpusScan& corpus, SplitPlanner& planner) {
  if (scan.blank_documents > 0) {
    corpus.dropped.push_back({file.source, reason_of_blank(scan.blank_documents)});
  }
  if (scan.hashes.empty()) {
    // A file of separator lines and nothing between them has not even a blank document.
    if (scan.blank_documents == 0) corpus.dropped.push_back({file.source, "empty"});
    return;
  }
  ScannedFile scanned{.file = file, .documents = scan.hashes.size()};
  for (const uint64_t hash : scan.hashes) {
    scanned.fingerprint = next_fingerprint(scanned.fingerprint, hash);
    planner.add(hash);
  }
  if (!corpus.files.empty()) {
    scanned.first_document = corpus.files.back().first_document + corpus.files.back().documents;
  }
  corpus.files.push_back(std::move(scanned));
  corpus.bytes += scan.bytes;
  corpus.characters += scan.characters;
  corpus.invalid_utf8_documents += scan.invalid_utf8_documents;
  corpus.inline_marks += scan.inline_marks;
}

}  // namespace

CorpusScan scan_corpus(const std::vector<CorpusFile>& files, double val_fraction, const OnBytes& on_bytes) {
  CorpusScan corpus;
  SplitPlanner planner(val_fraction);
  const auto rarely = [&on_bytes, reported = int64_t{0}](int64_t bytes) mutable {
    if (bytes - reported >= kReport_bytes) on_bytes(reported = bytes);
  };
  for (const CorpusFile& file : files) {
    std::string why_not;
    const auto scan = scan_file(file, corpus.bytes, rarely, why_not);
    if (scan) {
      append(file, *scan, corpus, planner);
    } else {
      corpus.dropped.push_back({file.source, why_not});
    }
  }
  corpus.validates = planner.finish();
  return corpus;
}

int64_t count_characters(std::string_view text, bool* valid) {
  int64_t count = 0;
  for (size_t at = 0; at < text.size(); ++count) {
    if (static_cast<uint8_t>(text[at]) < 0x80) {
      ++at;
      continue;
    }
    const Utf8Step step = decode_utf8(text, at);
    if (!step.ok) *valid = false;
    at += static_cast<size_t>(step.size_bytes);
  }
  return count;
}

uint64_t next_fingerprint(uint64_t fingerprint, uint64_t document_hash) {
  const std::array<uint64_t, 2> both = {fingerprint, document_hash};
  return hash64({reinterpret_cast<const char*>(both.data()), sizeof both});
}

}  // namespace inkstone
