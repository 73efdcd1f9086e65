#include "corpus/prepare/corpus_reader.h"

#include <utility>

#include "corpus/read/byte_source.h"

namespace inkstone {
namespace {

// Short documents: what lists them takes memory too.
constexpr size_t kBatchParts = 100'000;

std::unique_ptr<DocumentSource> open(const CorpusFile& file, const ReadOptions& options,
                                     SourceHooks hooks) {
  if (file.path == file.source) return open_source(file.path, options, std::move(hooks));
  const auto bytes = std::make_shared<ByteSource>(file.path);
  const ReadBytes read = [bytes](char* out, size_t size_bytes) {
    return bytes->read(out, size_bytes);
  };
  return open_source(file.source, read, options, std::move(hooks));
}

}  // namespace

CorpusReader::CorpusReader(std::vector<CorpusFile> files, ReadOptions options, ReadPosition start,
                           size_t batch_bytes)
    : files_(std::move(files)),
      options_(std::move(options)),
      start_(start),
      batch_bytes_(batch_bytes),
      neighbours_(files_),
      thread_([this] { read_all(); }) {}

CorpusReader::~CorpusReader() {
  {
    const std::lock_guard lock(mutex_);
    stop_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool CorpusReader::next(DocumentBatch& batch) {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return ready_ || done_; });
  if (!ready_) {
    if (error_) std::rethrow_exception(error_);
    return false;
  }
  batch = *std::exchange(ready_, std::nullopt);
  changed_.notify_all();
  return true;
}

void CorpusReader::hand_over() {
  if (batch_.parts.empty() && batch_.dropped.empty() && batch_.sources.empty()) return;
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [this] { return !ready_ || stop_; });
  if (stop_) throw Stopped{};
  ready_ = std::exchange(batch_, {});
  waiting_bytes_ = 0;
  changed_.notify_all();
}

void CorpusReader::read_all() {
  std::exception_ptr error;
  try {
    for (size_t i = 0; i < files_.size(); ++i) {
      if (i >= start_.file) read_file(i);
      bytes_before_ += files_[i].size_bytes;
    }
    batch_.end = {files_.size(), 0};
    batch_.bytes_read = bytes_before_;
    hand_over();
  } catch (const Stopped&) {
  } catch (...) {
    error = std::current_exception();
  }
  const std::lock_guard lock(mutex_);
  error_ = error;
  done_ = true;
  changed_.notify_all();
}

// What has been read before the interruption is read again, and passed over.
void CorpusReader::read_file(size_t index) {
  file_ = index;
  file_documents_ = 0;
  const int64_t passed_over = index == start_.file ? start_.documents : 0;
  const auto on_dropped = [&](const SourcePlace& place, const Message& reason) {
    if (file_documents_ < passed_over) return;
    batch_.dropped.push_back({place.source, reason, place.document});
  };
  const auto on_source = [&](const SourceFacts& facts) {
    if (file_documents_ >= passed_over) batch_.sources.push_back(facts);
  };
  const auto source = open(files_[index], options_,
                           {.on_dropped = on_dropped, .on_source = on_source, .neighbours = [&] {
                              return neighbours_.evidence_for(index);
                            }});
  DocumentPiece piece;
  while (source->next(piece)) {
    if (file_documents_ < passed_over) {
      file_documents_ += piece.last ? 1 : 0;
    } else {
      add_piece(piece, *source);
    }
  }
}

void CorpusReader::add_piece(const DocumentPiece& piece, DocumentSource& source) {
  if (piece.first) is_long_ = false;
  if (piece.is_dialogue) return add_dialogue(piece.text, source);
  if (is_long_) return add_long(piece.text, false, piece.last, source);
  if (piece.first && piece.last && piece.text.size() <= kWhole_bytes) {
    return add_part(std::string(piece.text), true, true, source);
  }
  document_ += piece.text;
  is_long_ = document_.size() > kWhole_bytes;
  if (!is_long_ && !piece.last) return;
  const std::string document = std::exchange(document_, {});
  if (!is_long_) return add_part(document, true, true, source);
  add_long(document, true, piece.last, source);
}

void CorpusReader::add_long(std::string_view text, bool first, bool last, DocumentSource& source) {
  while (text.size() > 2 * kPart_bytes) {
    const size_t cut = piece_size(text, kPart_bytes);
    if (cut == text.size()) break;
    add_part(std::string(text.substr(0, cut)), first, false, source);
    text.remove_prefix(cut);
    first = false;
  }
  add_part(std::string(text), first, last, source);
}

void CorpusReader::add_dialogue(std::string_view packed, DocumentSource& source) {
  add_part({.text = std::string(packed),
            .place = source.place(),
            .file = file_,
            .replaced = source.replaced(),
            .is_dialogue = true},
           source);
}

void CorpusReader::add_part(std::string text, bool first, bool last, DocumentSource& source) {
  add_part({std::move(text), source.place(), file_, source.replaced(), first, last}, source);
}

void CorpusReader::add_part(DocumentPart part, DocumentSource& source) {
  file_documents_ += part.last ? 1 : 0;
  waiting_bytes_ += part.text.size();
  batch_.parts.push_back(std::move(part));
  if (waiting_bytes_ < batch_bytes_ && batch_.parts.size() < kBatchParts) return;
  batch_.end = {file_, file_documents_};
  batch_.bytes_read = bytes_before_ + source.bytes_read();
  hand_over();
}

}  // namespace inkstone
