#include "corpus/dedup/duplicates.h"

#include <algorithm>
#include <functional>
#include <iterator>
#include <map>
#include <queue>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>

#include "base/append_file.h"
#include "base/error.h"
#include "base/file.h"
#include "corpus/read/byte_source.h"

namespace inkstone {
namespace {

constexpr size_t kRecords_min = 256;
constexpr size_t kRuns_max = 128;  // open at a time; more are merged into one first

}  // namespace

// The records of a run in order, through a buffer.
class DuplicateFinder::Reader {
 public:
  Reader(const Run& run, size_t buffer_records)
      : path_(run.path), source_(open(run.path)), left_(run.records), buffer_(buffer_records) {}

  // False at the end.
  bool next(Record& record) {
    if (at_ == filled_ && !fill()) return false;
    record = buffer_[at_++];
    return true;
  }

 private:
  static ByteSource open(const std::filesystem::path& path) {
    return with_context(message("reading '{}'", path.string()), [&] { return ByteSource(path); });
  }

  bool fill() {
    filled_ = static_cast<size_t>(std::min<uint64_t>(left_, buffer_.size()));
    at_ = 0;
    left_ -= filled_;
    const size_t size_bytes = filled_ * sizeof(Record);
    const size_t read_bytes = with_context(message("reading '{}'", path_.string()), [&] {
      return source_.read(reinterpret_cast<char*>(buffer_.data()), size_bytes);
    });
    if (read_bytes != size_bytes) {
      fail(ErrorCode::kInputOutput,
           "'{}' is shorter than what was written to it; did something else change it?",
           path_.string());
    }
    return filled_ > 0;
  }

  std::filesystem::path path_;
  ByteSource source_;
  uint64_t left_;
  std::vector<Record> buffer_;
  size_t at_ = 0, filled_ = 0;
};

// Writes a run through a buffer.
class DuplicateFinder::Writer {
 public:
  Writer(const std::filesystem::path& path, size_t buffer_records)
      : file_(path), buffer_records_(buffer_records) {}

  void add(const Record& record) {
    buffer_.push_back(record);
    if (buffer_.size() >= buffer_records_) flush();
  }
  void flush() {
    file_.append({reinterpret_cast<const char*>(buffer_.data()), buffer_.size() * sizeof(Record)});
    buffer_.clear();
  }

 private:
  AppendFile file_;
  size_t buffer_records_;
  std::vector<Record> buffer_;
};

DuplicateFinder::DuplicateFinder(std::filesystem::path folder, size_t memory_bytes)
    : folder_(std::move(folder)),
      records_max_(std::max(kRecords_min, memory_bytes / sizeof(Record))) {}

DuplicateFinder::~DuplicateFinder() { remove_runs(); }

void DuplicateFinder::add(const DuplicateKey& key, uint64_t document) {
  if (records_.size() == records_max_) spill();
  if (records_.size() == records_.capacity()) {
    // Doubling beyond the limit would take memory that is never used.
    records_.reserve(std::min(records_max_, std::max(kRecords_min, records_.capacity() * 2)));
  }
  records_.push_back({key, document});
  document_count_ = std::max(document_count_, document + 1);
}

std::filesystem::path DuplicateFinder::next_path() {
  make_folders(folder_);
  return temporary_beside(folder_ / ("duplicates-" + std::to_string(paths_++)));
}

void DuplicateFinder::spill() {
  if (runs_.size() >= kRuns_max) compact();
  std::sort(records_.begin(), records_.end());
  // Before it is made, so that it is removed if writing fails.
  runs_.push_back({next_path(), records_.size()});
  AppendFile(runs_.back().path)
      .append({reinterpret_cast<const char*>(records_.data()), records_.size() * sizeof(Record)});
  records_.clear();
}

// Merges all runs, but not the records in memory, into one.
void DuplicateFinder::compact() {
  std::vector<Record> in_memory;
  in_memory.swap(records_);
  Run merged{next_path(), 0};
  try {
    Writer writer(merged.path, kRecords_min);
    merge([&](const Record& record) {
      writer.add(record);
      ++merged.records;
    });
    writer.flush();
  } catch (...) {
    std::error_code ignored;
    std::filesystem::remove(merged.path, ignored);
    throw;
  }
  remove_runs();
  runs_.push_back(std::move(merged));
  records_.swap(in_memory);
}

// Calls visit(record) for all records in order.
template <typename F>
void DuplicateFinder::merge(F&& visit) {
  std::sort(records_.begin(), records_.end());
  size_t in_memory = 0;
  std::vector<Reader> readers;
  const size_t buffer_records = std::max<size_t>(kRecords_min / 4,
                                                 std::min<size_t>(4096, records_max_ / kRuns_max));
  readers.reserve(runs_.size());
  for (const Run& run : runs_) readers.emplace_back(run, buffer_records);

  // A record and the reader that it is from; the last one is the memory.
  using Head = std::pair<Record, size_t>;
  std::priority_queue<Head, std::vector<Head>, std::greater<>> heads;
  const auto advance = [&](size_t from) {
    Record record;
    if (from < readers.size()) {
      if (readers[from].next(record)) heads.emplace(record, from);
    } else if (in_memory < records_.size()) {
      heads.emplace(records_[in_memory++], from);
    }
  };
  for (size_t from = 0; from <= readers.size(); ++from) advance(from);
  while (!heads.empty()) {
    const Head head = heads.top();
    heads.pop();
    visit(head.first);
    advance(head.second);
  }
}

void DuplicateFinder::finish(const std::function<void(const Duplicate&)>& found) {
  bool any = false;
  Record first{};
  merge([&](const Record& record) {
    if (any && record.key == first.key) {
      if (record.document != first.document) found({record.document, first.document});
    } else {
      first = record;
      any = true;
    }
  });
  remove_runs();
  records_ = {};
  document_count_ = 0;
}

Duplicates DuplicateFinder::finish(size_t examples_max) {
  Duplicates result;
  result.is_duplicate.resize(document_count_);
  std::map<uint64_t, uint64_t> examples;  // document -> first
  finish([&](const Duplicate& duplicate) {
    auto bit = result.is_duplicate[duplicate.document];
    result.count += bit ? 0 : 1;
    bit = true;
    const bool full = examples.size() == examples_max;
    if (full && (examples_max == 0 || duplicate.document > examples.rbegin()->first)) return;
    uint64_t& first = examples.try_emplace(duplicate.document, duplicate.first).first->second;
    first = std::min(first, duplicate.first);
    if (examples.size() > examples_max) examples.erase(std::prev(examples.end()));
  });
  for (const auto& [document, first] : examples) result.examples.push_back({document, first});
  return result;
}

void DuplicateFinder::remove_runs() {
  for (const Run& run : runs_) {
    std::error_code ignored;
    std::filesystem::remove(run.path, ignored);
  }
  runs_.clear();
}

}  // namespace inkstone
