// The documents of all files of a corpus, read ahead on a thread of its own.
#pragma once

#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <filesystem>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "corpus/prepare/folder_neighbours.h"
#include "corpus/read/document_source.h"
#include "corpus/read/list_inputs.h"

namespace inkstone {

// A place between two documents.
struct ReadPosition {
  size_t file = 0;
  int64_t documents = 0;  // of that file that have been read
};

// A whole document, or a part of one that is too long to be held.
struct DocumentPart {
  std::string text;
  SourcePlace place;
  size_t file = 0;
  int64_t replaced = 0;  // sequences of the document, so far, that could not be decoded
  bool first = true, last = true;
  bool is_dialogue = false;  // whole, and packed (read/dialogue.h)
};

struct DocumentBatch {
  std::vector<DocumentPart> parts;
  std::vector<DroppedDocument> dropped;  // found on the way
  std::vector<SourceFacts> sources;      // read to their end
  ReadPosition end;                      // where to go on, if the last part ends its document
  int64_t bytes_read = 0;                // of all files so far, as they lie on the disk

  bool ends_between_documents() const { return parts.empty() || parts.back().last; }
};

// Reads the next batch while the last one is worked on. A document of up to kWhole_bytes is one
// part; a longer one comes in parts of about kPart_bytes, cut where GPT-2's pre-tokenizer cuts for
// certain.
class CorpusReader {
 public:
  static constexpr size_t kWhole_bytes = size_t{8} << 20, kPart_bytes = size_t{1} << 20;

  // Goes on at `start`. A batch ends as soon as it has batch_bytes.
  CorpusReader(std::vector<CorpusFile> files, ReadOptions options, ReadPosition start,
               size_t batch_bytes);
  ~CorpusReader();
  CorpusReader(const CorpusReader&) = delete;
  CorpusReader& operator=(const CorpusReader&) = delete;

  // False at the end. Throws kUsage for an encoding that is not known.
  bool next(DocumentBatch& batch);

 private:
  struct Stopped {};

  void read_all();
  void read_file(size_t index);
  void add_piece(const DocumentPiece& piece, DocumentSource& source);
  void add_long(std::string_view text, bool first, bool last, DocumentSource& source);
  void add_dialogue(std::string_view packed, DocumentSource& source);
  void add_part(std::string text, bool first, bool last, DocumentSource& source);
  void add_part(DocumentPart part, DocumentSource& source);
  void hand_over();

  const std::vector<CorpusFile> files_;
  const ReadOptions options_;
  const ReadPosition start_;
  const size_t batch_bytes_;

  // The reading thread's own.
  FolderNeighbours neighbours_;
  DocumentBatch batch_;
  std::string document_;      // what has come of the present one
  bool is_long_ = false;      // it has been cut already
  size_t waiting_bytes_ = 0;  // in batch_
  size_t file_ = 0;
  int64_t file_documents_ = 0, bytes_before_ = 0;

  std::mutex mutex_;
  std::condition_variable changed_;
  std::optional<DocumentBatch> ready_;
  std::exception_ptr error_;
  bool done_ = false, stop_ = false;
  std::thread thread_;  // last: it uses all of the above
};

}  // namespace inkstone
