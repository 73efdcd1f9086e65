#include "train/checkpoint.h"

#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/hash.h"
#include "base/json.h"
#include "formats/hf_config.h"
#include "formats/safetensors.h"
#include "model/adapter.h"
#include "model/model_impl.h"
#include "model/trained_adapter.h"
#include "train/options.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr const char* kWeights = "model.safetensors";
constexpr const char *kAdapter = "adapter_model.safetensors",
                     *kAdapterConfig = "adapter_config.json";
constexpr const char* kMoments = "optimizer.safetensors";
constexpr const char* kState = "trainer_state.json";
constexpr const char* kChecksums = "checksums.txt";
constexpr std::string_view kPrefix = "step-";

// The step of a folder name step-NNNNNNN; nullopt for another name.
std::optional<int64_t> parse_step(const std::string& name) {
  if (!name.starts_with(kPrefix)) return std::nullopt;
  int64_t step = 0;
  const char* end = name.data() + name.size();
  const auto [at, error] = std::from_chars(name.data() + kPrefix.size(), end, step);
  if (error != std::errc() || at != end || step < 0) return std::nullopt;
  return step;
}

void save_moments(const Network& network, const Optimizer& optimizer, const fs::path& path) {
  Backend& backend = network.backend();
  std::vector<std::vector<float>> copies;  // of memory that the host cannot read
  backend.synchronize();
  std::vector<TensorToStore> tensors;
  const auto add = [&](const std::string& name, const View& values) {
    const void* data = values.data;
    if (!backend.shares_host_memory()) {
      copies.emplace_back(values.count());
      backend.copy_to_host(values, copies.back().data());
      data = copies.back().data();
    }
    std::vector<int64_t> shape;
    for (int i = 0; i < values.shape.rank(); ++i) shape.push_back(values.shape[i]);
    tensors.push_back(
        {.name = name, .dtype = DType::kF32, .shape = std::move(shape), .data = data});
  };
  for (int row = 0; row < network.table().count(); ++row) {
    if (!network.table()[row].trained) continue;
    add("exp_avg." + network.table()[row].name, optimizer.m(row));
    if (const View v = optimizer.v(row)) add("exp_avg_sq." + network.table()[row].name, v);
  }
  write_safetensors(path, tensors, {{"format", "pt"}});
}

// The model, or the adapter that is trained for state.options.init.
void save_model(const TrainerState& state, const Network& network, const Tokenizer& tokenizer,
                const fs::path& folder) {
  if (network.base() != nullptr)
    return write_adapter(folder, trained_adapter(network, state.options.init.string()));
  save_weights(network, folder / kWeights);
  write_hf_config(folder, network.config(),
                  {.end_of_text = tokenizer.end_of_text(),
                   .dropout = state.options.dropout,
                   .files = network.files()});
}

// One line per file, as `xxh128sum` prints and checks them.
void write_checksums(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(folder))
    names.insert(entry.path().filename().string());
  std::string text;
  for (const std::string& name : names)
    text += hash128_hex_of_file(folder / name) + "  " + name + "\n";
  write_file(folder / kChecksums, text);
}

[[noreturn]] void fail_damaged(const fs::path& file, const Message& what) {
  fail(
      ErrorCode::kInvalidData,
      "checkpoint file '{}' {}; resume with --fall-back to go on from the newest intact checkpoint",
      file.string(), what);
}

void point_link(const fs::path& link, const fs::path& target) {
  const fs::path temporary = temporary_beside(link);
  std::error_code error;
  fs::create_directory_symlink(target, temporary, error);
  if (!error) fs::rename(temporary, link, error);
  if (error) {
    std::error_code ignored;
    fs::remove(temporary, ignored);
    fail(ErrorCode::kInputOutput, "cannot point '{}' at '{}': {}", link.string(), target.string(),
         error.message());
  }
}

}  // namespace

Json to_json(const TrainerState& s) {
  Json json = {{"step", s.step},
               {"planned_steps", s.planned_steps},
               {"elapsed_s", s.elapsed_s},
               {"best_val_loss", nullptr},
               {"best_step", s.best_step},
               {"evaluations_without_improvement", s.evaluations_without_improvement},
               {"loss_sum", s.loss_sum},
               {"loss_count", s.loss_count},
               {"stopped_early", s.stopped_early},
               {"data_fingerprint", s.data_fingerprint},
               {"base_fingerprint", s.base_fingerprint},
               {"options", to_json(s.options)}};
  if (s.best_val_loss) json["best_val_loss"] = *s.best_val_loss;
  return json;
}

TrainerState trainer_state_from_json(const Json& json) {
  constexpr int64_t kMost = int64_t{1} << 40;
  constexpr double kHuge = 1e300;
  if (!json.is_object()) fail(ErrorCode::kInvalidData, "found no JSON object");
  TrainerState s;
  s.step = required(get_integer(json, "step", 0, kMost), "step");
  s.elapsed_s = required(get_number(json, "elapsed_s", 0, kHuge), "elapsed_s");
  s.best_val_loss = get_number(json, "best_val_loss", -kHuge, kHuge);
  s.best_step = required(get_integer(json, "best_step", 0, kMost), "best_step");
  s.evaluations_without_improvement = required(
      get_integer(json, "evaluations_without_improvement", 0, kMost),
      "evaluations_without_improvement");
  s.loss_sum = required(get_number(json, "loss_sum", -kHuge, kHuge), "loss_sum");
  s.loss_count = required(get_integer(json, "loss_count", 0, kMost), "loss_count");
  s.stopped_early = required(get_boolean(json, "stopped_early"), "stopped_early");
  s.data_fingerprint = required(get_string(json, "data_fingerprint"), "data_fingerprint");
  s.base_fingerprint = get_string(json, "base_fingerprint").value_or("");
  if (!json.contains("options")) fail_missing_key("options");
  s.options = train_options_from_json(json["options"]);
  s.planned_steps = get_integer(json, "planned_steps", 1, kMost).value_or(s.options.steps);
  return s;
}

bool has_checkpoint(const fs::path& run) {
  if (!fs::is_directory(run / "checkpoints")) return false;
  for (const auto& entry : fs::directory_iterator(run / "checkpoints")) {
    if (parse_step(entry.path().filename().string())) return true;
  }
  return false;
}

CheckpointFolder::CheckpointFolder(fs::path run)
    : run_(std::move(run)), folder_(run_ / "checkpoints") {}

void CheckpointFolder::remove_unfinished() const {
  if (!fs::exists(folder_)) return;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (entry.path().extension() != ".tmp") continue;
    std::error_code ignored;
    fs::remove_all(entry.path(), ignored);
  }
}

std::vector<int64_t> CheckpointFolder::steps() const {
  std::vector<int64_t> steps;
  if (!fs::exists(folder_)) return steps;
  for (const auto& entry : fs::directory_iterator(folder_)) {
    if (const auto step = parse_step(entry.path().filename().string())) steps.push_back(*step);
  }
  std::sort(steps.begin(), steps.end());
  return steps;
}

fs::path CheckpointFolder::path(int64_t step) const {
  return folder_ / fmt::format("{}{:07}", kPrefix, step);
}

fs::path CheckpointFolder::save(const TrainerState& state, const Network& network,
                                const Optimizer& optimizer, const Tokenizer& tokenizer) {
  const fs::path final_path = path(state.step), temporary = temporary_beside(final_path);
  try {
    make_folders(temporary);
    save_model(state, network, tokenizer, temporary);
    save_moments(network, optimizer, temporary / kMoments);
    tokenizer.save(temporary);
    write_json(temporary / kState, to_json(state));
    write_checksums(temporary);
    sync_folder(temporary);
    fs::rename(temporary, final_path);
    sync_folder(folder_);
    const fs::path target = fs::path("checkpoints") / final_path.filename();
    point_link(run_ / "last", target);
    if (state.best_val_loss && state.best_step == state.step) point_link(run_ / "best", target);
    sync_folder(run_);
  } catch (const std::exception& e) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    const auto* error = dynamic_cast<const Error*>(&e);
    fail(error != nullptr ? error->code() : ErrorCode::kInputOutput, "saving checkpoint '{}': {}",
         final_path.string(), error != nullptr ? error->message() : Message(e.what()));
  }
  remove_old(state.options.keep, state.best_val_loss ? state.best_step : state.step);
  return final_path;
}

void CheckpointFolder::repair_links(const TrainerState& state) const {
  const auto link = [&](const char* name, int64_t step) {
    const fs::path target = fs::path("checkpoints") / path(step).filename();
    std::error_code ignored;
    if (fs::read_symlink(run_ / name, ignored) == target) return;
    remove_copy(run_ / name);
    if (fs::exists(path(step))) {
      point_link(run_ / name, target);
    } else {
      fs::remove(run_ / name, ignored);
    }
  };
  link("last", state.step);
  if (state.best_val_loss) link("best", state.best_step);
}

void CheckpointFolder::remove_copy(const fs::path& link) const {
  if (fs::is_symlink(link) || !fs::exists(link / kChecksums)) return;
  const std::string sums = read_file(link / kChecksums);
  for (const int64_t step : steps()) {
    const fs::path original = path(step) / kChecksums;
    if (!fs::exists(original) || read_file(original) != sums) continue;
    std::error_code ignored;
    fs::remove_all(link, ignored);
    return;
  }
}

void CheckpointFolder::remove_old(int64_t keep, int64_t best_step) const {
  const auto all = steps();
  for (size_t i = 0; i + keep < all.size(); ++i) {
    if (all[i] == best_step) continue;
    // Renamed first: a folder that is being removed must not pass for a checkpoint.
    const fs::path doomed = temporary_beside(path(all[i]));
    std::error_code ignored;
    fs::rename(path(all[i]), doomed, ignored);
    fs::remove_all(doomed, ignored);
  }
}

void CheckpointFolder::verify(int64_t step) const {
  const fs::path folder = path(step), list = folder / kChecksums;
  if (!fs::exists(list)) fail_damaged(list, marked("is missing"));
  std::istringstream lines(read_file(list, 1 << 20));
  std::set<std::string> required_names = {kMoments, kState, "tokenizer.json"};
  const bool adapter = is_adapter(folder);
  required_names.insert(adapter ? kAdapter : kWeights);
  required_names.insert(adapter ? kAdapterConfig : "config.json");
  for (std::string line; std::getline(lines, line);) {
    const size_t gap = line.find("  ");
    if (gap != 32 || line.find('/') != std::string::npos)
      fail_damaged(list, message("has a bad line '{}'", line));
    const std::string name = line.substr(gap + 2);
    if (!fs::is_regular_file(folder / name)) fail_damaged(folder / name, marked("is missing"));
    const std::string found = hash128_hex_of_file(folder / name);
    if (found != line.substr(0, gap)) {
      fail_damaged(folder / name, message("is cut or changed: its checksum is {}, expected {}",
                                          found, line.substr(0, gap)));
    }
    required_names.erase(name);
  }
  if (!required_names.empty())
    fail_damaged(list, message("has no line for '{}'", *required_names.begin()));
}

TrainerState CheckpointFolder::read_state(int64_t step) const {
  const fs::path file = path(step) / kState;
  const Json json = read_json(file);
  return with_context(message("reading '{}'", file.string()), [&] {
    TrainerState state = trainer_state_from_json(json);
    place_in_run(state.options, run_);
    return state;
  });
}

Model CheckpointFolder::load(const TrainerState& state) const {
  const LoadOptions load{.runtime = state.options.runtime, .compute = state.options.compute};
  const fs::path folder = path(state.step);
  if (state.options.lora.rank == 0) return load_trainable(folder, load);
  Model model = load_for_adapter(state.options.init, state.options.lora, state.options.seed, load);
  set_adapter(*model.impl().network, read_adapter(folder, model.config()));
  return model;
}

void CheckpointFolder::read_moments(int64_t step, const Network& network,
                                    const Optimizer& optimizer) const {
  const SafetensorsFile file(path(step) / kMoments);
  const auto read = [&](const std::string& name, const View& to) {
    const StoredTensor& tensor = file.at(name);
    if (static_cast<int64_t>(tensor.bytes.size()) != to.bytes() || tensor.dtype != DType::kF32) {
      fail(ErrorCode::kMismatch, "'{}': tensor '{}' does not have {} float32 numbers",
           file.path().string(), name, to.count());
    }
    std::vector<float> values(to.count());
    copy_as_f32(tensor, values);
    network.backend().copy_from_host(values.data(), to);
  };
  for (int row = 0; row < network.table().count(); ++row) {
    if (!network.table()[row].trained) continue;
    read("exp_avg." + network.table()[row].name, optimizer.m(row));
    if (const View v = optimizer.v(row)) read("exp_avg_sq." + network.table()[row].name, v);
  }
}

void CheckpointFolder::set_aside_after(int64_t step) const {
  for (const int64_t later : steps()) {
    if (later <= step) continue;
    fs::path aside = path(later);
    aside += ".damaged";
    std::error_code error;
    fs::remove_all(aside, error);
    fs::rename(path(later), aside, error);
    if (error) {
      fail(ErrorCode::kInputOutput, "cannot rename '{}' to '{}': {}", path(later).string(),
           aside.string(), error.message());
    }
  }
}

}  // namespace inkstone
