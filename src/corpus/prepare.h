// Text files to token shards with a train/validation split and a report: `inkstone prepare`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

struct PrepareOptions {
  std::vector<std::filesystem::path> inputs;  // files, folders (walked, sorted) or "-" for standard input
  std::filesystem::path output;
  double val_fraction = 0.1;                  // in [0, 1)
  int64_t shard_tokens = 100'000'000;
};

struct DroppedDocument {
  std::string source;  // path
  std::string reason;  // "empty", "binary", "unreadable: ..."
};

struct SplitReport {
  int64_t documents = 0, bytes = 0, tokens = 0, shards = 0;
};

struct PrepareReport {
  int64_t files = 0, documents_in = 0, bytes_in = 0;
  SplitReport train, val;
  int64_t invalid_utf8_documents = 0;  // kept; their invalid bytes are encoded as they are
  bool single_document = false;        // cut once by characters instead of split by document
  std::vector<DroppedDocument> dropped;
  double bytes_per_token = 0;
};

struct PrepareProgress {
  int64_t bytes_done, bytes_total;  // total is 0 when unknown (standard input)
  int64_t tokens;
};

// Splits by document (a file is one document; "<|endoftext|>" lines inside a file separate documents):
// each document goes to validation when a hash of its content says so, so that adding files moves none;
// at least one document validates when there are two or more. A corpus that is one document is cut once:
// the first (1 - val_fraction) of its characters (code points, floor) trains, the rest validates.
// Writes train_000000.bin..., val_000000.bin..., the tokenizer, report.json. Every document is followed
// by the end-of-text token, except that the training part of a single cut document is not (its text goes on).
// The output folder must be absent, empty, or an earlier output of prepare (its report.json is there),
// which is then replaced file by file.
// Throws kUsage, kNotFound, kInvalidData ("no text found: 3 files, all left out: ...").
PrepareReport prepare(const PrepareOptions& options, const Tokenizer& tokenizer,
                      const std::function<void(const PrepareProgress&)>& on_progress = {});

}  // namespace inkstone
