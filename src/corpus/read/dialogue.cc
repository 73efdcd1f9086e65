#include "corpus/read/dialogue.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/check.h"
#include "base/message.h"

namespace inkstone {
namespace {

bool is_white_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r'; }

void append(std::string& out, std::string_view text) {
  const uint64_t size_bytes = text.size();
  out.append(reinterpret_cast<const char*>(&size_bytes), sizeof(size_bytes));
  out.append(text);
}

std::string_view take(std::string_view& rest) {
  uint64_t size_bytes = 0;
  INK_CHECK(rest.size() >= sizeof(size_bytes), "a conversation is cut");
  std::memcpy(&size_bytes, rest.data(), sizeof(size_bytes));
  rest.remove_prefix(sizeof(size_bytes));
  INK_CHECK(rest.size() >= size_bytes, "a conversation is cut");
  const std::string_view text = rest.substr(0, size_bytes);
  rest.remove_prefix(size_bytes);
  return text;
}

}  // namespace

std::string_view name_of(RecordShape shape) {
  switch (shape) {
    case RecordShape::kPair: return "{prompt, completion}";
    case RecordShape::kMessages: return "{messages}";
    case RecordShape::kAlpaca: return "{instruction, input, output}";
  }
  return "";
}

bool Dialogue::is_pair_without_separator() const {
  if (shape != RecordShape::kPair) return false;
  const std::string &prompt = turns.front().content, &completion = turns.back().content;
  return !prompt.empty() && !completion.empty() && !is_white_space(prompt.back()) &&
         !is_white_space(completion.front());
}

Dialogue pair_of(std::string prompt, std::string completion) {
  return {
      RecordShape::kPair,
      {{std::string(kUser), std::move(prompt)}, {std::string(kAssistant), std::move(completion)}}};
}

Dialogue alpaca_of(std::string instruction, std::string_view input, std::string output) {
  if (!input.empty()) instruction.append("\n\n").append(input);
  return {
      RecordShape::kAlpaca,
      {{std::string(kUser), std::move(instruction)}, {std::string(kAssistant), std::move(output)}}};
}

Message why_not_trained(const Dialogue& dialogue) {
  const auto is_answer = [](const Turn& turn) { return turn.role == kAssistant; };
  const auto& turns = dialogue.turns;
  if (std::none_of(turns.begin(), turns.end(), is_answer))
    return marked("there is no turn of the assistant, so nothing to train");
  const bool trained = std::any_of(turns.begin(), turns.end(), [&](const Turn& turn) {
    return is_answer(turn) && !turn.content.empty();
  });
  return trained ? Message() : marked("the completion is empty, so there is nothing to train");
}

std::string pack(const Dialogue& dialogue) {
  std::string out(1, static_cast<char>(dialogue.shape));
  for (const Turn& turn : dialogue.turns) {
    append(out, turn.role);
    append(out, turn.content);
  }
  return out;
}

Dialogue unpack(std::string_view packed) {
  INK_CHECK(!packed.empty() && static_cast<uint8_t>(packed[0]) < kRecordShapes, "no conversation");
  Dialogue dialogue{static_cast<RecordShape>(packed[0]), {}};
  packed.remove_prefix(1);
  while (!packed.empty()) {
    Turn turn;
    turn.role = take(packed);
    turn.content = take(packed);
    dialogue.turns.push_back(std::move(turn));
  }
  return dialogue;
}

std::string text_of(const Dialogue& dialogue) {
  std::string text;
  for (const Turn& turn : dialogue.turns) {
    if (!text.empty() && !turn.content.empty()) text += "\n\n";
    text += turn.content;
  }
  return text;
}

}  // namespace inkstone
