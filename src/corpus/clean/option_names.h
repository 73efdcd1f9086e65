// How the options of cleaning are written, on the command line and in a report.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "base/error.h"
#include "inkstone/cleaning.h"

namespace inkstone {

template <typename Option>
using OptionNames = std::vector<std::pair<std::string, Option>>;

inline const OptionNames<InvalidText> kInvalidTextNames = {
    {"replace", InvalidText::kReplace}, {"drop", InvalidText::kDrop}, {"keep", InvalidText::kKeep}};
inline const OptionNames<Normalization> kNormalizationNames = {
    {"none", Normalization::kNone},
    {"nfc", Normalization::kNfc},
    {"nfkc", Normalization::kNfkc},
    {"nfkc-cjk", Normalization::kNfkcCjk}};
inline const OptionNames<ChineseConversion> kConversionNames = {
    {"none", ChineseConversion::kNone},
    {"simplified", ChineseConversion::kSimplified},
    {"traditional", ChineseConversion::kTraditional}};
inline const OptionNames<QualityRules> kQualityRulesNames = {{"none", QualityRules::kNone},
                                                             {"gopher", QualityRules::kGopher},
                                                             {"c4", QualityRules::kC4},
                                                             {"fineweb", QualityRules::kFineWeb}};

template <typename Option>
const std::string& name_in(const OptionNames<Option>& names, Option option) {
  for (const auto& [name, named] : names) {
    if (named == option) return name;
  }
  fail(ErrorCode::kInternal, "an option without a name");
}

}  // namespace inkstone
