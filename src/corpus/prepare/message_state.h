// Messages in the state of an unfinished prepare, which may be gone on with in another process.
#pragma once

#include <nlohmann/json.hpp>

#include <string>
#include <utility>

#include "base/json.h"
#include "inkstone/message.h"

namespace inkstone {

// In English and as it was shown: the language of the process that began.
inline Json state_of(const Message& m) { return {{"english", m.english()}, {"shown", m.shown()}}; }

inline Message message_of(const Json& state) {
  std::string english = required(get_string(state, "english"), "english"),
              shown = required(get_string(state, "shown"), "shown");
  if (shown == english) return Message(std::move(english));  // the catalogue may have it now
  return Message(std::move(english), std::move(shown));
}

}  // namespace inkstone
