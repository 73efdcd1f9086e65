// The documents of one input, whatever its format, encoding and compression.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

#include "corpus/read/byte_source.h"
#include "corpus/read/document_reader.h"
#include "inkstone/reading.h"

namespace inkstone {

// Where a document stands.
struct SourcePlace {
  std::string source;  // a path; for a member of an archive "corpus.zip/inner/name.txt"
  // Its number inside that source, from 1, those left out included; 0: the source as a whole.
  int64_t document = 0;
};

// Called for each document, member or file that is left out, with the reason: "blank", "line 3: no
// field 'text'", "hidden", "binary", "encrypted", ... A source that turns out to be damaged is
// reported too, after the documents that could be read; the last of these may be cut short.
using OnDropped = std::function<void(const SourcePlace&, const Message& reason)>;

// Called when a file or member with text has been read to its end.
using OnSource = std::function<void(const SourceFacts&)>;

struct SourceHooks {
  OnDropped on_dropped;
  OnSource on_source = {};
  // Evidence of what encoding the files beside this input are in; asked when the input does not
  // tell.
  std::function<std::string()> neighbours = {};
  // Of text; a blank record is left out.
  BlankDocuments blank = BlankDocuments::kLeaveOut;
  size_t piece_bytes = DocumentReader::kPiece_bytes;  // of text, about
};

// Memory stays bounded whatever the input's size: text comes in pieces, records in 256 MiB at most.
class DocumentSource {
 public:
  virtual ~DocumentSource() = default;

  // The next piece of a document; false at the end. Every document that begins
  // also ends. Bad input never throws: it is reported to OnDropped.
  virtual bool next(DocumentPiece& piece) = 0;

  // Of the piece that next() gave last.
  virtual SourcePlace place() const = 0;
  // Sequences of this document, so far, that could not be decoded and are U+FFFD now. Plain text in
  // UTF-8 keeps its invalid bytes, and counts none.
  virtual int64_t replaced() const = 0;

  // Of the input itself, compressed as it is: for progress.
  virtual int64_t bytes_read() const = 0;
};

// Opens a file or pipe, or standard input for "-".
// Throws kUsage for an unknown encoding, and nothing else: a file that cannot be read is reported
// like all that is left out.
std::unique_ptr<DocumentSource> open_source(const std::filesystem::path& path,
                                            const ReadOptions& options, SourceHooks hooks);

// The same for bytes from elsewhere, under a name that stands for the path. `read` may also give
// fewer bytes before the end, which is where it gives none, and throw Error, as a file that fails
// does.
std::unique_ptr<DocumentSource> open_source(std::string name, ReadBytes read,
                                            const ReadOptions& options, SourceHooks hooks);

}  // namespace inkstone
