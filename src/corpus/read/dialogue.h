// Records with a part that is trained: what they are while they pass through `prepare` as
// documents.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "inkstone/message.h"
#include "inkstone/turns.h"

namespace inkstone {

// The shapes of records that are known.
enum class RecordShape : uint8_t {
  kPair,      // {"prompt": ..., "completion": ...}
  kMessages,  // {"messages": [{"role": ..., "content": ...}, ...]}
  kAlpaca,    // {"instruction": ..., "input": ..., "output": ...}
};
inline constexpr int kRecordShapes = 3;

// As people write it: "{prompt, completion}".
std::string_view name_of(RecordShape shape);

struct Dialogue {
  RecordShape shape = RecordShape::kMessages;
  std::vector<Turn> turns;

  // A pair in which neither the prompt ends nor the completion begins with white space.
  bool is_pair_without_separator() const;
};

// A pair, or Alpaca's: turns of user and assistant.
Dialogue pair_of(std::string prompt, std::string completion);
Dialogue alpaca_of(std::string instruction, std::string_view input, std::string output);

// Why nothing of it can be trained; empty when something can: a turn of the assistant with a
// content.
Message why_not_trained(const Dialogue& dialogue);

// As the bytes of one document, and back; the roles and contents may be any bytes. unpack() takes
// what pack() gave.
std::string pack(const Dialogue& dialogue);
Dialogue unpack(std::string_view packed);

// The contents alone, with an empty line between two: for what looks at text.
std::string text_of(const Dialogue& dialogue);

}  // namespace inkstone
