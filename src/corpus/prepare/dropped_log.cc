#include "corpus/prepare/dropped_log.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "corpus/prepare/message_state.h"

namespace inkstone {
namespace {

constexpr size_t kFileBlock_bytes = size_t{1} << 20;
constexpr int64_t kNamedFiles = 10;

// "line 17: no field 'text'" is one of many.
Message group_of(const Message& reason) {
  constexpr std::string_view kWord = "line ";
  const std::string& text = reason.english();
  if (!text.starts_with(kWord)) return reason;
  int64_t line = 0;
  std::from_chars(text.data() + kWord.size(), text.data() + text.size(), line);
  const Message place = message("line {}: {}", line, "");
  if (!text.starts_with(place.english())) return reason;
  const std::string shown = reason.shown(), shown_place = place.shown();
  return {text.substr(place.english().size()),
          shown.starts_with(shown_place) ? shown.substr(shown_place.size()) : shown};
}

}  // namespace

Json to_json(const DroppedDocument& dropped) {
  Json json = {{"source", dropped.source}};
  if (dropped.document > 0) json["document"] = dropped.document;
  json["reason"] = dropped.reason.english();
  return json;
}

DroppedLog::DroppedLog(std::filesystem::path file, const Json& state) {
  if (!state.is_null()) {
    count_ = count_in(state, "count");
    file_bytes_ = static_cast<uint64_t>(count_in(state, "file_bytes"));
    for (const Json& counts : state.at("reasons")) {
      reasons_[message_of(counts.at("reason"))] = {count_in(counts, "documents"),
                                                   count_in(counts, "bytes")};
    }
    for (const Json& example : state.at("examples")) {
      examples_.push_back({required(get_string(example, "source"), "source"),
                           message_of(example.at("reason")), count_in(example, "document")});
    }
  }
  if (!file.empty()) file_.emplace(std::move(file), file_bytes_);
}

void DroppedLog::add(const DroppedDocument& dropped, int64_t bytes) {
  Message group = group_of(dropped.reason);
  if (!reasons_.contains(group) && reasons_.size() >= kReasons) group = marked("other reasons");
  DroppedCount& counts = reasons_[group];
  if (counts.documents < kExamples) examples_.push_back(dropped);
  ++counts.documents;
  counts.bytes += bytes;
  ++count_;
  if (!file_) return;
  waiting_ += to_json(dropped).dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  if (waiting_.size() < kFileBlock_bytes) return;
  file_bytes_ += waiting_.size();
  file_->write(std::exchange(waiting_, {}));
}

Json DroppedLog::state() {
  if (file_) {
    file_bytes_ += waiting_.size();
    file_->write(std::exchange(waiting_, {}));
    file_->sync();
  }
  Json reasons = Json::array(), examples = Json::array();
  for (const auto& [reason, counts] : reasons_) {
    reasons.push_back(
        {{"reason", state_of(reason)}, {"documents", counts.documents}, {"bytes", counts.bytes}});
  }
  for (const DroppedDocument& example : examples_) {
    examples.push_back({{"source", example.source},
                        {"reason", state_of(example.reason)},
                        {"document", example.document}});
  }
  return {
      {"count", count_}, {"file_bytes", file_bytes_}, {"reasons", reasons}, {"examples", examples}};
}

void DroppedLog::commit() {
  if (!file_) return;
  file_->write(std::exchange(waiting_, {}));
  file_->commit();
}

void fail_without_text(const std::vector<std::filesystem::path>& inputs, const DroppedLog& log) {
  if (log.count() == 0) {
    std::vector<std::string> names;
    for (const auto& input : inputs) names.push_back(fmt::format("'{}'", input.string()));
    fail(ErrorCode::kInvalidData, "no text found: there is no file in {}", fmt::join(names, ", "));
  }
  Message named;
  int64_t more = log.count();
  for (const DroppedDocument& d : log.examples()) {
    if (log.count() - more == kNamedFiles) break;
    --more;
    const Message one = message("'{}' ({})", d.source, d.reason);
    named = named.empty() ? one : message("{}, {}", named, one);
  }
  if (more > 0) {
    fail(ErrorCode::kInvalidData, "no text found: all was left out: {} and {} more", named, more);
  }
  fail(ErrorCode::kInvalidData, "no text found: all was left out: {}", named);
}

}  // namespace inkstone
