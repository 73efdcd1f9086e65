// `inkstone info`: what a model, a run, a shard, a data folder or a vocabulary is.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <span>
#include <string_view>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "formats/gguf.h"
#include "formats/token_shard.h"
#include "inkstone/model.h"
#include "model/adapted_model.h"
#include "train/run_summary.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

Json describe_model(const fs::path& folder) {
  const ModelConfig c = load_config(folder, {});
  return {{"kind", marked("model")},    {"path", folder.string()},
          {"layers", c.layers},         {"heads", c.heads},
          {"width", c.width},           {"context", c.context},
          {"vocab_size", c.vocab_size}, {"parameters", c.parameter_count()}};
}

// Its modules by what they are called in every layer: "attn.c_attn", 12 of them.
Json modules_of(const Adapter& adapter) {
  std::map<std::string, int64_t> counts;
  for (const AdapterModule& m : adapter.modules) {
    const size_t layer_end = m.name.starts_with("h.") ? m.name.find('.', 2) + 1 : 0;
    ++counts[m.name.substr(layer_end)];
  }
  Json json = Json::array();
  for (const auto& [name, count] : counts) json.push_back({{"module", name}, {"count", count}});
  return json;
}

int64_t parameters_of(const Adapter& adapter) {
  size_t count = 0;
  for (const AdapterModule& m : adapter.modules)
    count += m.a.size() + m.b.size() + m.magnitude.size();
  for (const AdapterTensor& t : adapter.whole) count += t.values.size();
  return static_cast<int64_t>(count);
}

// What its tensors are shows only beside the model that it is for.
Json describe_adapter(const fs::path& folder) {
  const AdapterConfig config = read_adapter_config(folder);
  Json json = {{"kind", marked("adapter")},       {"path", folder.string()},
               {"base_model", config.base_model}, {"rank", config.rank},
               {"alpha", config.alpha},           {"use_rslora", config.use_rslora},
               {"use_dora", config.use_dora},     {"dropout", config.dropout}};
  if (config.target_pattern.empty()) {
    json["targets"] = config.targets;
  } else {
    json["targets"] = config.target_pattern;
  }
  try {
    const fs::path base = base_of_adapter(folder);
    const Adapter adapter = read_adapter(folder, load_config(base));
    json["parameters"] = parameters_of(adapter);
    json["modules"] = modules_of(adapter);
    for (const AdapterTensor& t : adapter.whole) json["whole"].push_back(t.name);
    json["model"] = describe_model(base);
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kNotFound) throw;
    json["note"] = e.message().shown();
  }
  return json;
}

// Tensors and bytes of each type of a GGUF file's weights.
Json types_of(const Gguf& gguf) {
  std::map<std::string, std::pair<int64_t, int64_t>> types;
  for (const GgufTensor& tensor : gguf.tensors()) {
    const std::string type = tensor.type ? std::string(name(*tensor.type))
                                         : std::to_string(tensor.type_number);
    ++types[type].first;
    types[type].second += static_cast<int64_t>(tensor.bytes.size());
  }
  Json json = Json::array();
  for (const auto& [type, of] : types)
    json.push_back({{"type", type}, {"tensors", of.first}, {"bytes", of.second}});
  return json;
}

Json describe_gguf(const fs::path& file) {
  Json json = describe_model(file);
  const GgufFile gguf(file);
  json["file_bytes"] = fs::file_size(file);
  json["weights"] = types_of(gguf.content());
  return json;
}

Json describe_run(const fs::path& run) {
  const RunMetrics metrics = read_run_metrics(run);
  Json json = {{"kind", marked("run")}, {"path", run.string()}};
  for (const char* link : {"last", "best"}) {
    if (!fs::exists(run / link)) continue;
    const Json state = read_json(run / link / "trainer_state.json");
    const int64_t step = get_integer(state, "step", 0, INT64_MAX).value_or(0);
    json[link] = {
        {"step", step},
        {"best_val_loss", state.contains("best_val_loss") ? state["best_val_loss"] : Json()}};
    if (const auto evaluation = metrics.at(step)) json[link].update(to_json(*evaluation));
  }
  if (fs::exists(run / "last")) json["model"] = describe_model(run / "last");
  return json;
}

// Where --tokenizer says, or beside the shard.
std::optional<Tokenizer> tokenizer_of(const TokenShard& shard, const std::string& given) {
  if (!given.empty()) return Tokenizer::load(given);
  const fs::path folder = shard.path().parent_path();
  if (!fs::exists(folder / "tokenizer.json")) return std::nullopt;
  return Tokenizer::load(folder);
}

// The first tokens as text; a document's end is shown as its token at the end of a line.
std::string beginning_of(const TokenShard& shard, const Tokenizer& tokenizer) {
  constexpr int64_t kTokens = 128;
  std::vector<TokenId> tokens(static_cast<size_t>(std::min(kTokens, shard.count())));
  shard.read(0, tokens);
  std::string text;
  for (auto at = tokens.begin(); at != tokens.end();) {
    const auto end = tokenizer.end_of_text() ? std::find(at, tokens.end(), *tokenizer.end_of_text())
                                             : tokens.end();
    text += replace_invalid_utf8(tokenizer.decode(std::span(at, end)));
    if (end != tokens.end()) text.append(tokenizer.token_bytes(*end)) += '\n';
    at = end == tokens.end() ? end : end + 1;
  }
  return text;
}

int64_t count_of(TokenId wanted, const TokenShard& shard) {
  constexpr int64_t kPiece = int64_t{1} << 16;
  std::vector<TokenId> tokens;
  int64_t count = 0;
  for (int64_t begin = 0; begin < shard.count(); begin += kPiece) {
    tokens.resize(static_cast<size_t>(std::min(kPiece, shard.count() - begin)));
    shard.read(begin, tokens);
    count += std::count(tokens.begin(), tokens.end(), wanted);
  }
  return count;
}

// The shard's checksum in the report.json beside it; nullopt if there is no report or no line for
// this shard.
std::optional<std::string> reported_checksum(const fs::path& file) {
  const fs::path report = file.parent_path() / "report.json";
  if (!fs::exists(report)) return std::nullopt;
  const Json json = read_json(report);
  for (const char* split : {"train", "val"}) {
    if (!json.is_object() || !json.contains(split) || !json[split].is_object()) continue;
    if (!json[split].contains("shards") || !json[split]["shards"].is_array()) continue;
    for (const Json& shard : json[split]["shards"]) {
      if (!shard.is_object() || get_string(shard, "file") != file.filename().string()) continue;
      return get_string(shard, "hash128");
    }
  }
  return std::nullopt;
}

Json describe_shard(const fs::path& file, const std::string& tokenizer_path) {
  const TokenShard shard(file);
  const std::string found = hash128_hex_of_file(file);
  const auto reported = reported_checksum(file);
  Json json = {{"kind", marked("token shard")},
               {"path", file.string()},
               {"tokens", shard.count()},
               {"bits", shard.bits()},
               {"hash128", found},
               {"checksum", !reported            ? marked("not in a report.json")
                            : *reported == found ? marked("as in report.json")
                                                 : marked("DIFFERS")}};
  if (reported && *reported != found) json["reported_hash128"] = *reported;
  const auto tokenizer = tokenizer_of(shard, tokenizer_path);
  if (!tokenizer) return json;
  with_context(message("showing '{}' as text", file.string()), [&] {
    if (const auto end = tokenizer->end_of_text())
      json["end_of_text_tokens"] = count_of(*end, shard);
    json["beginning"] = beginning_of(shard, *tokenizer);
  });
  return json;
}

Json describe_tokenizer(const fs::path& path) {
  const Tokenizer tokenizer = Tokenizer::load(path);
  const char* type = tokenizer.type() == TokenizerType::kBpe    ? "bpe"
                     : tokenizer.type() == TokenizerType::kChar ? "char"
                                                                : "byte";
  Json json = {{"kind", marked("tokenizer")},
               {"path", path.string()},
               {"type", type},
               {"vocab_size", tokenizer.vocab_size()}};
  if (const auto id = tokenizer.end_of_text()) json["end_of_text"] = *id;
  return json;
}

Json describe(const fs::path& path, const std::string& tokenizer) {
  if (!fs::exists(path)) fail(ErrorCode::kNotFound, "there is nothing at '{}'", path.string());
  if (path.extension() == ".bin") return describe_shard(path, tokenizer);
  if (!tokenizer.empty()) {
    fail(ErrorCode::kUsage, "--tokenizer is for showing a token shard (.bin) as text, '{}' is none",
         path.string());
  }
  if (is_gguf(path)) return describe_gguf(path);
  if (path.extension() == ".json") return describe_tokenizer(path);
  // One that has just begun has no checkpoint yet.
  if (fs::is_directory(path / "checkpoints") || fs::exists(path / "command.json"))
    return describe_run(path);
  if (is_adapter(path)) return describe_adapter(path);
  if (fs::exists(path / "config.json")) return describe_model(path);
  if (fs::exists(path / "report.json")) {
    Json json = {{"kind", marked("prepared data")}, {"path", path.string()}};
    json["report"] = read_json(path / "report.json");
    return json;
  }
  if (fs::is_directory(path)) return describe_tokenizer(path);
  fail(ErrorCode::kInvalidData,
       "'{}' is not a model, run, data folder, tokenizer or token shard (.bin)", path.string());
}

// 1234567 as 1,234,567.
std::string grouped(int64_t value) {
  std::string text = std::to_string(value);
  const size_t first = text[0] == '-' ? 1 : 0;
  for (size_t at = text.size(); at > first + 3;) text.insert(at -= 3, ",");
  return text;
}

// The keys of the JSON, which are its words for people too.
constexpr std::string_view kKeyLabels[] = {marked("kind"),
                                           marked("path"),
                                           marked("layers"),
                                           marked("heads"),
                                           marked("width"),
                                           marked("context"),
                                           marked("vocab_size"),
                                           marked("parameters"),
                                           marked("last"),
                                           marked("best"),
                                           marked("step"),
                                           marked("best_val_loss"),
                                           marked("val_loss"),
                                           marked("val_nats_per_character"),
                                           marked("val_bits_per_byte"),
                                           marked("model"),
                                           marked("tokens"),
                                           marked("bits"),
                                           marked("file_bytes"),
                                           marked("weights"),
                                           marked("tensors"),
                                           marked("bytes"),
                                           marked("hash128"),
                                           marked("checksum"),
                                           marked("reported_hash128"),
                                           marked("end_of_text_tokens"),
                                           marked("beginning"),
                                           marked("type"),
                                           marked("end_of_text"),
                                           marked("report"),
                                           marked("program"),
                                           marked("version"),
                                           marked("options"),
                                           marked("inputs"),
                                           marked("val_fraction"),
                                           marked("shard_tokens"),
                                           marked("format"),
                                           marked("separator"),
                                           marked("json_field"),
                                           marked("csv_column"),
                                           marked("csv_delimiter"),
                                           marked("csv_header"),
                                           marked("encoding"),
                                           marked("clean"),
                                           marked("invalid_text"),
                                           marked("line_ends"),
                                           marked("control_characters"),
                                           marked("normalization"),
                                           marked("conversion"),
                                           marked("strip_boilerplate"),
                                           marked("repeated_lines"),
                                           marked("min_characters"),
                                           marked("max_characters"),
                                           marked("scripts"),
                                           marked("script_fraction"),
                                           marked("languages"),
                                           marked("language_fraction"),
                                           marked("quality"),
                                           marked("exact_duplicates"),
                                           marked("near_duplicates"),
                                           marked("minhash"),
                                           marked("shingle_words"),
                                           marked("bands"),
                                           marked("rows"),
                                           marked("tokenizer"),
                                           marked("files"),
                                           marked("documents"),
                                           marked("bytes"),
                                           marked("bytes_per_token"),
                                           marked("single_document"),
                                           marked("cut_documents"),
                                           marked("encodings"),
                                           marked("sources"),
                                           marked("source"),
                                           marked("certainty"),
                                           marked("notes"),
                                           marked("note"),
                                           marked("base_model"),
                                           marked("rank"),
                                           marked("alpha"),
                                           marked("use_rslora"),
                                           marked("use_dora"),
                                           marked("dropout"),
                                           marked("targets"),
                                           marked("modules"),
                                           marked("module"),
                                           marked("whole"),
                                           marked("invalid_utf8_documents"),
                                           marked("cleaning"),
                                           marked("invalid_sequences"),
                                           marked("lines_removed"),
                                           marked("long_documents"),
                                           marked("train"),
                                           marked("val"),
                                           marked("shards"),
                                           marked("file"),
                                           marked("token_lengths"),
                                           marked("from_tokens"),
                                           marked("to_tokens"),
                                           marked("frequent_tokens"),
                                           marked("id"),
                                           marked("text"),
                                           marked("count"),
                                           marked("warnings"),
                                           marked("dropped_reasons"),
                                           marked("reason"),
                                           marked("dropped"),
                                           marked("document")};

std::string label_of(const std::string& key) {
  return std::ranges::count(kKeyLabels, key) > 0 ? translated(key) : key;
}

std::string scalar_text(const Json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return grouped(value.get<int64_t>());
  return value.dump();
}

// Of some keys the value is a word of ours.
std::string value_text(const std::string& key, const Json& value) {
  const bool is_word = (key == "kind" || key == "checksum" || key == "reason") && value.is_string();
  return is_word ? translated(value.get<std::string>()) : scalar_text(value);
}

// An entry of a list on one line.
std::string entry_text(const Json& entry) {
  if (!entry.is_structured()) return scalar_text(entry);
  std::string text;
  for (const auto& [key, value] : entry.items()) {
    if (!text.empty()) text += ", ";
    if (entry.is_object()) text += label_of(key) + " ";
    text += value.is_structured() ? value.dump(-1, ' ', false, Json::error_handler_t::replace)
                                  : value_text(key, value);
  }
  return text;
}

// What people read: numbers grouped, long lists cut (--json has everything).
void print_readable(const Json& json, const std::string& indent) {
  constexpr size_t kShown = 10;
  for (const auto& [key, value] : json.items()) {
    if (value.is_object()) {
      print(indent + localized("{}:", label_of(key)) + "\n");
      print_readable(value, indent + "  ");
    } else if (value.is_array()) {
      const std::string count = value.empty() ? translated(marked("none"))
                                              : grouped(static_cast<int64_t>(value.size()));
      print(indent + localized("{}: {}", label_of(key), count) + "\n");
      for (size_t i = 0; i < std::min(kShown, value.size()); ++i)
        print(indent + "  " + entry_text(value[i]) + "\n");
      if (value.size() <= kShown) continue;
      print(indent + "  " + localized("... ({} more; --json has all)", value.size() - kShown) +
            "\n");
    } else {
      print(indent + localized("{}: {}", label_of(key), value_text(key, value)) + "\n");
    }
  }
}

}  // namespace

void add_info_command(CLI::App& app, Selection& selection) {
  struct Arguments {
    std::string path, tokenizer;
    bool json = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(
      app, selection, "info", "What a model, run, shard, data folder or tokenizer is",
      marked("  inkstone info run\n  inkstone info data/train_000000.bin"), [a] {
        const Json json = describe(a->path, a->tokenizer);
        if (a->json) {
          print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
        } else {
          print_readable(json, "");
        }
        return kExitDone;
      });
  c->add_option(
       "PATH", a->path,
       "folder of a model, run, prepared data or tokenizer; GGUF file; shard; tokenizer.json")
      ->required();
  c->add_option("--tokenizer", a->tokenizer,
                "of a shard: to show its beginning with (the one beside it)");
  c->add_flag("--json", a->json, "print a JSON object");
}

}  // namespace inkstone::cli
