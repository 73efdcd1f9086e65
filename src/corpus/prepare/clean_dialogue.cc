#include "corpus/prepare/clean_dialogue.h"

namespace inkstone {
namespace {

void add(const CharacterCounts& more, CharacterCounts& counts) {
  counts.invalid_sequences += more.invalid_sequences;
  counts.line_ends += more.line_ends;
  counts.control_characters += more.control_characters;
}

}  // namespace

CleanResult clean_dialogue(const Cleaner& cleaner, std::string& packed, Cleaner::Scratch& scratch) {
  Dialogue dialogue = unpack(packed);
  CleanResult result;
  if (cleaner.needs_whole_documents()) {
    std::string text = text_of(dialogue);
    result.reason = cleaner.clean(text, scratch).reason;
  }
  for (Turn& turn : dialogue.turns)
    add(cleaner.clean_piece(turn.content, scratch).characters, result.characters);
  if (result.kept() && !why_not_trained(dialogue).empty()) result.reason = DropReason::kBlank;
  packed = pack(dialogue);
  return result;
}

}  // namespace inkstone
