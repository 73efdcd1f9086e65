// Text files to token shards with a train/validation split and a report: `inkstone prepare`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "corpus/read/documents.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

struct PrepareOptions {
  std::vector<std::filesystem::path> inputs;  // files, folders (walked, sorted) or "-" for standard input
  std::filesystem::path output;
  double val_fraction = 0.1;                  // in [0, 1)
  int64_t shard_tokens = 100'000'000;
};

struct ShardReport {
  std::string file;     // name inside the output folder
  int64_t tokens = 0;
  std::string hash128;  // of the file, as `xxh128sum` prints it
};

struct SplitReport {
  int64_t documents = 0, bytes = 0;
  int64_t tokens = 0;  // with the end-of-text tokens
  int64_t shards = 0;
  std::vector<ShardReport> shard_files;
};

struct PrepareReport {
  int64_t files = 0;         // read, and part of the corpus
  int64_t documents_in = 0;  // with text in them
  int64_t bytes_in = 0;      // of those documents
  SplitReport train, val;    // documents: of a single document that is cut, 1 in each
  int64_t invalid_utf8_documents = 0;  // kept; their invalid bytes are encoded as they are
  bool single_document = false;        // cut once by characters instead of split by document
  std::vector<DroppedDocument> dropped;  // files, folders and blank documents that were left out
  std::vector<std::string> warnings;     // what a user should know, a sentence each
  double bytes_per_token = 0;
};

struct PrepareProgress {
  enum class Stage { kScanning, kEncoding };  // every file is read twice

  int64_t bytes_done, bytes_total;  // of this stage; total is 0 when unknown (scanning)
  int64_t tokens;
  Stage stage = Stage::kEncoding;
};

// Splits by document (a file is one document; "<|endoftext|>" lines inside a file separate documents):
// each document goes to validation when a hash of its content says so (hash64 / 2^64 < val_fraction), so that
// adding files moves none; with two documents or more, at least one validates (the one with the smallest hash)
// unless val_fraction is 0, and at least one trains. A corpus that is one document is cut once: the first
// (1 - val_fraction) of its characters (code points, floor, at least one) trains, the rest validates.
// Documents stand in the order read. Every document is followed by the end-of-text token, if the tokenizer has
// one; but a corpus that is one document has none, neither at the cut nor at its end (as nanoGPT).
// "<|endoftext|>" inside a line is encoded as ordinary text.
// Writes train_000000.bin..., val_000000.bin... (none for a part without tokens), the tokenizer, report.json.
// 16 bits a token if vocab_size <= 65536, else 32. Memory does not grow with the corpus, except by one line
// without white space; on any number of threads the files are the same.
// The output folder must be absent, empty, or an earlier output of prepare (its report.json is there),
// which is then replaced file by file, at the very end: when prepare fails, what was there is unchanged.
// Throws kUsage, kNotFound, kInvalidData ("no text found: 3 files, all left out: ..."), kInputOutput (also when
// a file changes while it is read).
PrepareReport prepare(const PrepareOptions& options, const Tokenizer& tokenizer,
                      const std::function<void(const PrepareProgress&)>& on_progress = {});

}  // namespace inkstone
