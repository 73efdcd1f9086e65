// Text that is read whole and of which nothing is left out: texts to score and to encode, prompts.
//
// Bytes become text as `prepare` makes text of them: the encoding is given, told by a byte order
// mark or detected; compressed files and archives are opened; invalid sequences become U+FFFD, line
// ends "\n", control characters go (clean_characters). But no document is filtered, blank ones
// stay, and nothing is compared. A command that wants the bytes of a file themselves says so by an
// option
// (--raw), and reads them with read_input.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "corpus/read/document_source.h"
#include "corpus/read/list_inputs.h"

namespace inkstone {

// What a user should hear of an input that was read.
struct ReadNotes {
  std::vector<DroppedDocument> left_out;  // records that give no text, with their line and reason
  std::vector<SourceFacts> sources;       // the input, or the members of an archive
};

struct ReadDocuments {
  std::vector<std::string> documents;  // UTF-8; text of white space alone too
  ReadNotes notes;
};

// The documents of a file, or of standard input ("-"), in pieces, in order. A text is divided at
// lines that are exactly "<|endoftext|>"; piece.marked says that such a line follows. Pieces are
// cut as DocumentReader cuts them, so that encoding them one by one changes no id. An empty file
// has no pieces. Throws kNotFound, kInputOutput, kInvalidData for what is no text ("reading
// 'a.pdf': PDF; convert it to text first") or ends damaged, kUsage for an unknown encoding;
// whatever on_piece throws passes.
ReadNotes read_pieces(const std::filesystem::path& path, const ReadOptions& options,
                      const std::function<void(const DocumentPiece&)>& on_piece);

// The same in whole documents. Throws as read_pieces.
ReadDocuments read_documents(const std::filesystem::path& path, const ReadOptions& options = {});

// The whole of a plain text in one string, whatever its file's name: lines "<|endoftext|>" stay
// what they are. Throws as read_pieces.
// `notes`, if given, is filled.
std::string read_text(const std::filesystem::path& path, const std::string& encoding = "",
                      ReadNotes* notes = nullptr);

}  // namespace inkstone
