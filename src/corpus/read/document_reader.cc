#include "corpus/read/document_reader.h"

#include <algorithm>
#include <utility>

#include "base/utf8.h"
#include "corpus/read/byte_source.h"
#include "corpus/read/line_stream.h"
#include "inkstone/tokenizer.h"
#include "tokenizer/pre_tokenizer.h"

namespace inkstone {
namespace {

constexpr std::string_view kWhiteSpace = " \t\n\v\f\r";
// The last cut at most `wanted` bytes into `text`, else the first one after that. There is none
// before `no_cut`.
std::optional<size_t> find_cut(std::string_view text, size_t wanted, size_t no_cut) {
  const auto is_cut = [text](size_t at) {
    return is_ascii_white_space(text[at]) && ends_in_ink(text.substr(0, at));
  };
  for (size_t at = wanted; at > no_cut; --at) {
    if (is_cut(at)) return at;
  }
  for (size_t at = std::max(wanted + 1, no_cut); at < text.size(); ++at) {
    if (is_cut(at)) return at;
  }
  return std::nullopt;
}

}  // namespace

bool is_blank(std::string_view text) {
  return text.find_first_not_of(kWhiteSpace) == std::string_view::npos;
}

size_t piece_size(std::string_view text, size_t piece_bytes) {
  if (text.size() <= piece_bytes) return text.size();
  return find_cut(text, piece_bytes, 0).value_or(text.size());
}

DocumentReader::DocumentReader(ReadBytes read, size_t piece_bytes, BlankDocuments blank)
    : read_(std::move(read)), piece_bytes_(std::max<size_t>(piece_bytes, 1)), blank_(blank) {
  refill();
}

bool DocumentReader::next(DocumentPiece& piece) {
  while (next_piece(piece)) {
    const bool whole = piece.first && piece.last;
    if (!whole || blank_ == BlankDocuments::kKeep || !is_blank(piece.text)) return true;
    if (!piece.text.empty()) ++blank_documents_;
  }
  return false;
}

// A piece of any document, an empty one too.
bool DocumentReader::next_piece(DocumentPiece& piece) {
  for (;; refill()) {
    const auto separator = find_separator();
    // All before it is the document's.
    const size_t limit = separator ? separator->begin : searched_;
    if (limit - begin_ > piece_bytes_) {
      if (const auto cut = find_cut(limit)) {
        piece = take(*cut, false, false);
        return true;
      }
    }
    if (separator) {
      piece = take(separator->begin, true, true);
      begin_ = searched_ = separator->end;
      return true;
    }
    if (end_) break;
  }
  if (begin_ == buffer_.size()) return false;
  piece = take(buffer_.size(), true, false);
  return true;
}

DocumentPiece DocumentReader::take(size_t end, bool last, bool marked) {
  const DocumentPiece piece{.text = std::string_view(buffer_).substr(begin_, end - begin_),
                            .first = document_start_,
                            .last = last,
                            .marked = marked};
  begin_ = end;
  document_start_ = last;
  return piece;
}

// A line that is exactly the mark. What follows a cut begins with white space: a mark at begin_
// stands at the start of a document. nullopt also when only more bytes can tell.
std::optional<DocumentReader::Separator> DocumentReader::find_separator() {
  const std::string_view text = buffer_;
  const size_t mark = kEndOfText.size();
  for (size_t at = text.find(kEndOfText, searched_); at != text.npos;
       at = text.find(kEndOfText, at + 1)) {
    if (at != begin_ && trailing_line_end(text.substr(0, at)) == 0) continue;
    const std::string_view rest = text.substr(at + mark, kLongestLineEnd_bytes);
    if (!end_ && rest.size() < kLongestLineEnd_bytes) {
      searched_ = at;
      return std::nullopt;
    }
    const size_t line_end = leading_line_end(rest);
    if (line_end == 0 && !rest.empty()) continue;
    searched_ = at;
    return Separator{at, at + mark + line_end};
  }
  const size_t undecided = end_ ? 0 : mark - 1;  // a mark may begin in these last bytes
  searched_ = std::max(searched_, text.size() - std::min(text.size(), undecided));
  return std::nullopt;
}

std::optional<size_t> DocumentReader::find_cut(size_t limit) {
  const std::string_view text = std::string_view(buffer_).substr(begin_, limit - begin_);
  const auto cut = inkstone::find_cut(text, piece_bytes_, no_cut_ - std::min(no_cut_, begin_));
  if (cut) return begin_ + *cut;
  no_cut_ = limit;
  if (text.size() > std::max(piece_bytes_, kLongestPiece_bytes)) return forced_cut();
  return std::nullopt;
}

// Between two characters. Not before "<", for a mark at begin_ would stand at the start of a
// document.
size_t DocumentReader::forced_cut() const {
  const std::string_view text = std::string_view(buffer_).substr(
      begin_, std::max(piece_bytes_, kLongestPiece_bytes));
  size_t size = text.size() - static_cast<size_t>(incomplete_utf8_tail(text));
  while (size > 1 && buffer_[begin_ + size] == '<') --size;
  return begin_ + size;
}

void DocumentReader::refill() {
  buffer_.erase(0, begin_);
  searched_ -= begin_;
  no_cut_ -= std::min(no_cut_, begin_);
  begin_ = 0;
  const size_t got = read_more(read_, piece_bytes_, buffer_);
  bytes_read_ += static_cast<int64_t>(got);
  end_ = got < piece_bytes_;
}

}  // namespace inkstone
