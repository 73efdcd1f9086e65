#include "tokenizer/bpe_encoder.h"

#include <array>
#include <bit>
#include <cstring>
#include <functional>
#include <utility>

namespace inkstone {

BpeEncoder::BpeEncoder(const Vocabulary& vocabulary, const std::vector<bool>& is_ordinary,
                       Parts parts)
    : vocabulary_(vocabulary),
      pre_tokenizer_(std::move(parts.pre_tokenizer)),
      bpe_(parts.byte_tokens, std::move(parts.merges)),
      is_ordinary_(is_ordinary),
      ignore_merges_(parts.ignore_merges) {}

// Making them takes as long as merging this much text piece by piece; a command that encodes a
// prompt does without.
const WholePieces* BpeEncoder::whole_pieces(size_t text_bytes) const {
  constexpr size_t kWorth_bytes = size_t{128} << 10;
  if (seen_bytes_.load(std::memory_order_relaxed) < kWorth_bytes &&
      seen_bytes_.fetch_add(text_bytes, std::memory_order_relaxed) + text_bytes < kWorth_bytes) {
    return nullptr;
  }
  std::call_once(whole_pieces_made_, [this] { whole_pieces_ = find_whole_pieces(); });
  return &*whole_pieces_;
}

// A token may stand for its piece without merging only if merging gives it: in GPT-2's vocabulary
// all do, in others a merge may be out of reach of its own bytes.
WholePieces BpeEncoder::find_whole_pieces() const {
  WholePieces pieces(static_cast<size_t>(vocabulary_.size()));
  BpeModel::Workspace workspace;
  std::vector<TokenId> scratch;
  for (TokenId id = 0; id < vocabulary_.size(); ++id) {
    const std::string_view bytes = vocabulary_.bytes(id);
    if (bytes.empty() || bytes.size() > PieceKey::kMaxSize_bytes) continue;
    if (!is_ordinary_[static_cast<size_t>(id)]) continue;
    if (ignore_merges_ || merges_give(id, workspace, scratch)) {
      pieces.insert(PieceKey::of(bytes, bytes.size()), id);
    }
  }
  return pieces;
}

bool BpeEncoder::merges_give(TokenId id, BpeModel::Workspace& workspace,
                             std::vector<TokenId>& scratch) const {
  scratch.clear();
  bpe_.encode(vocabulary_.bytes(id), workspace, scratch);
  return scratch.size() == 1 && scratch[0] == id;
}

void BpeEncoder::encode(std::string_view text, EncodeScratch& scratch,
                        std::vector<TokenId>& out) const {
  const WholePieces* whole = whole_pieces(text.size());
  const auto take = [&](size_t begin, std::span<const size_t> ends) {
    if (whole == nullptr) return encode_each(text, begin, ends, scratch, out);
    encode_pieces(*whole, text, begin, ends, scratch, out);
  };
  pre_tokenizer_->split(text, std::ref(take));  // a reference: nothing is allocated for it
}

void BpeEncoder::encode_each(std::string_view text, size_t begin, std::span<const size_t> ends,
                             EncodeScratch& scratch, std::vector<TokenId>& out) const {
  for (const size_t end : ends) {
    encode_long(text.substr(begin, end - begin), scratch, out);
    begin = end;
  }
}

// The table of whole pieces is larger than the fast caches: all of a batch is asked for before the
// first is needed.
void BpeEncoder::encode_pieces(const WholePieces& whole_pieces, std::string_view text, size_t begin,
                               std::span<const size_t> ends, EncodeScratch& scratch,
                               std::vector<TokenId>& out) const {
  std::array<PieceKey, PreTokenizer::kMaxBatch> keys;
  std::array<uint64_t, PreTokenizer::kMaxBatch> hashes;
  std::array<TokenId, PreTokenizer::kMaxBatch> whole;
  const auto piece_at = [&](size_t i) {
    const size_t at = i == 0 ? begin : ends[i - 1];
    return std::string_view(text.data() + at, ends[i] - at);
  };
  for (size_t i = 0; i < ends.size(); ++i) {
    const std::string_view piece = piece_at(i);
    if (piece.size() > PieceKey::kMaxSize_bytes) continue;
    keys[i] = PieceKey::of(piece, static_cast<size_t>(text.data() + text.size() - piece.data()));
    hashes[i] = keys[i].hash();
    whole_pieces.prefetch(hashes[i]);
  }
  std::array<uint8_t, PreTokenizer::kMaxBatch> others;  // the pieces that are no token
  size_t other_count = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    const bool is_short = piece_at(i).size() <= PieceKey::kMaxSize_bytes;
    whole[i] = is_short ? whole_pieces.find(keys[i], hashes[i]) : TokenId{-1};
    if (whole[i] >= 0) continue;
    others[other_count++] = static_cast<uint8_t>(i);
    if (is_short) scratch.memo.prefetch(hashes[i]);
  }
  size_t copied = 0;  // into `out`
  for (const size_t i : std::span(others).first(other_count)) {
    const std::string_view piece = piece_at(i);
    out.insert(out.end(), whole.begin() + copied, whole.begin() + i);
    copied = i + 1;
    if (piece.size() <= PieceKey::kMaxSize_bytes) {
      encode_short(piece, keys[i], hashes[i], scratch, out);
    } else {
      encode_long(piece, scratch, out);
    }
  }
  out.insert(out.end(), whole.begin() + copied, whole.begin() + ends.size());
}

void BpeEncoder::encode_short(std::string_view piece, const PieceKey& key, uint64_t hash,
                              EncodeScratch& scratch, std::vector<TokenId>& out) const {
  if (piece.size() <= 3) return bpe_.encode(piece, scratch, out);  // quicker than remembering
  if (const auto known = scratch.memo.find(key, hash); !known.empty()) {
    out.insert(out.end(), known.begin(), known.end());
    return;
  }
  const size_t begin = out.size();
  bpe_.encode(piece, scratch, out);
  if (scratch.uses_memo) scratch.memo.insert(key, hash, std::span(out).subspan(begin));
}

void BpeEncoder::encode_long(std::string_view piece, EncodeScratch& scratch,
                             std::vector<TokenId>& out) const {
  if (ignore_merges_) {
    const auto whole = vocabulary_.find(piece);
    if (whole && is_ordinary_[static_cast<size_t>(*whole)]) return out.push_back(*whole);
  }
  bpe_.encode(piece, scratch, out);
}

}  // namespace inkstone
