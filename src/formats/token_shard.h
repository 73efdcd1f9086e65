// Token shards: llm.c's .bin files. int32[256] little-endian header {magic 20240520, version 1,
// count}, then the tokens as uint16. 32-bit shards: magic 20240801, version 7, uint32. Layout:
// docs/formats.md.
#pragma once

#include <cstdint>
#include <filesystem>
#include <span>
#include <string_view>
#include <vector>

#include "base/file.h"
#include "inkstone/tokenizer.h"

namespace inkstone {

// The largest number of tokens in one shard: the header counts them in an int32.
inline constexpr int64_t kMaxShardTokens = INT32_MAX;

struct TokenShardHeader {
  int64_t count = 0;
  int bits = 16;
};

// Checks magic, version and size of a whole shard. Throws kInvalidData.
TokenShardHeader parse_token_shard(std::string_view file_bytes);

// A mapped shard. Throws kInvalidData naming the file when magic, version or size do not fit.
class TokenShard {
 public:
  explicit TokenShard(const std::filesystem::path& path);

  int64_t count() const { return header_.count; }
  int bits() const { return header_.bits; }
  // Copies tokens [begin, begin + out.size()) of the shard. Both must lie inside it. Throws
  // kInvalidData, naming the file and the place, on a 32-bit token that no TokenId can hold. Thread
  // safe.
  void read(int64_t begin, std::span<TokenId> out) const;
  // Random access from the start; a pass over the whole shard is quicker when the system knows of
  // it.
  void advise(MappedFile::Access access) const { file_.advise(access); }
  const std::filesystem::path& path() const { return file_.path(); }

 private:
  MappedFile file_;
  TokenShardHeader header_;
};

// Appends tokens to a shard file; whole or absent (AtomicFile).
class TokenShardWriter {
 public:
  // bits: 16 (ids up to 65535) or 32.
  TokenShardWriter(const std::filesystem::path& path, int bits);
  // The same, to be gone on with by another process: what is written before commit() lies in
  // "<path>.partial", and its first `keep_tokens` are kept. Throws kInputOutput when there are
  // fewer.
  TokenShardWriter(const std::filesystem::path& path, int bits, int64_t keep_tokens);
  // Throws kInternal, and writes nothing of `tokens`, on an id outside [0, 2^bits) and on more than
  // kMaxShardTokens tokens in all.
  void write(std::span<const TokenId> tokens);
  int64_t count() const { return count_; }  // tokens written so far
  // What has been written survives a power cut.
  void sync() { file_.sync(); }
  // Writes the count into the header and puts the file in place.
  void commit();

 private:
  void write_header_room();
  void write_as_u16(std::span<const TokenId> tokens);

  AtomicFile file_;
  int64_t count_ = 0;
  int bits_;
  std::vector<uint16_t> buffer_;  // one piece of a 16-bit shard on its way to the file
};

}  // namespace inkstone
