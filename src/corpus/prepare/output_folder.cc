#include "corpus/prepare/output_folder.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "corpus/folder_layout.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// What an earlier prepare may have written besides shards and its report.
constexpr std::string_view kTokenizerFiles[] = {
    "tokenizer.json", "tokenizer_config.json",   "vocab.json",
    "merges.txt",     "special_tokens_map.json", "turn_template.json"};

bool is_report(const fs::path& path) {
  try {
    return get_string(read_json(path), "program") == kPrepareProgram;
  } catch (const Error&) {
    return false;
  }
}

bool is_own_file(const std::string& name) {
  return is_shard_name(name) || is_spans_name(name) ||
         std::find(std::begin(kTokenizerFiles), std::end(kTokenizerFiles), name) !=
             std::end(kTokenizerFiles);
}

std::vector<std::string> names_in(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    names.push_back(at->path().filename().string());
  }
  if (error)
    fail(ErrorCode::kInputOutput, "cannot list the folder '{}': {}", folder.string(),
         error.message());
  std::sort(names.begin(), names.end());
  return names;
}

// Throws unless prepare may write into this folder, which exists.
void check_may_write(const fs::path& folder) {
  const auto names = names_in(folder);
  const auto has = [&](std::string_view name) {
    return std::binary_search(names.begin(), names.end(), name);
  };
  if (names.empty() || has(kWorkName) || (has(kReportName) && is_report(folder / kReportName)))
    return;
  fail(ErrorCode::kUsage,
       "the output folder '{}' holds '{}' and no {} of an earlier prepare: choose a new or empty "
       "folder",
       folder.string(), names.front(), kReportName);
}

void remove_tree(const fs::path& path) {
  std::error_code error;
  fs::remove_all(path, error);
  if (error)
    fail(ErrorCode::kInputOutput, "cannot remove '{}': {}", path.string(), error.message());
}

void move_file(const fs::path& from, const fs::path& to) {
  std::error_code error;
  fs::rename(from, to, error);
  if (error) fail(ErrorCode::kInputOutput, "cannot write '{}': {}", to.string(), error.message());
}

}  // namespace

OutputFolder::OutputFolder(fs::path path) : path_(std::move(path)), work_(path_ / kWorkName) {
  std::error_code ignored;
  const auto status = fs::status(path_, ignored);
  if (fs::exists(status) && !fs::is_directory(status)) {
    fail(ErrorCode::kUsage, "the output '{}' is a file, expected a folder or a new name",
         path_.string());
  }
  made_ = !fs::exists(status);
  if (!made_) check_may_write(path_);
  try {
    claim();
  } catch (...) {
    release();
    throw;
  }
}

void OutputFolder::claim() {
  make_folders(path_);
  lock_.emplace(path_);
  make_folders(work_);
  std::error_code ignored;
  publishing_ = fs::exists(work_ / kPublishingName, ignored);
  if (publishing_) discard();  // some of what was staged has been moved
  make_folders(staged());
  make_folders(scratch());
  remove_all_but_shards();
}

// Only shards, and their spans, are gone on with; all else is written anew, and a temporary file of
// a killed process must not be published.
void OutputFolder::remove_all_but_shards() {
  constexpr std::string_view kPartial = ".partial";
  for (const std::string& name : names_in(staged())) {
    std::string_view shard = name;
    if (shard.ends_with(kPartial)) shard.remove_suffix(kPartial.size());
    if (!is_shard_name(shard) && !is_spans_name(shard)) remove_tree(staged() / name);
  }
}

// A publication that was interrupted stays marked until this one is complete.
void OutputFolder::discard() {
  for (const std::string& name : names_in(work_)) {
    if (name != kPublishingName) remove_tree(work_ / name);
  }
  make_folders(staged());
  make_folders(scratch());
}

// Leaves the mark of an interrupted publication, and the folder that it is in.
void OutputFolder::release() noexcept {
  if (!lock_ || (kept_ && !published_)) return lock_.reset();
  std::error_code ignored;
  if (publishing_ && !published_) {
    fs::remove_all(staged(), ignored);
    fs::remove_all(scratch(), ignored);
    fs::remove(state(), ignored);
  } else {
    fs::remove_all(work_, ignored);
    if (made_ && !published_) fs::remove(path_, ignored);
  }
  lock_.reset();
}

OutputFolder::~OutputFolder() { release(); }

void OutputFolder::mark_publishing() {
  write_file(work_ / kPublishingName, "");
  publishing_ = true;
}

void OutputFolder::publish() {
  const auto names = names_in(staged());
  mark_publishing();
  for (const std::string& name : names) {
    if (name != kReportName) move_file(staged() / name, path_ / name);
  }
  for (const std::string& name : names_in(path_)) {
    if (is_own_file(name) && !std::binary_search(names.begin(), names.end(), name))
      remove_tree(path_ / name);
  }
  sync_folder(path_);
  move_file(staged() / kReportName, path_ / kReportName);
  sync_folder(path_);
  published_ = true;
}

}  // namespace inkstone
