#include "corpus/prepare/dropped_log.h"

#include <cctype>
#include <limits>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();
constexpr size_t kFileBlock_bytes = size_t{1} << 20;

// "line 17: no field 'text'" is one of many.
std::string group_of(const std::string& reason) {
  size_t at = 0;
  for (const char* word : {"line ", "record ", "row ", "element "}) {
    if (reason.starts_with(word)) at = std::string_view(word).size();
  }
  if (at == 0) return reason;
  while (at < reason.size() && std::isdigit(static_cast<unsigned char>(reason[at]))) ++at;
  return reason.compare(at, 2, ": ") == 0 ? reason.substr(at + 2) : reason;
}

int64_t count_in(const Json& json, std::string_view key) {
  return required(get_integer(json, key, 0, kMax), key);
}

}  // namespace

Json to_json(const DroppedDocument& dropped) {
  Json json = {{"source", dropped.source}};
  if (dropped.document > 0) json["document"] = dropped.document;
  json["reason"] = dropped.reason;
  return json;
}

DroppedLog::DroppedLog(std::filesystem::path file, const Json& state) {
  if (!state.is_null()) {
    count_ = count_in(state, "count");
    file_bytes_ = static_cast<uint64_t>(count_in(state, "file_bytes"));
    for (const auto& [reason, counts] : state.at("reasons").items()) {
      reasons_[reason] = {count_in(counts, "documents"), count_in(counts, "bytes")};
    }
    for (const Json& example : state.at("examples")) {
      examples_.push_back({required(get_string(example, "source"), "source"),
                           required(get_string(example, "reason"), "reason"),
                           get_integer(example, "document", 0, kMax).value_or(0)});
    }
  }
  if (!file.empty()) file_.emplace(std::move(file), file_bytes_);
}

void DroppedLog::add(const DroppedDocument& dropped, int64_t bytes) {
  std::string group = group_of(dropped.reason);
  if (!reasons_.contains(group) && reasons_.size() >= kReasons) group = "other reasons";
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
  Json reasons = Json::object(), examples = Json::array();
  for (const auto& [reason, counts] : reasons_) {
    reasons[reason] = {{"documents", counts.documents}, {"bytes", counts.bytes}};
  }
  for (const DroppedDocument& example : examples_) examples.push_back(to_json(example));
  return {
      {"count", count_}, {"file_bytes", file_bytes_}, {"reasons", reasons}, {"examples", examples}};
}

void DroppedLog::commit() {
  if (!file_) return;
  file_->write(std::exchange(waiting_, {}));
  file_->commit();
}

}  // namespace inkstone
