// adapter_config.json, the configuration of PEFT's adapters, as text.
#pragma once

#include <nlohmann/json_fwd.hpp>

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "model/adapter.h"

namespace inkstone {

// What rank_pattern or alpha_pattern say: the first entry of the file that is a module's name or,
// behind a dot, its end.
class ModulePattern {
 public:
  ModulePattern() = default;
  // The member `key` of a configuration, numbers within [0, highest]. Throws kUnsupported for a
  // name that is a regular expression.
  ModulePattern(const Json& config, std::string_view key, double highest);

  std::optional<double> find(std::string_view module) const;

 private:
  struct Entry {
    std::string name;
    bool is_whole;  // not an end of the module's name
    double value;
  };
  std::vector<Entry> entries_;
};

// A configuration and what decides about single modules.
struct AdapterConfigText {
  AdapterConfig config;
  ModulePattern ranks, alphas;
  bool excludes = false;  // exclude_modules: the targets alone do not say which modules there are
  bool ties_weights = false;  // ensure_weight_tying

  // s of a module.
  double scale(std::string_view module, int64_t rank) const;
};

// Throws as read_adapter_config, whose errors then do not name a file.
AdapterConfigText parse_adapter_config(std::string_view json);

// Of `modules`, those whose rank or alpha is not the configuration's get patterns of their own.
Json adapter_config_json(const AdapterConfig& config, const std::vector<AdapterModule>& modules);

// PEFT's name of a module: "transformer.h.3.attn.c_attn", "lm_head".
std::string peft_module_name(std::string_view module);

// True if a list of targets and layers names the module.
bool is_target(const AdapterConfig& config, std::string_view module);

}  // namespace inkstone
