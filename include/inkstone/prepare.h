// Text of any kind to token shards with a train/validation split and a report: `inkstone prepare`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "inkstone/cleaning.h"
#include "inkstone/message.h"
#include "inkstone/reading.h"
#include "inkstone/runtime.h"
#include "inkstone/tokenizer.h"
#include "inkstone/turns.h"

namespace inkstone {

struct PrepareOptions {
  // Files, folders (walked, sorted), globs, lists, "-" for standard input.
  std::vector<std::filesystem::path> inputs;
  std::filesystem::path output;
  double val_fraction = 0.1;  // in [0, 1)
  int64_t shard_tokens = 100'000'000;
  // Of a token: 16, 32, or 0: 16 if the vocabulary allows.
  int bits = 0;
  ReadOptions read = {};
  CleanOptions clean = {};
  // Documents whose cleaned text an earlier one has are dropped.
  bool exact_duplicates = true;
  // And those that share a MinHash band with an earlier one.
  bool near_duplicates = false;
  MinHashOptions minhash = {};
  // Of records with a completion (read.records): how they are written. nullopt: the tokenizer's
  // own template, else "plain" where all are pairs {prompt, completion} with white space between
  // the two, else "turns" (inkstone/turns.h).
  std::optional<TurnTemplate> turns = {};
  // A line of JSON for everything that was left out; empty: none.
  std::filesystem::path dropped_file = {};

  Runtime runtime = Runtime();  // its threads clean and encode
  // How much may be lost when the process is killed, and how much is held in memory at a time.
  double checkpoint_seconds = 3;
  size_t batch_bytes = size_t{16} << 20;
};

// Thrown when an observer's stop() said so. The same call of prepare again goes on from there.
struct Interrupted {};

struct ShardReport {
  std::string file;  // name inside the output folder
  int64_t tokens = 0;
  std::string hash128;  // of the file, as `xxh128sum` prints it
};

// Which tokens of a split are trained; of records with a completion.
struct SpansReport {
  std::string file;  // name inside the output folder
  int64_t trained_tokens = 0;
  std::string hash128;  // of the file, as of a shard
};

struct SplitReport {
  int64_t documents = 0, bytes = 0;
  int64_t tokens = 0;  // with the end-of-text tokens
  int64_t shards = 0;
  std::vector<ShardReport> shard_files;
  std::optional<SpansReport> spans = {};
};

// Of a corpus of records with a completion.
struct RecordsReport {
  std::map<std::string, int64_t> shapes;  // "{prompt, completion}": kept by cleaning
  std::string turns;                      // the template's name, "" if it has none
  // Documents in which a token reaches from the prompt into the completion.
  int64_t shared_tokens = 0;
};

// How many documents, and how many of their bytes.
struct DroppedCount {
  int64_t documents = 0, bytes = 0;
};

struct TokenCount {
  TokenId id = 0;
  int64_t count = 0;
};

struct PrepareReport {
  int64_t files = 0;                   // read, with documents in them
  int64_t documents_in = 0;            // with text in them, those that were dropped later included
  int64_t bytes_in = 0;                // of those documents, as UTF-8, before cleaning
  SplitReport train, val;              // documents: of a single document that is cut, 1 in each
  int64_t invalid_utf8_documents = 0;  // had bytes that could not be decoded
  CharacterCounts cleaned;             // what cleaning did, in the documents that were read
  int64_t lines_removed = 0;
  int64_t long_documents = 0;    // too long for the rules about whole documents
  bool single_document = false;  // the corpus is one document
  int64_t cut_documents = 0;     // divided between the parts; counted in both
  std::map<Message, DroppedCount> dropped_reasons;
  std::vector<DroppedDocument> dropped;      // examples: the first of each reason
  std::vector<int64_t> token_lengths;        // [i]: kept documents of 2^i .. 2^(i+1) - 1 tokens
  std::vector<TokenCount> frequent_tokens;   // the most frequent first
  std::map<std::string, int64_t> encodings;  // files and members of archives in each
  std::optional<RecordsReport> records = {};
  // Those whose encoding was guessed, or with notes: the first thousand.
  std::vector<SourceFacts> sources;
  std::vector<Message> warnings;  // what a user should know, a sentence each
  double bytes_per_token = 0;
  bool resumed = false;  // an interrupted prepare was gone on with
};

struct PrepareProgress {
  enum class Stage { kScanning, kEncoding };  // every file is read twice

  // Of the input of this stage, compressed as it is; total 0: unknown.
  int64_t bytes_done, bytes_total;
  int64_t tokens;
  Stage stage = Stage::kEncoding;
};

// What a caller hears meanwhile, on the calling thread. Either may be empty.
struct PrepareObserver {
  std::function<void(const PrepareProgress&)> on_progress = {};
  // Asked now and then; true ends prepare, which throws Interrupted and can be gone on with later.
  std::function<bool()> stop = {};
};

// Documents are read, cleaned and compared; the rest is encoded.
//
// Splits by document: each goes to validation when a hash of its cleaned content says so (hash64 /
// 2^64 < val_fraction), so that adding files moves none; with two documents or more, at least one
// validates (the one with the smallest hash) unless val_fraction is 0, and at least one trains.
// Duplicates are sought in the whole corpus, so that none lies on the other side. A document that
// has more than twice the fraction of all characters is too long for that and is cut once: the
// first (1 - val_fraction) of its characters (code points, floor, at least one) trains, the rest
// validates, if these are 1000 characters or more; so is a corpus that is one document, of any
// length. Documents stand in the order read. Every document is
// followed by the end-of-text token, if the tokenizer has one; but a corpus that is one document
// has none, neither at the cut nor at its end (as nanoGPT).
// "<|endoftext|>" inside a line is encoded as ordinary text.
//
// Records with a completion (options.read.records) are documents as well, in the tokens of
// TurnEncoder; the end-of-text token follows where they do not end with it anyway. None is cut, and
// text and such records are not mixed: kUsage.
//
// Writes train_000000.bin..., val_000000.bin... (none for a part without tokens), the tokenizer,
// report.json; of records with a completion train.spans and val.spans too, and the template. The
// files depend on the inputs and options alone: not on the number of threads, nor on interruptions.
// Memory: below 1 GiB with any input, number of threads and of documents up to 10^8.
//
// The output folder must be absent, empty, or an earlier output of prepare (its report.json is
// there), which is then replaced file by file, at the very end: when prepare fails, what was there
// is unchanged. When it is killed or interrupted, the same call goes on from its last checkpoint,
// unless an input has changed or is a pipe. Throws kUsage, kNotFound, kInvalidData ("no text found:
// 3 files, all left out: ..."), kInputOutput (also when a file changes while it is read).
PrepareReport prepare(const PrepareOptions& options, const Tokenizer& tokenizer,
                      const PrepareObserver& observer = {});

}  // namespace inkstone
