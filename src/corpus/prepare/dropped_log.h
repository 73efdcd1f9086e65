// What was left out of a corpus: how much for which reason, examples, and a file with all of it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "corpus/read/list_inputs.h"
#include "inkstone/prepare.h"

namespace inkstone {

class DroppedLog {
 public:
  // Examples that are kept of each reason, and reasons that are told apart; the rest counts as
  // "other reasons".
  static constexpr int64_t kExamples = 20;
  static constexpr size_t kReasons = 200;

  // file: where every line goes; empty: nowhere. It is whole or absent: in its place after
  // commit(). state: null, or what state() gave, to go on from there.
  DroppedLog(std::filesystem::path file, const Json& state);

  void add(const DroppedDocument& dropped, int64_t bytes = 0);

  const std::map<Message, DroppedCount>& reasons() const { return reasons_; }
  const std::vector<DroppedDocument>& examples() const { return examples_; }
  int64_t count() const { return count_; }

  // What the constructor needs to go on from here; the file has been written so far when it
  // returns.
  Json state();
  void commit();

 private:
  std::map<Message, DroppedCount> reasons_;
  std::vector<DroppedDocument> examples_;
  int64_t count_ = 0;
  std::optional<AtomicFile> file_;
  std::string waiting_;  // for the file
  uint64_t file_bytes_ = 0;
};

Json to_json(const DroppedDocument& dropped);

// Throws kInvalidData: in the inputs there is no text, and why.
[[noreturn]] void fail_without_text(const std::vector<std::filesystem::path>& inputs,
                                    const DroppedLog& log);

}  // namespace inkstone
