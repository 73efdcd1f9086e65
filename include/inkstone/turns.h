// Conversations as tokens: what stands around the turns of a conversation, and which of their
// tokens are trained.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "inkstone/tokenizer.h"

namespace inkstone {

// The role whose turns a model learns to write.
inline constexpr std::string_view kAssistant = "assistant";
// The role that asks.
inline constexpr std::string_view kUser = "user";

struct Turn {
  std::string role, content;

  bool operator==(const Turn&) const = default;
};

// How the turns of a conversation become a text. A turn of a role is
//   before + content + after,
// and the assistant's is
//   before + content + end mark + after,
// where the end mark is the tokenizer's end_of_text(): it is always there, and always one token.
// `begin` stands before everything. The texts of special tokens are those tokens in `begin`,
// `before` and `after`, and nothing but text in a content.
//
// File (docs/formats.md):
//   {"version": 1, "begin": "",
//    "roles": {"system":    {"before": "System:\n",    "after": "\n\n"},
//              "user":      {"before": "User:\n",      "after": "\n\n"},
//              "assistant": {"before": "Assistant:\n", "after": ""}}}
struct TurnTemplate {
  struct Role {
    std::string name, before, after;

    bool operator==(const Role&) const = default;
  };
  std::string begin;
  std::vector<Role> roles;  // kAssistant and kUser are among them

  bool operator==(const TurnTemplate&) const = default;

  // nullptr: a turn of this role has no place.
  const Role* find(std::string_view role) const;
  std::vector<std::string> role_names() const;
};

// Throws kInvalidData on what is no such template: "'roles' has no 'assistant'".
TurnTemplate parse_turn_template(std::string_view json);
std::string to_json_text(const TurnTemplate& turns);

// The templates that need no file.
//   "turns": the one above
//   "plain": nothing but the contents and the end marks: a prompt and its completion, joined as
//            they stand
std::vector<std::string> turn_template_names();
// By one of these names, else from a file. Throws kNotFound, kInvalidData.
TurnTemplate load_turn_template(const std::string& name_or_file);

// The same as a Jinja template: Transformers' apply_chat_template gives the ids of TurnEncoder, of
// contents without the texts of special tokens. The assistant's content and its end mark stand in
// {% generation %}, so that its masks are those of TurnEncoder too.
std::string jinja_of(const TurnTemplate& turns);

// Tokens [begin, end).
struct TokenSpan {
  int64_t begin = 0, end = 0;

  bool operator==(const TokenSpan&) const = default;
};

struct EncodedTurns {
  std::vector<TokenId> ids;
  // What is trained: of each turn of the assistant that has a content, the content and the end
  // mark. Ascending, none empty.
  std::vector<TokenSpan> trained;
  // Turns whose content shares a token with what stands before it: such a token is the content's.
  int64_t shared_tokens = 0;
};

// Encodes conversations. What stands between two special tokens is encoded as one text, across the
// borders of turns; the trained part begins where the ids of the text before it and those of the
// whole begin to differ (the rule of TRL 1.16: their common prefix). One thread's.
class TurnEncoder {
 public:
  // Throws kUsage when the tokenizer has no end mark: nothing would tell a model to stop.
  TurnEncoder(Tokenizer tokenizer, TurnTemplate turns);
  ~TurnEncoder();
  TurnEncoder(TurnEncoder&&) noexcept;

  // Throws kInvalidData on a role that the template lacks.
  EncodedTurns encode(std::span<const Turn> turns);

  // The conversation and what stands before the next turn of the assistant: what a model is to go
  // on with (apply_chat_template's add_generation_prompt).
  std::vector<TokenId> encode_prompt(std::span<const Turn> turns);

  const TurnTemplate& turns() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace inkstone
