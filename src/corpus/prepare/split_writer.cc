#include "corpus/prepare/split_writer.h"

#include <algorithm>
#include <utility>

#include "base/hash.h"
#include "corpus/folder_layout.h"

namespace inkstone {

SplitWriter::SplitWriter(std::filesystem::path folder, std::string split, const ShardOptions& options)
    : folder_(std::move(folder)), split_(std::move(split)), options_(options) {}

void SplitWriter::write(std::span<const TokenId> tokens) {
  tokens_ += static_cast<int64_t>(tokens.size());
  while (!tokens.empty()) {
    if (!shard_) {
      const std::string name = shard_name(split_, static_cast<int64_t>(finished_.size()));
      shard_ = std::make_unique<TokenShardWriter>(folder_ / name, options_.bits);
    }
    const int64_t room = options_.shard_tokens - shard_->count();
    const size_t n = static_cast<size_t>(std::min(room, static_cast<int64_t>(tokens.size())));
    shard_->write(tokens.first(n));
    tokens = tokens.subspan(n);
    if (shard_->count() == options_.shard_tokens) finish_shard();
  }
}

void SplitWriter::finish_shard() {
  const std::string name = shard_name(split_, static_cast<int64_t>(finished_.size()));
  shard_->commit();
  finished_.push_back({name, shard_->count(), hash128_hex_of_file(folder_ / name)});
  shard_.reset();
}

std::vector<ShardReport> SplitWriter::finish() {
  if (shard_) finish_shard();
  return std::move(finished_);
}

}  // namespace inkstone
