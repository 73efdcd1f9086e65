#include "corpus/prepare/corpus_text.h"

#include <algorithm>
#include <system_error>
#include <utility>

#include "corpus/read/dialogue.h"
#include "corpus/read/document_reader.h"
#include "corpus/read/list_inputs.h"

namespace inkstone {
namespace {

constexpr size_t kTextPart_bytes = size_t{64} << 10;
constexpr size_t kBatch_bytes = size_t{4} << 20;

int64_t size_of(const std::filesystem::path& path) {
  std::error_code failed;
  const auto size = std::filesystem::file_size(path, failed);
  return failed ? 0 : static_cast<int64_t>(size);
}

}  // namespace

CorpusText::CorpusText(const std::vector<std::filesystem::path>& inputs, const ReadOptions& read,
                       const CleanOptions& clean, OnLeftOut on_left_out)
    : cleaner_(clean), on_left_out_(std::move(on_left_out)) {
  std::vector<DroppedDocument> left_out;
  for (const auto& path : list_inputs(inputs, &left_out)) {
    files_.push_back({.path = path,
                      .source = path == "-" ? "standard input" : path.string(),
                      .size_bytes = size_of(path)});
    bytes_total_ += files_.back().size_bytes;
  }
  for (const DroppedDocument& dropped : left_out) on_left_out_(dropped);
  reader_.emplace(files_, read, ReadPosition{}, kBatch_bytes);
}

std::optional<std::string_view> CorpusText::next() {
  while (rest_.empty()) {
    if (!next_document()) return std::nullopt;
  }
  const std::string_view part = rest_.substr(
      0, piece_size(rest_, std::min(kTextPart_bytes, rest_.size())));
  rest_.remove_prefix(part.size());
  bytes_ += static_cast<int64_t>(part.size());
  return part;
}

// Or the next part of one that is too long to be held. False at the end.
bool CorpusText::next_document() {
  while (next_part_ == batch_.parts.size()) {
    if (!reader_->next(batch_)) return false;
    next_part_ = 0;
    bytes_read_ = batch_.bytes_read;
    for (const DroppedDocument& dropped : batch_.dropped) on_left_out_(dropped);
    for (const SourceFacts& facts : batch_.sources) {
      if (facts.tells() && sources_.size() < kToldSources) sources_.push_back(facts);
    }
  }
  clean(batch_.parts[next_part_++]);
  return true;
}

void CorpusText::clean(DocumentPart& part) {
  const bool whole = part.first && part.last;
  if (part.is_dialogue) part.text = text_of(unpack(part.text));
  const CleanResult result = whole ? cleaner_.clean(part.text, scratch_)
                                   : cleaner_.clean_piece(part.text, scratch_);
  if (!result.kept()) {
    on_left_out_({part.place.source, std::string(name(result.reason)), part.place.document});
    return;
  }
  documents_ += part.last ? 1 : 0;
  rest_ = part.text;
}

}  // namespace inkstone
