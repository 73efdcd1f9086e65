// The documents of one text, read in bounded memory: the one place that knows where a document
// begins and ends.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "corpus/read/byte_source.h"

namespace inkstone {

// A document, or a part of a long one.
struct DocumentPiece {
  std::string_view text;  // valid until the next call of next()
  bool first = false;     // the document begins here
  bool last = false;      // and ends here
  bool marked = false;    // at a separator, not at the end of the text
  // Whole, and a packed conversation (dialogue.h), not text.
  bool is_dialogue = false;
};

// What becomes of documents that are nothing but ASCII white space.
enum class BlankDocuments { kLeaveOut, kKeep };

// Cuts a text into documents at lines that are exactly "<|endoftext|>" (lines end as in
// line_stream.h, or with the text), and documents longer than `piece_bytes` into pieces of about
// that size. Such a line belongs to no document; all else is kept byte for byte.
// BlankDocuments::kKeep gives every document that a separator ends, the empty ones too.
//
// A cut never changes the ids: encoding the pieces one by one gives what encoding the document
// gives. It stands before an ASCII white space character whose predecessor is no white space.
// GPT-2's pre-tokenizer always begins a piece there (only a white space piece, or one with a
// leading space, holds such a character, and then as its first); its matches look at nothing before
// their start, and the match that ends at the cut looks at nothing behind it (only \s+(?!\S) looks
// ahead, and it ends in white space). Vocabularies of characters and of bytes have no context at
// all. A text without such a place is held in memory as a whole; only after 64 MiB of it is it cut
// all the same, between two characters, which may change an id there.
class DocumentReader {
 public:
  static constexpr size_t kPiece_bytes = size_t{1} << 20;
  static constexpr size_t kLongestPiece_bytes = size_t{64} << 20;

  explicit DocumentReader(ReadBytes read, size_t piece_bytes = kPiece_bytes,
                          BlankDocuments blank = BlankDocuments::kLeaveOut);

  // The next piece of a document; false at the end.
  bool next(DocumentPiece& piece);

  int64_t blank_documents() const { return blank_documents_; }  // left out so far
  int64_t bytes_read() const { return bytes_read_; }

 private:
  struct Separator {
    size_t begin, end;
  };

  bool next_piece(DocumentPiece& piece);
  std::optional<Separator> find_separator();
  std::optional<size_t> find_cut(size_t limit);
  size_t forced_cut() const;
  DocumentPiece take(size_t end, bool last, bool marked);
  void refill();

  ReadBytes read_;
  size_t piece_bytes_;
  BlankDocuments blank_;
  std::string buffer_;
  size_t begin_ = 0;     // of what has not been returned
  size_t searched_ = 0;  // no separator begins before here
  size_t no_cut_ = 0;    // there is no cut in [begin_, no_cut_)
  bool document_start_ = true;
  bool end_ = false;  // nothing more to read
  int64_t blank_documents_ = 0;
  int64_t bytes_read_ = 0;
};

// How much of `text`, a document or the rest of one, the next piece of about `piece_bytes` is: cuts
// stand as above.
size_t piece_size(std::string_view text, size_t piece_bytes = DocumentReader::kPiece_bytes);

// True if there is nothing but ASCII white space.
bool is_blank(std::string_view text);

}  // namespace inkstone
