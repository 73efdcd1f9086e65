// The bytes of every token, and the token of given bytes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// Ids are 0 .. size() - 1. An id that no token has (a gap in the file) has no bytes.
class Vocabulary {
 public:
  // tokens[id] are the bytes. Of several ids with the same bytes find() gives the lowest.
  explicit Vocabulary(const std::vector<std::string>& tokens);

  int64_t size() const { return static_cast<int64_t>(begins_.size()) - 1; }
  bool contains(TokenId id) const { return id >= 0 && id < size(); }

  // contains(id) holds. Valid as long as the vocabulary lives and is not moved.
  std::string_view bytes(TokenId id) const {
    const size_t at = static_cast<size_t>(id);
    return std::string_view(bytes_).substr(begins_[at], begins_[at + 1] - begins_[at]);
  }

  std::optional<TokenId> find(std::string_view bytes) const;

 private:
  size_t slot_of(std::string_view bytes) const;

  std::string bytes_;           // of all tokens, one after the other
  std::vector<size_t> begins_;  // size() + 1 places in bytes_
  std::vector<TokenId> slots_;  // hash table, open addressing; -1 is empty
};

}  // namespace inkstone
