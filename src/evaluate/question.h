// What a row of a task asks, and the requests that it makes of a model.
#pragma once

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

namespace inkstone::evaluate {

// log P(continuation | context) is asked for.
struct Request {
  std::string context;
  std::string continuation;

  bool operator==(const Request&) const = default;
};

// A row in the terms that all tasks share. Three kinds of them differ in what there are several of:
// continuations (most), contexts (winogrande, wsc273), or neither (lambada, whose last word is the
// only continuation, and wikitext, whose page is one).
struct Question {
  std::vector<std::string> contexts = {};  // one, or one per choice
  std::vector<std::string> continuations =
      {};                 // one per choice, or one; without the blank before them
  int64_t answer = 0;     // the choice that is true
  std::string part = {};  // of blimp: the paradigm
  // Of wikitext: what the log-probability of the page is divided by, counted in the page as it is.
  int64_t words = 0, bytes = 0;

  int64_t choices() const {
    return static_cast<int64_t>(std::max(contexts.size(), continuations.size()));
  }
  bool has_several_contexts() const { return contexts.size() > 1; }
  const std::string& context(int64_t choice) const {
    return contexts[has_several_contexts() ? static_cast<size_t>(choice) : 0];
  }
  const std::string& continuation(int64_t choice) const {
    return continuations[has_several_contexts() ? 0 : static_cast<size_t>(choice)];
  }
};

}  // namespace inkstone::evaluate
