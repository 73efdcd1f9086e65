#include "tokenizer/long_piece_encoder.h"

#include <string>

namespace inkstone {
namespace {

uint64_t key(uint32_t a, uint32_t b) { return uint64_t{a} << 32 | b; }

}  // namespace

void LongPieceEncoder::make_tables() const {
  IntegerMap<Number> numbers;  // by id
  numbers.reserve(256 + model_.merges().size());
  std::vector<std::string> bytes;
  const auto add = [&](TokenId id, Number left, Number right, std::string text) {
    numbers[static_cast<uint32_t>(id)] = static_cast<Number>(tokens_.size());
    tokens_.push_back({left, right, kNone, static_cast<uint32_t>(text.size()), id});
    bytes.push_back(std::move(text));
  };
  for (size_t b = 0; b < 256; ++b)
    add(model_.byte_tokens()[b], kNone, kNone, std::string(1, static_cast<char>(b)));
  pairs_.reserve(model_.merges().size());
  for (const Merge& merge : model_.merges()) {
    const Number left = *numbers.find(static_cast<uint32_t>(merge.left));
    const Number right = *numbers.find(static_cast<uint32_t>(merge.right));
    pairs_[key(left, right)] = static_cast<Number>(tokens_.size());
    add(merge.product, left, right, bytes[left] + bytes[right]);
  }
  token_at_.assign(1, kNone);
  for (Number token = 0; token < tokens_.size(); ++token) {
    tokens_[token].is_reachable = reaches(token);
    if (tokens_[token].is_reachable) add_to_trie(token, bytes[token]);
  }
  // Until here token_at_ holds the tokens that end at a node, and nodes come after their parents.
  for (Number token = 0; token < tokens_.size(); ++token) {
    uint32_t node = kRoot;
    Number longest = kNone;
    for (const char c : bytes[token]) {
      const uint32_t* child = children_.find(key(node, static_cast<uint8_t>(c)));
      if (child == nullptr) break;  // not reachable, so not in the trie
      node = *child;
      if (token_at_[node] == token) tokens_[token].prefix = longest;
      if (token_at_[node] != kNone) longest = token_at_[node];
    }
  }
}

void LongPieceEncoder::add_to_trie(Number token, std::string_view bytes) const {
  uint32_t node = kRoot;
  for (const char c : bytes) {
    uint32_t& child = children_[key(node, static_cast<uint8_t>(c))];
    if (child == 0) {
      child = static_cast<uint32_t>(token_at_.size());
      token_at_.push_back(kNone);
    }
    node = child;
  }
  token_at_[node] = token;
}

// BPE of a token's bytes gives the token when it gives the two parts and joins them: nothing across
// their border may come earlier.
bool LongPieceEncoder::reaches(Number token) const {
  const Token& t = tokens_[token];
  if (token < kBytes) return true;
  return tokens_[t.left].is_reachable && tokens_[t.right].is_reachable &&
         fit(t.left, t.right, token);
}

// Goes back in time: undoes the later of the two merges that made `left` and `right`, again and
// again, and looks at the pair that stood at the border until then. Of equal pairs BPE merges the
// left one first.
bool LongPieceEncoder::fit(Number left, Number right, Number limit) const {
  while (true) {
    const Number* product = pairs_.find(key(left, right));
    if (product != nullptr && *product < limit) return false;
    if (left < kBytes && right < kBytes) return true;
    if (left > right) {
      limit = left;
      left = tokens_[left].right;
    } else {
      limit = right + 1;
      right = tokens_[right].left;
    }
  }
}

LongPieceEncoder::Number LongPieceEncoder::longest_match(std::string_view text) const {
  uint32_t node = kRoot;
  Number longest = kNone;
  for (const char c : text) {
    const uint32_t* child = children_.find(key(node, static_cast<uint8_t>(c)));
    if (child == nullptr) break;
    node = *child;
    if (token_at_[node] != kNone) longest = token_at_[node];
  }
  return longest;
}

void LongPieceEncoder::encode(std::string_view piece, BpeModel::Workspace& workspace,
                              std::vector<TokenId>& out) const {
  std::call_once(made_, [this] { make_tables(); });
  std::vector<Number>& list = workspace.ranks;
  std::vector<bool>& is_open = workspace.open_ends;  // no token that ended here was taken back
  list.clear();
  is_open.assign(piece.size() + 1, true);
  Number token = longest_match(piece);
  for (size_t at = 0; at < piece.size();) {
    const size_t end = at + tokens_[token].size_bytes;
    if (is_open[end] && (list.empty() || fit(list.back(), token, kNone))) {
      list.push_back(token);
      at = end;
      token = longest_match(piece.substr(at));
    } else if (tokens_[token].prefix != kNone) {
      token = tokens_[token].prefix;
    } else {
      is_open[at] = false;
      token = list.back();
      list.pop_back();
      at -= tokens_[token].size_bytes;
    }
  }
  for (const Number number : list) out.push_back(tokens_[number].id);
}

}  // namespace inkstone
