// `inkstone info`: what a model, a run, a shard, a data folder or a vocabulary is.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "formats/hf_config.h"
#include "formats/token_shard.h"
#include "inkstone/model.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

Json describe_model(const fs::path& folder) {
  const ModelConfig c = read_hf_config(folder / "config.json");
  return {{"kind", "model"},     {"path", folder.string()}, {"layers", c.layers},
          {"heads", c.heads},    {"width", c.width},        {"context", c.context},
          {"vocab_size", c.vocab_size}, {"parameters", c.parameter_count()}};
}

Json describe_run(const fs::path& run) {
  Json json = {{"kind", "run"}, {"path", run.string()}};
  for (const char* link : {"last", "best"}) {
    if (!fs::exists(run / link)) continue;
    const Json state = read_json(run / link / "trainer_state.json");
    json[link] = {{"step", get_integer(state, "step", 0, INT64_MAX).value_or(0)},
                  {"best_val_loss", state.contains("best_val_loss") ? state["best_val_loss"] : Json()}};
  }
  if (fs::exists(run / "last")) json["model"] = describe_model(run / "last");
  return json;
}

// The first tokens as text, if a tokenizer lies beside the shard.
std::string beginning_of(const TokenShard& shard) {
  if (!fs::exists(shard.path().parent_path() / "tokenizer.json")) return {};
  std::vector<TokenId> tokens(std::min<int64_t>(64, shard.count()));
  shard.read(0, tokens);
  return replace_invalid_utf8(Tokenizer::load(shard.path().parent_path()).decode(tokens));
}

Json describe_shard(const fs::path& file) {
  const TokenShard shard(file);
  return {{"kind", "token shard"}, {"path", file.string()}, {"tokens", shard.count()}, {"bits", shard.bits()},
          {"beginning", beginning_of(shard)}};
}

Json describe_tokenizer(const fs::path& path) {
  const Tokenizer tokenizer = Tokenizer::load(path);
  const char* type = tokenizer.type() == TokenizerType::kBpe    ? "bpe"
                     : tokenizer.type() == TokenizerType::kChar ? "char"
                                                                : "byte";
  Json json = {{"kind", "tokenizer"}, {"path", path.string()}, {"type", type}, {"vocab_size", tokenizer.vocab_size()}};
  if (const auto id = tokenizer.end_of_text()) json["end_of_text"] = *id;
  return json;
}

Json describe(const fs::path& path) {
  if (!fs::exists(path)) fail(ErrorCode::kNotFound, "there is nothing at '{}'", path.string());
  if (path.extension() == ".bin") return describe_shard(path);
  if (path.extension() == ".json") return describe_tokenizer(path);
  if (fs::is_directory(path / "checkpoints")) return describe_run(path);
  if (fs::exists(path / "config.json")) return describe_model(path);
  if (fs::exists(path / "report.json")) {
    Json json = {{"kind", "prepared data"}, {"path", path.string()}};
    json["report"] = read_json(path / "report.json");
    return json;
  }
  if (fs::is_directory(path)) return describe_tokenizer(path);
  fail(ErrorCode::kInvalidData,
       "'{}' is not a model, run, data folder, tokenizer or token shard (.bin)", path.string());
}

void print_flat(const Json& json, const std::string& indent) {
  for (const auto& [key, value] : json.items()) {
    if (value.is_object()) {
      print(fmt::format("{}{}:\n", indent, key));
      print_flat(value, indent + "  ");
    } else {
      print(fmt::format("{}{}: {}\n", indent, key, value.is_string() ? value.get<std::string>() : value.dump()));
    }
  }
}

}  // namespace

void add_info_command(CLI::App& app, Selection& selection) {
  struct Arguments {
    std::string path;
    bool json = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(app, selection, "info", "What a model, run, shard, data folder or tokenizer is",
                            "  inkstone info run\n  inkstone info data/train_000000.bin", [a] {
                              const Json json = describe(a->path);
                              if (a->json) {
                                print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
                              } else {
                                print_flat(json, "");
                              }
                              return kExitDone;
                            });
  c->add_option("PATH", a->path, "folder of a model, run, prepared data or tokenizer; shard; tokenizer.json")
      ->required();
  c->add_flag("--json", a->json, "print a JSON object");
}

}  // namespace inkstone::cli
