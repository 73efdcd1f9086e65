// The first reading of a corpus: what is in it. Every document leaves a record.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "base/json.h"
#include "corpus/prepare/checkpoints.h"
#include "corpus/prepare/corpus_reader.h"
#include "corpus/prepare/dropped_log.h"
#include "corpus/read/dialogue.h"
#include "inkstone/prepare.h"

namespace inkstone {

// Of one document, in the order read; hashes and sizes are those of the cleaned text. Of a
// conversation the hashes are those of the packed one, the sizes those of its contents.
struct DocumentRecord {
  uint64_t hash = 0;  // hash64, which chooses its part
  Digest128 key;      // hash128, by which duplicates are found
  int64_t bytes = 0, characters = 0;
  uint32_t is_dropped = 0;   // by cleaning
  uint16_t has_bands = 0;    // of MinHash, in the other file
  uint16_t is_dialogue = 0;  // it is trained in part, and never cut
};
static_assert(sizeof(DocumentRecord) == 48);

// Where the scan leaves its records, and its MinHash bands: `bands` numbers of 64 bits for each
// document, in the machine's byte order. The files are used by the same machine alone.
struct ScanFiles {
  std::filesystem::path records, bands;
};

struct ScanTotals {
  int64_t files = 0, documents = 0;
  int64_t bytes_in = 0;  // before cleaning
  int64_t invalid_documents = 0;
  int64_t inline_marks = 0;  // documents with "<|endoftext|>" inside a line
  int64_t long_documents = 0;
  CharacterCounts cleaned;
  int64_t lines_removed = 0;
  // Documents that cleaning kept: conversations of each shape, and all else.
  std::array<int64_t, kRecordShapes> shapes{};
  int64_t texts = 0;
  int64_t pairs_without_separator = 0;       // Dialogue::is_pair_without_separator
  std::map<std::string, int64_t> encodings;  // files and members
  std::vector<SourceFacts> sources;          // the first kToldSources that a user should hear of

  int64_t dialogues() const { return std::accumulate(shapes.begin(), shapes.end(), int64_t{0}); }
};

Json to_json(const SourceFacts& facts);
Json to_json(const ScanTotals& totals);
ScanTotals scan_totals_of(const Json& json);
Json to_json(const ReadPosition& position);
ReadPosition read_position_of(const Json& json);

// Bytes of the input that have been read.
using OnBytes = std::function<void(int64_t bytes)>;

// Goes on from checkpoints.found() if there is one of this stage. What is left out goes to
// `dropped`.
ScanTotals scan_corpus(const std::vector<CorpusFile>& files, const PrepareOptions& options,
                       const ScanFiles& output, Checkpoints& checkpoints, DroppedLog& dropped,
                       const OnBytes& on_bytes);

// Code points of `text`; an invalid sequence counts as one, as in Python with errors="replace".
// is_valid: it is known that there is none.
int64_t count_code_points(std::string_view text, bool is_valid = false);

}  // namespace inkstone
