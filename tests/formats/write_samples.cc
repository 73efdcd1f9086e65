// Writes one file of every format into a folder, for tools/check_formats.py, which reads them with
// the Python packages that own the formats.
#include <cstdio>
#include <vector>

#include "base/error.h"
#include "formats/gguf.h"
#include "formats/hf_config.h"
#include "formats/npy.h"
#include "formats/safetensors.h"
#include "formats/tensorboard.h"
#include "formats/token_shard.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;

constexpr ModelConfig kConfig = {
    .layers = 2, .heads = 3, .width = 24, .context = 16, .vocab_size = 65};

struct NamedShape {
  std::string name;
  std::vector<int64_t> shape;
};

std::vector<NamedShape> gpt2_tensors(const ModelConfig& c) {
  std::vector<NamedShape> all = {{"wte.weight", {c.vocab_size, c.width}},
                                 {"wpe.weight", {c.context, c.width}},
                                 {"ln_f.weight", {c.width}},
                                 {"ln_f.bias", {c.width}}};
  for (int64_t layer = 0; layer < c.layers; ++layer) {
    const std::string h = "h." + std::to_string(layer);
    for (const char* norm : {".ln_1", ".ln_2"}) {
      all.push_back({h + norm + ".weight", {c.width}});
      all.push_back({h + norm + ".bias", {c.width}});
    }
    const auto linear = [&](const char* name, int64_t in, int64_t out) {
      all.push_back({h + name + ".weight", {in, out}});
      all.push_back({h + name + ".bias", {out}});
    };
    linear(".attn.c_attn", c.width, 3 * c.width);
    linear(".attn.c_proj", c.width, c.width);
    linear(".mlp.c_fc", c.width, 4 * c.width);
    linear(".mlp.c_proj", 4 * c.width, c.width);
  }
  return all;
}

// Element i of tensor number n is n + i / 1024: exact in float32, and easy to state in Python.
void write_model(const fs::path& folder) {
  const std::vector<NamedShape> tensors = gpt2_tensors(kConfig);
  std::vector<std::vector<float>> values(tensors.size());
  std::vector<TensorToStore> to_store;
  for (size_t n = 0; n < tensors.size(); ++n) {
    int64_t count = 1;
    for (const int64_t size : tensors[n].shape) count *= size;
    for (int64_t i = 0; i < count; ++i) {
      values[n].push_back(static_cast<float>(n) + static_cast<float>(i) / 1024);
    }
    to_store.push_back({.name = "transformer." + tensors[n].name,
                        .dtype = DType::kF32,
                        .shape = tensors[n].shape,
                        .data = values[n].data()});
  }
  write_safetensors(folder / "model.safetensors", to_store, {{"format", "pt"}});
  write_hf_config(folder, kConfig, {.end_of_text = std::nullopt, .dropout = 0.25});
}

// The second writer is a run that was resumed at step 5.
void write_events(const fs::path& folder) {
  TensorBoardWriter first(folder);
  for (int64_t step = 0; step < 8; ++step) first.scalar("loss", step, 8.0f - step, 100.0 + step);
  first.text("sample", 4, "To be 墨", 104);
  first.flush();
  TensorBoardWriter second(folder);
  second.restart_at(5, 110);
  for (int64_t step = 5; step < 7; ++step)
    second.scalar("loss", step, 50.0f + static_cast<float>(step), 110.0 + step);
  second.flush();
}

void write_shards(const fs::path& folder) {
  TokenShardWriter narrow(folder / "16.bin", 16), wide(folder / "32.bin", 32);
  narrow.write(std::vector<TokenId>{1, 50256, 65535});
  wide.write(std::vector<TokenId>{1, 100256});
  narrow.commit();
  wide.commit();
}

// Rows of i / 4 in float32, and one block of zeros.
void write_gguf_sample(const fs::path& path) {
  const std::vector<float> matrix = {0, 0.25f, 0.5f, 0.75f, 1, 1.25f};
  const std::vector<std::byte> block(static_cast<size_t>(block_of(WeightType::kQ8_0).bytes));
  const std::vector<GgufTensorToWrite> tensors = {
      {.name = "matrix",
       .type = WeightType::kF32,
       .shape = {2, 3},
       .write = [&](const GgufSink& sink) { sink(std::as_bytes(std::span(matrix))); }},
      {.name = "block",
       .type = WeightType::kQ8_0,
       .shape = {1, 32},
       .write = [&](const GgufSink& sink) { sink(block); }}};
  const std::vector<std::string> words = {"Ġt", "", "墨"};
  write_gguf(path,
             std::vector{gguf_string("general.architecture", "gpt2"), gguf_u32("a.u32", 4294967295),
                         gguf_f32("a.f32", 0.5f), gguf_bool("a.bool", true),
                         gguf_strings("a.strings", words), gguf_i32s("a.i32s", std::vector{1, -3})},
             tensors);
}

void write_all(const fs::path& folder) {
  for (const char* name : {"model", "events"}) make_folders(folder / name);
  write_model(folder / "model");
  write_events(folder / "events");
  write_shards(folder);
  write_gguf_sample(folder / "a.gguf");
  write_npy(folder / "a.npy", std::vector<float>{0, 1, 2, 3, 4, 5}, {2, 3});
}

}  // namespace
}  // namespace inkstone

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: write_format_samples FOLDER\n");
    return 2;
  }
  try {
    inkstone::write_all(arguments[1]);
  } catch (const inkstone::Error& e) {
    std::fprintf(stderr, "%s\n", e.what());
    return 1;
  }
  return 0;
}
