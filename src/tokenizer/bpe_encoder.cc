#include "tokenizer/bpe_encoder.h"

#include <bit>
#include <cstring>

namespace inkstone {

static_assert(std::endian::native == std::endian::little,
              "WholePieces keys are read as little-endian words");

WholePieces::WholePieces(size_t capacity) : slots_(std::bit_ceil(2 * capacity + 2)) {}

WholePieces::Key WholePieces::make_key(std::string_view piece, size_t readable_bytes) {
  Key key;
  const size_t size = piece.size();
  if (readable_bytes >= 16) {
    std::memcpy(&key, piece.data(), 16);
    if (size < 8) {
      key.low &= (uint64_t{1} << (8 * size)) - 1;
      key.high = 0;
    } else {
      key.high &= (uint64_t{1} << (8 * (size - 8))) - 1;
    }
  } else {
    std::memcpy(&key, piece.data(), size);
  }
  key.high |= uint64_t{size} << 56;
  return key;
}

size_t WholePieces::slot_of(const Key& key) const {
  uint64_t h = (key.low ^ std::rotl(key.high, 23)) * uint64_t{0x9E3779B97F4A7C15};
  h = (h ^ (h >> 32) ^ key.high) * uint64_t{0xD6E8FEB86659FD93};
  const size_t mask = slots_.size() - 1;
  size_t at = static_cast<size_t>(h >> 32) & mask;
  while (slots_[at].key != key && slots_[at].id >= 0) at = (at + 1) & mask;
  return at;
}

void WholePieces::insert(std::string_view piece, TokenId id) {
  const Key key = make_key(piece, piece.size());
  slots_[slot_of(key)] = {key, id};
}

TokenId WholePieces::find(std::string_view piece, size_t readable_bytes) const {
  return slots_[slot_of(make_key(piece, readable_bytes))].id;
}

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, const std::vector<bool>& is_ordinary,
                       Parts parts)
    : vocabulary_(vocabulary),
      bpe_(parts.byte_tokens, std::move(parts.merges)),
      whole_pieces_(static_cast<size_t>(vocabulary.size())),
      ignore_merges_(parts.ignore_merges) {
  find_whole_pieces(is_ordinary);
}

// A token may stand for its piece without merging only if merging gives it: in GPT-2's vocabulary
// all do, in others a merge may be out of reach of its own bytes.
void BpeEncoder::find_whole_pieces(const std::vector<bool>& is_ordinary) {
  BpeModel::Workspace workspace;
  std::vector<TokenId> scratch;
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    const std::string_view bytes = vocabulary_.bytes(id);
    if (bytes.empty() || bytes.size() > WholePieces::kMaxSize_bytes) continue;
    if (!is_ordinary[static_cast<size_t>(id)]) continue;
    if (ignore_merges_ || merges_give(id, workspace, scratch)) whole_pieces_.insert(bytes, id);
  }
}

bool BpeEncoder::merges_give(TokenId id, BpeModel::Workspace& workspace,
                             std::vector<TokenId>& scratch) const {
  scratch.clear();
  bpe_.encode(vocabulary_.bytes(id), workspace, scratch);
  return scratch.size() == 1 && scratch[0] == id;
}

void BpeEncoder::encode(std::string_view text, std::vector<TokenId>& out) const {
  BpeModel::Workspace workspace;
  for (size_t at = 0, end = 0; at < text.size(); at = end) {
    end = pre_tokenizer_.piece_end(text, at);
    const std::string_view piece = text.substr(at, end - at);
    TokenId whole = -1;
    if (piece.size() <= WholePieces::kMaxSize_bytes) {
      whole = whole_pieces_.find(piece, text.size() - at);
    } else if (ignore_merges_) {
      whole = vocabulary_.find(piece).value_or(-1);
    }
    if (whole >= 0) {
      out.push_back(whole);
    } else {
      bpe_.encode(piece, workspace, out);
    }
  }
}

}  // namespace inkstone
