#include <algorithm>
#include <limits>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"
#include "corpus/folder_layout.h"
#include "corpus/load/batch_loader.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr int64_t kMax = std::numeric_limits<int64_t>::max();

bool is_there(const fs::path& path) {
  std::error_code ignored;
  return fs::exists(path, ignored);
}

// Names of the split's shards in the order of their numbers: prepare's, or where there are none
// llm.c's.
std::vector<std::string> find_shards(const fs::path& folder, const std::string& split) {
  std::vector<std::string> names, llmc_names;
  std::error_code error;
  for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
       at.increment(error)) {
    std::string name = at->path().filename().string();
    if (is_shard_name(name, split)) {
      names.push_back(std::move(name));
    } else if (is_llmc_shard_name(name, split)) {
      llmc_names.push_back(std::move(name));
    }
  }
  if (error)
    fail(ErrorCode::kInputOutput, "cannot list the folder '{}': {}", folder.string(),
         error.message());
  if (names.empty()) names = std::move(llmc_names);
  std::sort(names.begin(), names.end(), [](const std::string& a, const std::string& b) {
    return a.size() != b.size() ? a.size() < b.size() : a < b;
  });
  return names;
}

const Json& member(const Json& object, std::string_view key) {
  const auto at = object.find(std::string(key));
  if (at == object.end()) fail_missing_key(key);
  return *at;
}

// What report.json says about the shards of a split: name and tokens.
using ShardList = std::vector<std::pair<std::string, int64_t>>;

struct ReportedSplit {
  ShardList shards;
  int64_t vocab_size = 0;
};

// nullopt when there is no report, or one of another program.
std::optional<ReportedSplit> read_report(const fs::path& folder, const std::string& split) {
  const fs::path path = folder / kReportName;
  if (!is_there(path)) return std::nullopt;
  const Json json = read_json(path);
  return with_context(
      message("reading '{}'", path.string()), [&]() -> std::optional<ReportedSplit> {
        if (get_string(json, "program") != kPrepareProgram) return std::nullopt;
        ReportedSplit reported;
        reported.vocab_size = required(
            get_integer(member(json, "tokenizer"), "vocab_size", 1, kMax), "vocab_size");
        for (const Json& shard : member(member(json, split), "shards")) {
          reported.shards.emplace_back(required(get_string(shard, "file"), "file"),
                                       required(get_integer(shard, "tokens", 1, kMax), "tokens"));
        }
        return reported;
      });
}

void check_against_report(const fs::path& folder, const ShardList& found,
                          const ShardList& reported) {
  for (size_t i = 0; i < std::max(found.size(), reported.size()); ++i) {
    if (i < found.size() && i < reported.size() && found[i] == reported[i]) continue;
    const auto text = [i](const ShardList& list) {
      return i < list.size() ? message("'{}' with {} tokens", list[i].first, list[i].second)
                             : Message(marked("no more shards"));
    };
    fail(ErrorCode::kInvalidData,
         "'{}' has {}, expected {} as its {} says: run prepare again (or remove the report to use "
         "the shards as "
         "they are)",
         folder.string(), text(found), text(reported), kReportName);
  }
}

// Without a way out of the loop, which compilers turn into vector instructions.
TokenId largest(std::span<const TokenId> ids) {
  TokenId most = 0;
  for (const TokenId id : ids) most = std::max(most, id);
  return most;
}

}  // namespace

TokenStream::TokenStream(const fs::path& folder, const std::string& split, int64_t vocab_size)
    : folder_(folder), vocab_size_(vocab_size) {
  std::error_code ignored;
  if (!fs::is_directory(folder, ignored)) {
    fail(ErrorCode::kNotFound, "'{}' is not a folder, expected one that prepare wrote",
         folder.string());
  }
  if (is_there(folder / kWorkName / kPublishingName)) {
    fail(ErrorCode::kInvalidData,
         "'{}' holds a mixture of two corpora, for a prepare was interrupted: run prepare again",
         folder.string());
  }
  ShardList found;
  for (const std::string& name : find_shards(folder, split)) {
    shards_.emplace_back(folder / name);
    found.emplace_back(name, shards_.back().count());
    starts_.push_back(starts_.back() + shards_.back().count());
  }
  if (const auto reported = read_report(folder, split)) {
    check_against_report(folder, found, reported->shards);
    if (vocab_size_ == 0) vocab_size_ = reported->vocab_size;
  }
}

void TokenStream::advise(MappedFile::Access access) const {
  for (const TokenShard& shard : shards_) shard.advise(access);
}

void TokenStream::read(int64_t begin, std::span<TokenId> out) const {
  INK_CHECK(begin >= 0 && begin <= count() && static_cast<int64_t>(out.size()) <= count() - begin,
            "tokens outside the stream");
  size_t shard = static_cast<size_t>(std::upper_bound(starts_.begin(), starts_.end(), begin) -
                                     starts_.begin());
  for (; !out.empty(); ++shard) {
    const TokenShard& source = shards_[shard - 1];
    const int64_t at = begin - starts_[shard - 1];
    const size_t n = static_cast<size_t>(
        std::min(source.count() - at, static_cast<int64_t>(out.size())));
    source.read(at, out.first(n));
    if (vocab_size_ > 0 && largest(out.first(n)) >= vocab_size_) {
      const auto bad = std::find_if(out.begin(), out.end(),
                                    [&](TokenId id) { return id >= vocab_size_; });
      fail(ErrorCode::kInvalidData,
           "'{}': token {} is {}, expected an id below {}: the shard is damaged",
           source.path().string(), at + (bad - out.begin()), *bad, vocab_size_);
    }
    begin += static_cast<int64_t>(n);
    out = out.subspan(n);
  }
}

}  // namespace inkstone
