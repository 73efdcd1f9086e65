#include "corpus/prepare/prepare_report.h"

#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "corpus/clean/option_names.h"
#include "corpus/folder_layout.h"
#include "corpus/prepare/dropped_log.h"
#include "corpus/prepare/scan.h"
#include "corpus/prepare/split_writer.h"

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

Json json_of(const CleanOptions& clean) {
  return {{"invalid_text", name_in(kInvalidTextNames, clean.invalid)},
          {"line_ends", clean.line_ends},
          {"control_characters", clean.control_characters},
          {"normalization", name_in(kNormalizationNames, clean.normalization)},
          {"conversion", name_in(kConversionNames, clean.conversion)},
          {"strip_boilerplate", clean.strip_boilerplate},
          {"repeated_lines", clean.repeated_lines},
          {"min_characters", clean.min_characters},
          {"max_characters", clean.max_characters},
          {"scripts", clean.keep_scripts},
          {"script_fraction", clean.script_fraction},
          {"languages", clean.languages},
          {"language_fraction", clean.language_fraction},
          {"quality", name_in(kQualityRulesNames, clean.quality)}};
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
  for (const ShardReport& shard : split.shard_files) shards.push_back(to_json(shard));
  Json json = {{"documents", split.documents},
               {"bytes", split.bytes},
               {"tokens", split.tokens},
               {"shards", shards}};
  if (split.spans) json["spans"] = to_json(*split.spans);
  return json;
}

Json json_of(const RecordsReport& records) {
  return {{"shapes", records.shapes},
          {"template", records.turns.empty() ? Json(nullptr) : Json(records.turns)},
          {"shared_tokens", records.shared_tokens}};
}

Json json_of(const std::vector<DroppedDocument>& dropped) {
  Json json = Json::array();
  for (const DroppedDocument& d : dropped) json.push_back(to_json(d));
  return json;
}

Json json_of(const std::map<Message, DroppedCount>& reasons) {
  Json json = Json::array();
  for (const auto& [reason, count] : reasons) {
    json.push_back(
        {{"reason", reason.english()}, {"documents", count.documents}, {"bytes", count.bytes}});
  }
  return json;
}

Json json_of(const std::vector<SourceFacts>& sources) {
  Json json = Json::array();
  for (const SourceFacts& facts : sources) json.push_back(to_json(facts));
  return json;
}

Json json_of_cleaning(const PrepareReport& report) {
  return {{"invalid_sequences", report.cleaned.invalid_sequences},
          {"line_ends", report.cleaned.line_ends},
          {"control_characters", report.cleaned.control_characters},
          {"lines_removed", report.lines_removed},
          {"long_documents", report.long_documents}};
}

// Documents of 2^i to 2^(i+1) - 1 tokens.
Json json_of_lengths(const std::vector<int64_t>& lengths) {
  Json json = Json::array();
  for (size_t i = 0; i < lengths.size(); ++i) {
    if (lengths[i] == 0) continue;
    const int64_t from = int64_t{1} << i;
    json.push_back({{"from_tokens", from}, {"to_tokens", 2 * from - 1}, {"documents", lengths[i]}});
  }
  return json;
}

Json json_of_tokens(const std::vector<TokenCount>& tokens, const Tokenizer& tokenizer) {
  Json json = Json::array();
  for (const TokenCount& token : tokens) {
    json.push_back(
        {{"id", token.id}, {"text", tokenizer.token_bytes(token.id)}, {"count", token.count}});
  }
  return json;
}

}  // namespace

Json prepare_options_json(const PrepareOptions& options) {
  Json inputs = Json::array();
  for (const auto& input : options.inputs) inputs.push_back(input.string());
  Json json = {{"inputs", inputs},
               {"val_fraction", options.val_fraction},
               {"shard_tokens", options.shard_tokens},
               {"bits", options.bits == 0 ? Json("auto") : Json(options.bits)},
               {"format", name_of(options.read.format)},
               {"separator", options.read.separator},
               {"json_field", options.read.json_field},
               {"csv_column", options.read.csv_column},
               {"csv_delimiter", options.read.csv_delimiter == 0
                                     ? Json("auto")
                                     : Json(std::string(1, options.read.csv_delimiter))},
               {"csv_header", options.read.csv_header},
               {"encoding", options.read.encoding},
               {"records", name_of(options.read.records)},
               {"clean", json_of(options.clean)},
               {"exact_duplicates", options.exact_duplicates},
               {"near_duplicates", options.near_duplicates}};
  if (options.turns) json["template"] = parse_json(to_json_text(*options.turns));
  if (options.near_duplicates) {
    json["minhash"] = {{"shingle_words", options.minhash.shingle_words},
                       {"bands", options.minhash.bands},
                       {"rows", options.minhash.rows}};
  }
  return json;
}

void write_prepare_report(const std::filesystem::path& folder, const PrepareOptions& options,
                          const Tokenizer& tokenizer, const PrepareReport& report) {
  Json json = {{"program", kPrepareProgram},
               {"version", INKSTONE_VERSION},
               {"options", prepare_options_json(options)},
               {"tokenizer", json_of(tokenizer, folder)},
               {"files", report.files},
               {"documents", report.documents_in},
               {"bytes", report.bytes_in},
               {"bytes_per_token", report.bytes_per_token},
               {"single_document", report.single_document},
               {"cut_documents", report.cut_documents},
               {"encodings", report.encodings},
               {"sources", json_of(report.sources)},
               {"invalid_utf8_documents", report.invalid_utf8_documents},
               {"cleaning", json_of_cleaning(report)},
               {std::string(kTrainSplit), json_of(report.train)},
               {std::string(kValidationSplit), json_of(report.val)},
               {"token_lengths", json_of_lengths(report.token_lengths)},
               {"frequent_tokens", json_of_tokens(report.frequent_tokens, tokenizer)},
               {"warnings", in_english(report.warnings)},
               {"dropped_reasons", json_of(report.dropped_reasons)},
               {"dropped", json_of(report.dropped)}};
  if (report.records) json["records"] = json_of(*report.records);
  write_json(folder / kReportName, json);
}

}  // namespace inkstone
