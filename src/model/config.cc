#include "inkstone/model_config.h"

#include <array>
#include <utility>

#include "base/error.h"
#include "model/parameters.h"

namespace inkstone {
namespace {

struct Preset {
  std::string_view name;
  int64_t layers, heads, width, context;
};

// gpt2*: Radford et al. 2019, table 2. gpt-nano, gpt-micro, gpt-mini: minGPT's sizes. gpt-char and
// gpt-baby: nanoGPT's settings for Shakespeare on a CPU and on a GPU.
constexpr std::array kPresets = {
    Preset{"gpt2", 12, 12, 768, 1024},        Preset{"gpt2-medium", 24, 16, 1024, 1024},
    Preset{"gpt2-large", 36, 20, 1280, 1024}, Preset{"gpt2-xl", 48, 25, 1600, 1024},
    Preset{"distilgpt2", 6, 12, 768, 1024},   Preset{"gpt-nano", 3, 3, 48, 128},
    Preset{"gpt-micro", 4, 4, 128, 128},      Preset{"gpt-mini", 6, 6, 192, 256},
    Preset{"gpt-char", 4, 4, 128, 64},        Preset{"gpt-baby", 6, 6, 384, 256},
};

void check_range(std::string_view field, int64_t value, int64_t high) {
  if (value < 1 || value > high) {
    fail(ErrorCode::kUsage, "model: {} is {}, expected 1 to {}", field, value, high);
  }
}

}  // namespace

int64_t ModelConfig::parameter_count() const {
  const ParameterTable table(*this);
  int64_t count = 0;
  for (const ParameterRow& row : table.rows()) count += row.shape.count();
  return count;
}

void validate(const ModelConfig& config) {
  check_range("layers", config.layers, 1000);
  check_range("heads", config.heads, 1024);
  check_range("width", config.width, 65536);
  check_range("inner", config.inner_width(), 4 * 65536);
  check_range("context", config.context, 1 << 20);
  check_range("vocab_size", config.vocab_size, 10'000'000);
  if (config.width % config.heads != 0) {
    fail(ErrorCode::kUsage, "model: width {} is not a multiple of heads {}", config.width,
         config.heads);
  }
  if (!(config.layer_norm_epsilon > 0 && config.layer_norm_epsilon < 1)) {
    fail(ErrorCode::kUsage, "model: layer_norm_epsilon is {}, expected above 0 and below 1",
         config.layer_norm_epsilon);
  }
  if (!(config.initializer_range >= 0 && config.initializer_range < 100)) {
    fail(ErrorCode::kUsage, "model: initializer_range is {}, expected 0 to 100",
         config.initializer_range);
  }
}

std::optional<ModelConfig> preset(std::string_view name) {
  for (const Preset& p : kPresets) {
    if (p.name != name) continue;
    ModelConfig config;
    config.layers = p.layers;
    config.heads = p.heads;
    config.width = p.width;
    config.context = p.context;
    return config;
  }
  return std::nullopt;
}

std::vector<std::string> preset_names() {
  std::vector<std::string> names;
  for (const Preset& p : kPresets) names.emplace_back(p.name);
  return names;
}

}  // namespace inkstone
