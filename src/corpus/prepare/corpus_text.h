// The documents of a corpus as `prepare` gives them to a model, in short parts.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/clean/cleaner.h"
#include "corpus/prepare/corpus_reader.h"
#include "inkstone/reading.h"

namespace inkstone {

using OnLeftOut = std::function<void(const DroppedDocument&)>;

// Reads and cleans; compares nothing, so duplicates stay. Reads ahead on a thread of its own.
class CorpusText {
 public:
  // Throws as list_inputs and Cleaner. on_left_out hears of what gives no text, here and in next().
  CorpusText(const std::vector<std::filesystem::path>& inputs, const ReadOptions& read,
             const CleanOptions& clean, OnLeftOut on_left_out);

  // The next part, of at most about 64 KiB, valid until the next call; nullopt at the end. Parts
  // end with their document, or where no vocabulary's pieces reach across (piece_size).
  std::optional<std::string_view> next();

  int64_t documents() const { return documents_; }      // of which all has been given
  int64_t bytes() const { return bytes_; }              // given so far, cleaned
  int64_t bytes_read() const { return bytes_read_; }    // of the inputs, as they lie on the disk
  int64_t bytes_total() const { return bytes_total_; }  // 0: unknown
  // Those with something to tell: the first kToldSources.
  const std::vector<SourceFacts>& sources() const { return sources_; }

 private:
  bool next_document();
  void clean(DocumentPart& part);

  Cleaner cleaner_;
  Cleaner::Scratch scratch_;
  OnLeftOut on_left_out_;
  std::vector<CorpusFile> files_;
  std::vector<SourceFacts> sources_;
  std::optional<CorpusReader> reader_;
  DocumentBatch batch_;
  size_t next_part_ = 0;   // of the batch
  std::string_view rest_;  // of the part before that
  int64_t documents_ = 0, bytes_ = 0, bytes_read_ = 0, bytes_total_ = 0;
};

}  // namespace inkstone
