#include "cli/run_failure.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/message.h"

namespace inkstone::cli {
namespace {

constexpr int kMostNumber = 255;  // of an exit status, and more than of a signal

}  // namespace

Message message_of(const RunFailure& failure) {
  switch (failure.kind) {
    case RunFailure::Kind::kExit:
      return failure.text.empty() ? message("exit status {}", failure.number)
                                  : message("exit status {}: {}", failure.number, failure.text);
    case RunFailure::Kind::kSignal: return message("ended by signal {}", failure.number);
    case RunFailure::Kind::kEarly: return message("it ended before its time");
    case RunFailure::Kind::kText: return Message(failure.text);
  }
  return {};
}

Json to_json(const RunFailure& failure) {
  switch (failure.kind) {
    case RunFailure::Kind::kExit: return {{"exit_status", failure.number}, {"said", failure.text}};
    case RunFailure::Kind::kSignal: return {{"signal", failure.number}};
    case RunFailure::Kind::kEarly: return Json::object();
    case RunFailure::Kind::kText: return failure.text;
  }
  return {};
}

RunFailure run_failure_from_json(const Json& json) {
  using Kind = RunFailure::Kind;
  if (json.is_string()) return {.kind = Kind::kText, .text = json.get<std::string>()};
  if (!json.is_object())
    fail(ErrorCode::kInvalidData, "a failure is {}, expected an object", json_kind(json));
  if (const auto signal = get_integer(json, "signal", 1, kMostNumber))
    return {.kind = Kind::kSignal, .number = static_cast<int>(*signal)};
  if (const auto status = get_integer(json, "exit_status", 1, kMostNumber)) {
    return {.kind = Kind::kExit,
            .number = static_cast<int>(*status),
            .text = get_string(json, "said").value_or("")};
  }
  return {.kind = Kind::kEarly};
}

}  // namespace inkstone::cli
