// Ids of tokens by their texts.
#pragma once

#include <bit>
#include <cstdint>
#include <optional>
#include <string_view>
#include <vector>

#include "base/hash.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// Open addressing, at most half full. A slot keeps a part of the hash besides, so that other texts
// are seldom looked at.
class TextIndex {
 public:
  // Room for `capacity` texts. `texts[id]` is the text of an id that was inserted; it must outlive
  // the index.
  TextIndex(size_t capacity, const std::vector<std::string_view>& texts)
      : slots_(std::bit_ceil(2 * capacity + 2)), texts_(&texts) {}

  std::optional<TokenId> find(std::string_view text) const {
    const Slot& slot = slots_[slot_of(text, hash64(text))];
    return slot.id < 0 ? std::nullopt : std::optional(slot.id);
  }

  // The id that has this text already, else `id`, which has it from now on: then texts[id] must
  // be `text` before the next call.
  TokenId insert(std::string_view text, TokenId id) {
    const uint64_t hash = hash64(text);
    Slot& slot = slots_[slot_of(text, hash)];
    if (slot.id < 0) slot = {static_cast<uint32_t>(hash >> 32), id};
    return slot.id;
  }

 private:
  struct Slot {
    uint32_t tag = 0;
    TokenId id = -1;
  };

  // The slot that holds the text, else the empty one where it belongs.
  size_t slot_of(std::string_view text, uint64_t hash) const {
    const size_t mask = slots_.size() - 1;
    const auto tag = static_cast<uint32_t>(hash >> 32);
    size_t at = static_cast<size_t>(hash) & mask;
    while (slots_[at].id >= 0 &&
           (slots_[at].tag != tag || (*texts_)[static_cast<size_t>(slots_[at].id)] != text)) {
      at = (at + 1) & mask;
    }
    return at;
  }

  std::vector<Slot> slots_;
  const std::vector<std::string_view>* texts_;
};

}  // namespace inkstone
