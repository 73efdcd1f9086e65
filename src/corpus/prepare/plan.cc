#include "corpus/prepare/plan.h"

#include <cstring>
#include <span>

#include "base/file.h"
#include "corpus/dedup/duplicates.h"
#include "corpus/prepare/split.h"

namespace inkstone {
namespace {

template <typename T>
std::span<const T> as_records(const MappedFile& file) {
  return {reinterpret_cast<const T*>(file.bytes().data()), file.bytes().size() / sizeof(T)};
}

void set_fates(DuplicateFinder& finder, Fate fate, std::vector<Fate>& fates) {
  finder.finish([&](const Duplicate& found) { fates[found.document] = fate; });
}

void find_exact(std::span<const DocumentRecord> records, const std::filesystem::path& scratch,
                std::vector<Fate>& fates) {
  DuplicateFinder finder(scratch);
  for (size_t i = 0; i < records.size(); ++i) {
    if (fates[i] == Fate::kTrain) finder.add({records[i].key.high, records[i].key.low}, i);
  }
  set_fates(finder, Fate::kDuplicate, fates);
}

void find_near(std::span<const DocumentRecord> records, const ScanFiles& scanned, size_t bands,
               const std::filesystem::path& scratch, std::vector<Fate>& fates) {
  const MappedFile file(scanned.bands);
  const auto hashes = as_records<uint64_t>(file);
  DuplicateFinder finder(scratch);
  for (size_t i = 0; i < records.size(); ++i) {
    if (fates[i] != Fate::kTrain || records[i].has_bands == 0) continue;
    for (size_t band = 0; band < bands; ++band) finder.add({hashes[i * bands + band], band}, i);
  }
  set_fates(finder, Fate::kNearDuplicate, fates);
}

}  // namespace

Plan make_plan(const ScanFiles& scanned, const PrepareOptions& options, const std::filesystem::path& scratch) {
  const MappedFile file(scanned.records);
  const auto records = as_records<DocumentRecord>(file);
  Plan plan;
  plan.fates.resize(records.size(), Fate::kTrain);
  for (size_t i = 0; i < records.size(); ++i) {
    if (records[i].is_dropped != 0) plan.fates[i] = Fate::kDropped;
  }
  if (options.exact_duplicates) find_exact(records, scratch, plan.fates);
  if (options.near_duplicates) {
    find_near(records, scanned, static_cast<size_t>(options.minhash.bands), scratch, plan.fates);
  }
  SplitPlanner planner(options.val_fraction);
  for (size_t i = 0; i < records.size(); ++i) {
    if (plan.fates[i] != Fate::kTrain) continue;
    planner.add(records[i].hash);
    ++plan.kept;
    plan.kept_bytes += records[i].bytes;
    plan.kept_characters += records[i].characters;
  }
  const std::vector<bool> validates = planner.finish();
  size_t kept = 0;
  for (Fate& fate : plan.fates) {
    if (fate == Fate::kTrain && validates[kept++]) fate = Fate::kValidation;
  }
  return plan;
}

}  // namespace inkstone
