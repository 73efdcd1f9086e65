// A model and an adapter as one Hugging Face folder.
#include "base/error.h"
#include "base/file.h"
#include "formats/hf_config.h"
#include "inkstone/adapter.h"
#include "inkstone/model.h"
#include "model/adapted_model.h"
#include "model/weights.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

void refuse_own_folder(const fs::path& output, const fs::path& input) {
  if (input.empty() || !fs::exists(output) || !fs::equivalent(output, input)) return;
  fail(ErrorCode::kUsage, "'{}' would be written over: give another folder", output.string());
}

// The type of the matrices, by the name that config.json has for it.
const char* type_name(const OpenedModel& model) {
  const ParameterTable table(model.config);
  switch (model.source->type(table.layer(0).attn_weight)) {
    case WeightType::kF16: return "float16";
    case WeightType::kBF16: return "bfloat16";
    default: return "float32";
  }
}

// nullopt, and told, where there is none.
std::optional<Tokenizer> tokenizer_of(const fs::path& model, const fs::path& adapter,
                                      const std::function<void(const Message&)>& on_message) {
  try {
    return Tokenizer::load(find_tokenizer(model, adapter));
  } catch (const Error& e) {
    if (e.code() != ErrorCode::kNotFound) throw;
    if (on_message) on_message(message("written without a tokenizer: {}", e.message()));
    return std::nullopt;
  }
}

void write_model(const OpenedModel& model, const std::optional<Tokenizer>& tokenizer,
                 const fs::path& folder) {
  make_folders(folder);
  if (tokenizer) tokenizer->save(folder);
  save_tensors(ParameterTable(model.config), *model.source, folder / "model.safetensors");
  HfConfigExtras extras{.files = model.files};
  extras.torch_dtype = type_name(model);
  if (model.files.config.empty() && tokenizer) extras.end_of_text = tokenizer->end_of_text();
  write_hf_config(folder, model.config, extras);
}

}  // namespace

void merge_adapter(const fs::path& model, const fs::path& adapter, const fs::path& output,
                   const std::function<void(const Message&)>& on_message) {
  const fs::path from = find_model(model);
  if (adapter.empty() && !is_adapter(from))
    fail(ErrorCode::kUsage, "'{}' is no adapter, and none is given", from.string());
  refuse_own_folder(output, from);
  if (!adapter.empty()) refuse_own_folder(output, find_adapter(adapter));
  if (is_adapter(from)) refuse_own_folder(output, base_of_adapter(from));
  const OpenedModel merged = open_model(from, adapter, on_message);
  const auto tokenizer = tokenizer_of(from, adapter, on_message);
  if (fs::exists(output) && !fs::is_empty(output)) {
    fail(ErrorCode::kUsage,
         "'{}' is there and not empty: give a folder that does not exist, or an empty one",
         output.string());
  }
  const fs::path folder = output.has_filename() ? output : output.parent_path();
  const fs::path temporary = temporary_beside(folder);  // whole, or absent
  try {
    write_model(merged, tokenizer, temporary);
    fs::rename(temporary, folder);
  } catch (...) {
    std::error_code ignored;
    fs::remove_all(temporary, ignored);
    throw;
  }
}

}  // namespace inkstone
