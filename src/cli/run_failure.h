// Why a run of a sweep was left out, as sweep.json keeps it and as people are told.
#pragma once

#include <string>

#include "base/json.h"

namespace inkstone::cli {

struct RunFailure {
  enum class Kind {
    kExit,    // `number` is its exit status, `text` its last words
    kSignal,  // signal `number` ended it
    kEarly,   // it ended well, but before it came to where it was sent
    kText,    // `text` says it all: what earlier versions wrote
  };
  Kind kind = Kind::kText;
  int number = 0;
  std::string text = {};  // in English

  bool operator==(const RunFailure&) const = default;
};

Message message_of(const RunFailure& failure);

Json to_json(const RunFailure& failure);
// Throws kInvalidData naming the key.
RunFailure run_failure_from_json(const Json& json);

}  // namespace inkstone::cli
