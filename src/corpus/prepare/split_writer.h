// Token shards of one split.
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/json.h"
#include "formats/token_shard.h"
#include "formats/trained_spans.h"
#include "inkstone/prepare.h"

namespace inkstone {

struct ShardOptions {
  int bits = 16;
  int64_t shard_tokens = 0;  // in each shard but the last
};

// Fills <split>_000000.bin, <split>_000001.bin, ... A document may lie across two shards.
class SplitWriter {
 public:
  // state: of an earlier writer of the same split, to go on from there; null: begin anew.
  SplitWriter(std::filesystem::path folder, std::string split, const ShardOptions& options,
              const Json& state);

  void write(std::span<const TokenId> tokens);
  // A whole document of which the spans are trained. All documents of a split are such, or none.
  void write(std::span<const TokenId> tokens, std::span<const TrainedSpan> spans);
  int64_t tokens() const { return tokens_; }
  // What another writer needs to go on from here; all that was written survives a power cut.
  Json state();
  // Completes the last shard. No shard is written for a split without tokens.
  std::vector<ShardReport> finish();
  // The same for the spans; nullopt: no document had any.
  std::optional<SpansReport> finish_spans();

 private:
  std::string next_name() const;
  void open_shard(int64_t keep_tokens);
  void finish_shard();

  std::filesystem::path folder_;
  std::string split_;
  ShardOptions options_;
  std::unique_ptr<TokenShardWriter> shard_;  // null between shards
  std::vector<ShardReport> finished_;
  std::unique_ptr<TrainedSpansWriter> spans_;  // null before the first document with spans
  int64_t tokens_ = 0;
};

Json to_json(const ShardReport& shard);
Json to_json(const SpansReport& spans);

}  // namespace inkstone
