#include "corpus/folder_layout.h"

#include <fmt/format.h>

namespace inkstone {

std::string shard_name(std::string_view split, int64_t index) {
  return fmt::format("{}_{:06}.bin", split, index);
}

bool is_shard_name(std::string_view name, std::string_view split) {
  constexpr std::string_view kSuffix = ".bin";
  if (name.size() <= split.size() + 1 + kSuffix.size()) return false;
  if (!name.starts_with(split) || name[split.size()] != '_' || !name.ends_with(kSuffix))
    return false;
  const std::string_view digits = name.substr(split.size() + 1,
                                              name.size() - split.size() - 1 - kSuffix.size());
  return digits.find_first_not_of("0123456789") == digits.npos;
}

std::string spans_name(std::string_view split) { return fmt::format("{}.spans", split); }

bool is_spans_name(std::string_view name) {
  return name == spans_name(kTrainSplit) || name == spans_name(kValidationSplit);
}

bool is_llmc_shard_name(std::string_view name, std::string_view split) {
  constexpr std::string_view kSuffix = ".bin";
  if (!name.ends_with(kSuffix)) return false;
  name.remove_suffix(kSuffix.size());
  const size_t digits = name.find_last_not_of("0123456789") + 1;
  if (digits < name.size() && digits > 0 && name[digits - 1] == '_')
    name = name.substr(0, digits - 1);
  if (!name.ends_with(split)) return false;
  name.remove_suffix(split.size());
  return name.empty() || (name.size() > 1 && name.ends_with('_'));
}

bool is_shard_name(std::string_view name) {
  return is_shard_name(name, kTrainSplit) || is_shard_name(name, kValidationSplit);
}

}  // namespace inkstone
