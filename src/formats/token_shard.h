// Token shards: llm.c's .bin files. int32[256] little-endian header {magic 20240520, version, count}, then
// the tokens: version 1 uint16. 32-bit shards: magic 20240801, version 7, uint32. Layout: docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "base/file.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// A mapped shard. Throws kInvalidData naming the file when magic, version or size do not fit.
class TokenShard {
 public:
  explicit TokenShard(const std::filesystem::path& path);

  int64_t count() const { return count_; }
  int bits() const { return bits_; }
  // Copies tokens [begin, begin + out.size()) of the shard. Both must lie inside it.
  void read(int64_t begin, std::span<TokenId> out) const;
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  int64_t count_ = 0;
  int bits_ = 16;
};

// Appends tokens to a shard file; whole or absent (AtomicFile). bits: 16 (ids up to 65535) or 32. The header's
// count is written by commit(). Throws kInternal on an id that does not fit into `bits` and on more than
// 2^31 - 1 tokens, which the header cannot count.
class TokenShardWriter {
 public:
  TokenShardWriter(const std::filesystem::path& path, int bits);
  void write(std::span<const TokenId> tokens);
  int64_t count() const { return count_; }  // tokens written so far
  void commit();

 private:
  AtomicFile file_;
  int64_t count_ = 0;
  int bits_;
  std::vector<std::byte> buffer_;
};

}  // namespace inkstone
