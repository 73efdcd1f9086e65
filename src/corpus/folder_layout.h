// Names inside a prepared folder: what prepare writes and TokenStream reads.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace inkstone {

inline constexpr std::string_view kReportName = "report.json";
// The report's "program".
inline constexpr std::string_view kPrepareProgram = "inkstone prepare";

// The hidden folder where prepare works, and the file in it that is there while an earlier output
// is being replaced: the folder then holds a mixture.
inline constexpr std::string_view kWorkName = ".prepare-in-progress";
inline constexpr std::string_view kPublishingName = "publishing";

inline constexpr std::string_view kTrainSplit = "train", kValidationSplit = "val";

// "train_000000.bin"
std::string shard_name(std::string_view split, int64_t index);

// True for <split>_<digits>.bin.
bool is_shard_name(std::string_view name, std::string_view split);
// Of either split.
bool is_shard_name(std::string_view name);

// "train.spans": which tokens of a split's documents are trained (formats/trained_spans.h).
std::string spans_name(std::string_view split);
// Of either split.
bool is_spans_name(std::string_view name);

// True for names that llm.c's scripts give: <anything>_<split>_<digits>.bin,
// <anything>_<split>.bin, <split>.bin.
bool is_llmc_shard_name(std::string_view name, std::string_view split);

}  // namespace inkstone
