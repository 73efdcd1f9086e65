#include "corpus/prepare/plan.h"

#include <algorithm>
#include <cstddef>
#include <vector>

#include "base/file.h"
#include "corpus/dedup/duplicates.h"
#include "corpus/prepare/split.h"

namespace inkstone {
namespace {

// The records of a file, each of `size` values, for passes in order: what has been read is
// released, for the file may be larger than the memory that prepare promises to stay below.
template <typename T>
class RecordFile {
 public:
  explicit RecordFile(const std::filesystem::path& path, size_t size = 1)
      : file_(path),
        size_(size),
        block_records_(std::max<size_t>(1, kBlock_bytes / (size * sizeof(T)))) {}

  size_t count() const { return file_.bytes().size() / sizeof(T) / size_; }

  const T* operator[](size_t i) {
    if (i / block_records_ != block_) file_.release();
    block_ = i / block_records_;
    return reinterpret_cast<const T*>(file_.bytes().data()) + i * size_;
  }

 private:
  static constexpr size_t kBlock_bytes = size_t{8} << 20;
  MappedFile file_;
  size_t size_, block_records_;
  size_t block_ = 0;  // the one that was read last
};

using DocumentRecords = RecordFile<DocumentRecord>;

void set_fates(DuplicateFinder& finder, Fate fate, FateList& fates) {
  finder.finish([&](const Duplicate& found) { fates.set(found.document, fate); });
}

void find_exact(DocumentRecords& records, const std::filesystem::path& scratch, FateList& fates) {
  DuplicateFinder finder(scratch);
  for (size_t i = 0; i < records.count(); ++i) {
    if (fates.at(i) == Fate::kTrain) finder.add({records[i]->key.high, records[i]->key.low}, i);
  }
  set_fates(finder, Fate::kDuplicate, fates);
}

void find_near(DocumentRecords& records, const ScanFiles& scanned, size_t bands,
               const std::filesystem::path& scratch, FateList& fates) {
  RecordFile<uint64_t> hashes(scanned.bands, bands);
  DuplicateFinder finder(scratch);
  for (size_t i = 0; i < records.count(); ++i) {
    if (fates.at(i) != Fate::kTrain || records[i]->has_bands == 0) continue;
    for (size_t band = 0; band < bands; ++band) finder.add({hashes[i][band], band}, i);
  }
  set_fates(finder, Fate::kNearDuplicate, fates);
}

// Between the parts.
void divide(DocumentRecords& records, double val_fraction, Plan& plan) {
  SplitPlanner planner(val_fraction);
  for (size_t i = 0; i < records.count(); ++i) {
    if (plan.fates.at(i) != Fate::kTrain) continue;
    const bool is_long = plan.kept == 1 ||
                         is_cut(records[i]->characters, plan.kept_characters, val_fraction);
    if (is_long && records[i]->is_dialogue == 0) {
      plan.fates.set(i, Fate::kCut);
      ++plan.cut;
    } else {
      planner.add(records[i]->hash);
    }
  }
  std::vector<bool> validates = planner.finish(plan.cut == 0);
  if (validates.size() == 1 && plan.kept == 1) validates.front() = false;  // a conversation alone
  size_t whole = 0;
  for (size_t i = 0; i < records.count(); ++i) {
    if (plan.fates.at(i) == Fate::kTrain && validates[whole++])
      plan.fates.set(i, Fate::kValidation);
  }
}

}  // namespace

Plan make_plan(const ScanFiles& scanned, const PrepareOptions& options,
               const std::filesystem::path& scratch) {
  DocumentRecords records(scanned.records);
  Plan plan{.fates = FateList(scratch, records.count())};
  for (size_t i = 0; i < records.count(); ++i) {
    if (records[i]->is_dropped != 0) plan.fates.set(i, Fate::kDropped);
  }
  if (options.exact_duplicates) find_exact(records, scratch, plan.fates);
  if (options.near_duplicates) {
    find_near(records, scanned, static_cast<size_t>(options.minhash.bands), scratch, plan.fates);
  }
  for (size_t i = 0; i < records.count(); ++i) {
    if (plan.fates.at(i) != Fate::kTrain) continue;
    ++plan.kept;
    plan.kept_bytes += records[i]->bytes;
    plan.kept_characters += records[i]->characters;
  }
  divide(records, options.val_fraction, plan);
  return plan;
}

}  // namespace inkstone
