#include "model/parameters.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <optional>
#include <utility>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr int64_t kAlignment = 16;  // elements: 64 bytes of float32
constexpr std::string_view kWeight = ".weight";

int64_t aligned(int64_t count) { return (count + kAlignment - 1) / kAlignment * kAlignment; }

}  // namespace

int ParameterTable::add(std::string name, const Shape& shape, Initialisation initialisation,
                        bool multiplied, int64_t maps) {
  rows_.push_back({.name = std::move(name),
                   .shape = shape,
                   .initialisation = initialisation,
                   .decay = shape.rank() == 2,
                   .multiplied = multiplied,
                   .maps = maps,
                   .depth = depth_,
                   .offset = flat_count_});
  flat_count_ += aligned(shape.count());
  return static_cast<int>(rows_.size()) - 1;
}

int64_t ParameterTable::multiplied_count() const {
  int64_t count = 0;
  for (const ParameterRow& row : rows_) count += row.multiplied ? row.shape.count() : 0;
  return count;
}

void ParameterTable::add_layer(const ModelConfig& config, int64_t l) {
  using enum Initialisation;
  const int64_t C = config.width, I = config.inner_width();
  depth_ = depth_of_layer(l);
  const auto name = [&](const char* part) { return fmt::format("h.{}.{}", l, part); };
  const auto bias = [&](const char* part, int64_t count) {
    const int row = config.biases ? add(name(part), {count}, kZero, false) : kNoRow;
    ++depth_;  // a part's bias stands behind its weight
    return row;
  };
  const auto matrix = [&](const char* part, int64_t in, int64_t out, Initialisation initialisation,
                          int64_t maps) {
    return add(name(part), {in, out}, initialisation, true, maps);
  };
  LayerRows r{};
  r.ln_1_weight = add(name("ln_1.weight"), {C}, kOne, false);
  r.ln_1_bias = bias("ln_1.bias", C);
  r.attn_weight = matrix("attn.c_attn.weight", C, 3 * C, kNormal, 3);
  r.attn_bias = bias("attn.c_attn.bias", 3 * C);
  r.attn_proj_weight = matrix("attn.c_proj.weight", C, C, kNormalResidual, 1);
  r.attn_proj_bias = bias("attn.c_proj.bias", C);
  r.ln_2_weight = add(name("ln_2.weight"), {C}, kOne, false);
  r.ln_2_bias = bias("ln_2.bias", C);
  r.fc_weight = matrix("mlp.c_fc.weight", C, I, kNormal, 1);
  r.fc_bias = bias("mlp.c_fc.bias", I);
  r.fc_proj_weight = matrix("mlp.c_proj.weight", I, C, kNormalResidual, 1);
  r.fc_proj_bias = bias("mlp.c_proj.bias", C);
  layers_.push_back(r);
}

ParameterTable::ParameterTable(const ModelConfig& config, const LoraOptions& lora) {
  using enum Initialisation;
  const int64_t C = config.width;
  add("wte.weight", {config.vocab_size, C}, kNormal, config.tied_output);
  add("wpe.weight", {config.context, C}, kNormal, false);
  for (int64_t l = 0; l < config.layers; ++l) add_layer(config, l);
  depth_ = depth_of_layer(config.layers);
  ln_f_weight_ = add("ln_f.weight", {C}, kOne, false);
  ln_f_bias_ = config.biases ? add("ln_f.bias", {C}, kZero, false) : kNoRow;
  ++depth_;
  output_ = config.tied_output ? wte()
                               : add("lm_head.weight", {config.vocab_size, C}, kNormal, true);
  adapters_.resize(rows_.size());
  if (lora.rank > 0) add_adapters(lora);
  place_gradients();
}

namespace {

// The next of the words with `mark` between them.
std::string_view take_word(std::string_view& text, char mark) {
  const std::string_view word = text.substr(0, text.find(mark));
  text.remove_prefix(std::min(text.size(), word.size() + 1));
  return word;
}

std::vector<std::string_view> words_of(std::string_view list) {
  std::vector<std::string_view> words;
  while (!list.empty()) words.push_back(take_word(list, ','));
  return words;
}

// "attn.c_attn" of "h.3.attn.c_attn.weight".
std::string_view module_of(std::string_view name) {
  name.remove_prefix(name.find('.', 2) + 1);
  return name.substr(0, name.size() - kWeight.size());
}

bool is_target(const ParameterRow& row, std::string_view target) {
  if (row.maps == 0) return false;
  const std::string_view module = module_of(row.name);
  return module == target ||
         (module.ends_with(target) && module[module.size() - target.size() - 1] == '.');
}

}  // namespace

double adapter_scale(const LoraOptions& lora) {
  const auto rank = static_cast<double>(lora.rank);
  return lora.alpha / (lora.rank_stabilised ? std::sqrt(rank) : rank);
}

AdapterRows ParameterTable::add_adapter(int row, const LoraOptions& lora) {
  using enum Initialisation;
  const Shape shape = rows_[row].shape;
  std::string module = rows_[row].name;
  module.resize(module.size() - kWeight.size());
  depth_ = rows_[row].depth;
  AdapterRows r;
  r.a = add(module + ".lora_A", {lora.rank, shape[0]}, kUniform, true);
  r.b = add(module + ".lora_B", {shape[1], lora.rank}, kZero, true);
  if (lora.magnitudes)
    r.magnitude = add(module + ".lora_magnitude", {shape[1]}, kColumnNorms, false);
  return r;
}

void ParameterTable::add_adapters(const LoraOptions& lora) {
  flat_count_ = 0;
  for (ParameterRow& row : rows_) {
    row.trained = false;
    row.offset = kNoOffset;
  }
  const int count = this->count();
  const auto targets = words_of(lora.targets);
  for (const std::string_view target : targets) {
    if (std::any_of(rows_.begin(), rows_.end(),
                    [&](const ParameterRow& row) { return is_target(row, target); }))
      continue;
    fail(ErrorCode::kUsage,
         "--lora-targets has '{}', expected some of attn.c_attn, attn.c_proj, mlp.c_fc and "
         "mlp.c_proj",
         target);
  }
  for (int row = 0; row < count; ++row) {
    const bool is_one = std::any_of(targets.begin(), targets.end(), [&](std::string_view target) {
      return is_target(rows_[row], target);
    });
    if (targets.empty() ? rows_[row].maps > 0 : is_one) adapters_[row] = add_adapter(row, lora);
  }
  adapters_.resize(rows_.size());
}

void ParameterTable::place_gradients() {
  gradient_count_ = 0;
  lowest_trained_ = depth_of_layer(layers()) + 2;  // below no row
  for (ParameterRow& row : rows_) {
    row.gradient_offset = row.trained ? gradient_count_ : kNoOffset;
    if (!row.trained) continue;
    gradient_count_ += aligned(row.shape.count());
    lowest_trained_ = std::min(lowest_trained_, row.depth);
  }
}

namespace {

std::optional<int64_t> number_of(std::string_view text) {
  int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (error != std::errc() || end != text.data() + text.size() || number < 0) return std::nullopt;
  return number;
}

// "*", "7" or "0-5".
bool is_in_range(int64_t layer, std::string_view range) {
  if (range == "*") return true;
  const size_t dash = range.find('-');
  const auto first = number_of(range.substr(0, dash));
  const auto last = dash == std::string_view::npos ? first : number_of(range.substr(dash + 1));
  return first && last && *first <= layer && layer <= *last;
}

double power_of_layer(const ParameterRow& row, double decay, int64_t layers) {
  const int64_t above_embeddings = std::min<int64_t>((row.depth + 5) / 6, layers);
  return std::pow(decay, static_cast<double>(layers - above_embeddings));
}

}  // namespace

bool lies_in_part(std::string_view name, std::string_view part) {
  const bool in_layer = name.starts_with("h.");
  for (int i = 0; !part.empty(); ++i) {
    if (name.empty()) return false;
    const std::string_view word = take_word(name, '.'), wanted = take_word(part, '.');
    const auto layer = in_layer && i == 1 ? number_of(word) : std::nullopt;
    if (layer ? !is_in_range(*layer, wanted) : word != wanted) return false;
  }
  return true;
}

void ParameterTable::set_policy(std::string_view freeze, double layer_lr_decay) {
  for (ParameterRow& row : rows_) row.trained = row.offset != kNoOffset;
  for (const std::string_view part : words_of(freeze)) {
    bool found = false;
    for (ParameterRow& row : rows_) {
      if (part.empty() || !lies_in_part(row.name, part)) continue;
      found = true;
      row.trained = false;
    }
    if (found) continue;
    fail(ErrorCode::kUsage,
         "--freeze has '{}', which names no part of this model of {} layers: expected wte, wpe, "
         "h.N, h.N-M, h.*.attn, ln_f",
         part, layers());
  }
  for (ParameterRow& row : rows_) row.lr_scale = power_of_layer(row, layer_lr_decay, layers());
  place_gradients();
  if (gradient_count_ == 0) fail(ErrorCode::kUsage, "--freeze leaves nothing to train");
}

}  // namespace inkstone
