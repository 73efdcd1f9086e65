#include "corpus/read/read_text.h"

#include <memory>
#include <utility>

#include "base/error.h"
#include "corpus/clean/characters.h"
#include "corpus/read/byte_source.h"
#include "inkstone/tokenizer.h"

namespace inkstone {
namespace {

// The passes over a piece stay in the cache of a core.
constexpr size_t kPiece_bytes = size_t{128} << 10;

// Opened at once, so that a missing file is told from one that holds no text.
ReadBytes open_bytes(const std::filesystem::path& path) {
  auto source = std::make_shared<ByteSource>(path);
  return [source](char* out, size_t size_bytes) { return source->read_some(out, size_bytes); };
}

}  // namespace

ReadNotes read_pieces(const std::filesystem::path& path, const ReadOptions& options,
                      const std::function<void(const DocumentPiece&)>& on_piece) {
  const std::string name = path == "-" ? "standard input" : path.string();
  ReadNotes notes;
  Message why_not;  // the input as a whole
  const auto on_dropped = [&](const SourcePlace& place, const Message& reason) {
    if (place.document == 0 && place.source == name) {
      if (reason != "empty") why_not = reason;
    } else {
      notes.left_out.push_back({place.source, reason, place.document});
    }
  };
  const auto on_source = [&](const SourceFacts& facts) { notes.sources.push_back(facts); };
  const Message shown_name = path == "-" ? Message(marked("standard input")) : Message(name, name);
  with_context(message("reading '{}'", shown_name), [&] {
    const auto source = open_source(name, open_bytes(path), options,
                                    {.on_dropped = on_dropped,
                                     .on_source = on_source,
                                     .blank = BlankDocuments::kKeep,
                                     .piece_bytes = kPiece_bytes});
    std::string text, spare;
    CharacterCounts counts;
    for (DocumentPiece piece; source->next(piece);) {
      if (find_unclean_character(piece.text) < piece.text.size()) {
        text = piece.text;
        clean_characters(text, spare, {}, counts);
        piece.text = text;
      }
      on_piece(piece);
    }
    if (!why_not.empty()) throw Error(ErrorCode::kInvalidData, why_not);
  });
  return notes;
}

ReadDocuments read_documents(const std::filesystem::path& path, const ReadOptions& options) {
  ReadDocuments read;
  read.notes = read_pieces(path, options, [&](const DocumentPiece& piece) {
    if (piece.first) read.documents.emplace_back();
    read.documents.back() += piece.text;
  });
  return read;
}

std::string read_text(const std::filesystem::path& path, const std::string& encoding,
                      ReadNotes* notes) {
  std::string text;
  ReadOptions options;
  options.format = InputFormat::kText;
  options.encoding = encoding;
  ReadNotes found = read_pieces(path, options, [&](const DocumentPiece& piece) {
    text += piece.text;
    if (piece.marked) text.append(kEndOfText) += '\n';
  });
  if (notes != nullptr) *notes = std::move(found);
  return text;
}

}  // namespace inkstone
