// Which tokens of the documents of a split are trained: <split>.spans, beside its shards. Layout:
// docs/formats.md.
//
//   "INKSPANS", uint32 version 1, uint32 0, uint64 documents, uint64 spans, uint64 tokens,
//   then of each document uint32 tokens, uint32 spans, and of each span uint32 begin, uint32 end,
// little-endian. Spans count from the document's first token, ascend, are apart and not empty. What
// stands before the first is the prompt.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/file.h"

namespace inkstone {

// Tokens [begin, end) of a document.
struct TrainedSpan {
  uint32_t begin = 0, end = 0;

  bool operator==(const TrainedSpan&) const = default;
};

// Of all documents, in the order of the shards.
class TrainedSpans {
 public:
  // Throws kInvalidData on any bytes that are no such file.
  static TrainedSpans parse(std::string_view file_bytes);

  int64_t documents() const { return static_cast<int64_t>(begins_.size()) - 1; }
  // First token of document i in the stream; of i = documents() the number of all tokens.
  int64_t begin(int64_t i) const { return begins_[static_cast<size_t>(i)]; }
  int64_t tokens(int64_t i) const { return begin(i + 1) - begin(i); }
  // Of document i, counted from its first token.
  std::span<const TrainedSpan> spans(int64_t i) const {
    const size_t first = first_span_[static_cast<size_t>(i)];
    return std::span(spans_).subspan(first, first_span_[static_cast<size_t>(i) + 1] - first);
  }
  int64_t trained_tokens() const;

 private:
  TrainedSpans() = default;

  std::vector<int64_t> begins_ = {0};
  std::vector<size_t> first_span_ = {0};
  std::vector<TrainedSpan> spans_;
};

// How far such a file is written.
struct SpansPlace {
  int64_t documents = 0, spans = 0, tokens = 0, trained_tokens = 0;
};

// Appends documents to such a file; whole or absent (AtomicFile), and gone on with like a shard.
class TrainedSpansWriter {
 public:
  // from: what an earlier writer of the same file had written, to go on from there.
  explicit TrainedSpansWriter(const std::filesystem::path& path, const SpansPlace& from = {});

  // Of a document of `tokens` tokens; spans as above.
  void write(int64_t tokens, std::span<const TrainedSpan> spans);
  const SpansPlace& place() const { return place_; }
  // What has been written survives a power cut.
  void sync() { file_.sync(); }
  void commit();

 private:
  AtomicFile file_;
  SpansPlace place_;
};

}  // namespace inkstone
