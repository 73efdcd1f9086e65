#include "corpus/prepare/split_writer.h"

#include <algorithm>
#include <nlohmann/json.hpp>
#include <utility>

#include "base/hash.h"
#include "corpus/folder_layout.h"

namespace inkstone {

Json to_json(const ShardReport& shard) {
  return {{"file", shard.file}, {"tokens", shard.tokens}, {"hash128", shard.hash128}};
}

Json to_json(const SpansReport& spans) {
  return {
      {"file", spans.file}, {"trained_tokens", spans.trained_tokens}, {"hash128", spans.hash128}};
}

namespace {

SpansPlace place_of(const Json& json) {
  return {.documents = count_in(json, "documents"),
          .spans = count_in(json, "spans"),
          .tokens = count_in(json, "tokens"),
          .trained_tokens = count_in(json, "trained_tokens")};
}

Json to_json(const SpansPlace& place) {
  return {{"documents", place.documents},
          {"spans", place.spans},
          {"tokens", place.tokens},
          {"trained_tokens", place.trained_tokens}};
}

}  // namespace

SplitWriter::SplitWriter(std::filesystem::path folder, std::string split,
                         const ShardOptions& options, const Json& state)
    : folder_(std::move(folder)), split_(std::move(split)), options_(options) {
  if (state.is_null()) return;
  for (const Json& shard : state.at("shards")) {
    finished_.push_back({required(get_string(shard, "file"), "file"), count_in(shard, "tokens"),
                         required(get_string(shard, "hash128"), "hash128")});
    tokens_ += finished_.back().tokens;
  }
  const int64_t open_tokens = count_in(state, "open_tokens");
  if (open_tokens > 0) open_shard(open_tokens);
  tokens_ += open_tokens;
  if (const Json& spans = state.at("spans"); !spans.is_null()) {
    spans_ = std::make_unique<TrainedSpansWriter>(folder_ / spans_name(split_), place_of(spans));
  }
}

std::string SplitWriter::next_name() const {
  return shard_name(split_, static_cast<int64_t>(finished_.size()));
}

void SplitWriter::open_shard(int64_t keep_tokens) {
  shard_ = std::make_unique<TokenShardWriter>(folder_ / next_name(), options_.bits, keep_tokens);
}

void SplitWriter::write(std::span<const TokenId> tokens) {
  tokens_ += static_cast<int64_t>(tokens.size());
  while (!tokens.empty()) {
    if (!shard_) open_shard(0);
    const int64_t room = options_.shard_tokens - shard_->count();
    const size_t n = static_cast<size_t>(std::min(room, static_cast<int64_t>(tokens.size())));
    shard_->write(tokens.first(n));
    tokens = tokens.subspan(n);
    if (shard_->count() == options_.shard_tokens) finish_shard();
  }
}

void SplitWriter::write(std::span<const TokenId> tokens, std::span<const TrainedSpan> spans) {
  if (!spans_) spans_ = std::make_unique<TrainedSpansWriter>(folder_ / spans_name(split_));
  spans_->write(static_cast<int64_t>(tokens.size()), spans);
  write(tokens);
}

void SplitWriter::finish_shard() {
  const std::string name = next_name();
  shard_->commit();
  finished_.push_back({name, shard_->count(), hash128_hex_of_file(folder_ / name)});
  shard_.reset();
}

Json SplitWriter::state() {
  if (shard_) shard_->sync();
  if (spans_) spans_->sync();
  Json shards = Json::array();
  for (const ShardReport& shard : finished_) shards.push_back(to_json(shard));
  return {{"shards", shards},
          {"open_tokens", shard_ ? shard_->count() : 0},
          {"spans", spans_ ? to_json(spans_->place()) : Json(nullptr)}};
}

std::optional<SpansReport> SplitWriter::finish_spans() {
  if (!spans_) return std::nullopt;
  const std::string name = spans_name(split_);
  spans_->commit();
  return SpansReport{name, spans_->place().trained_tokens, hash128_hex_of_file(folder_ / name)};
}

std::vector<ShardReport> SplitWriter::finish() {
  if (shard_) finish_shard();
  return std::move(finished_);
}

}  // namespace inkstone
