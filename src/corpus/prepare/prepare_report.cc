#include "corpus/prepare/prepare_report.h"

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "corpus/folder_layout.h"

namespace inkstone {
namespace {

// The file that says what the ids mean.
constexpr const char* kTokenizerFile = "tokenizer.json";

std::string_view name_of(TokenizerType type) {
  switch (type) {
    case TokenizerType::kBpe: return "bpe";
    case TokenizerType::kChar: return "char";
    case TokenizerType::kByte: return "byte";
  }
  return "unknown";
}

Json json_of(const PrepareOptions& options) {
  Json inputs = Json::array();
  for (const auto& input : options.inputs) inputs.push_back(input.string());
  return {{"inputs", inputs}, {"val_fraction", options.val_fraction}, {"shard_tokens", options.shard_tokens}};
}

Json json_of(const Tokenizer& tokenizer, const std::filesystem::path& folder) {
  Json json = {{"type", name_of(tokenizer.type())}, {"vocab_size", tokenizer.vocab_size()}};
  const auto end = tokenizer.end_of_text();
  json["end_of_text"] = end ? Json(*end) : Json(nullptr);
  json["hash128"] = hash128_hex_of_file(folder / kTokenizerFile);
  return json;
}

Json json_of(const SplitReport& split) {
  Json shards = Json::array();
  for (const ShardReport& shard : split.shard_files) {
    shards.push_back({{"file", shard.file}, {"tokens", shard.tokens}, {"hash128", shard.hash128}});
  }
  return {{"documents", split.documents}, {"bytes", split.bytes}, {"tokens", split.tokens}, {"shards", shards}};
}

Json json_of(const std::vector<DroppedDocument>& dropped) {
  Json json = Json::array();
  for (const auto& [source, reason] : dropped) json.push_back({{"source", source}, {"reason", reason}});
  return json;
}

}  // namespace

void write_prepare_report(const std::filesystem::path& folder, const PrepareOptions& options,
                          const Tokenizer& tokenizer, const PrepareReport& report) {
  Json json = {{"program", kPrepareProgram},
               {"version", INKSTONE_VERSION},
               {"options", json_of(options)},
               {"tokenizer", json_of(tokenizer, folder)},
               {"files", report.files},
               {"documents", report.documents_in},
               {"bytes", report.bytes_in},
               {"bytes_per_token", report.bytes_per_token},
               {"single_document", report.single_document},
               {"invalid_utf8_documents", report.invalid_utf8_documents},
               {std::string(kTrainSplit), json_of(report.train)},
               {std::string(kValidationSplit), json_of(report.val)},
               {"warnings", report.warnings},
               {"dropped", json_of(report.dropped)}};
  write_json(folder / kReportName, json);
}

}  // namespace inkstone
