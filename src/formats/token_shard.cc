#include "formats/token_shard.h"

#include <algorithm>
#include <array>
#include <cstring>

#include "base/check.h"
#include "base/error.h"
#include "base/lfs_pointer.h"
#include "formats/little_endian.h"

namespace inkstone {
namespace {

// Source: llm.c, llmc/dataloader.h and dev/data/data_common.py.
constexpr int64_t kHeaderBytes = 1024;
constexpr int32_t kMagic16 = 20240520, kVersion16 = 1;
constexpr int32_t kMagic32 = 20240801, kVersion32 = 7;
constexpr size_t kPieceTokens = 32768;

// nanoGPT's train.bin and val.bin are ids of 16 bits from the first byte on.
constexpr const char* kHeaderlessAdvice = marked(
    "If it holds ids alone, as nanoGPT writes them: prepare the text that it was made of, or get "
    "it back by `inkstone tokenizer decode --format u16 --tokenizer DIR FILE > text.txt`");

int bits_of_magic(int32_t magic) {
  if (magic == kMagic16) return 16;
  if (magic == kMagic32) return 32;
  fail(ErrorCode::kInvalidData,
       "not a token shard: the magic number is {}, expected {} (uint16) or {} (uint32). {}", magic,
       kMagic16, kMagic32, Message(kHeaderlessAdvice));
}

}  // namespace

TokenShardHeader parse_token_shard(std::string_view file_bytes) {
  const auto size_bytes = static_cast<int64_t>(file_bytes.size());
  if (size_bytes < kHeaderBytes) {
    fail(ErrorCode::kInvalidData,
         "not a token shard: {} bytes, expected at least the {} of a header. {}", size_bytes,
         kHeaderBytes, Message(kHeaderlessAdvice));
  }
  const auto field = [&](int i) { return load_little_endian<int32_t>(file_bytes.data() + 4 * i); };
  const int bits = bits_of_magic(field(0));
  const int32_t version = field(1), expected_version = bits == 16 ? kVersion16 : kVersion32;
  if (version != expected_version) {
    fail(ErrorCode::kInvalidData, "token shard of version {}, expected {} with the magic number {}",
         version, expected_version, field(0));
  }
  const int64_t count = field(2);
  if (count < 0) fail(ErrorCode::kInvalidData, "token shard with a count of {} tokens", count);
  const int64_t expected_bytes = kHeaderBytes + count * (bits / 8);
  if (size_bytes != expected_bytes) {
    fail(ErrorCode::kInvalidData,
         "token shard has {} bytes, expected {} for {} tokens of {} bits: it is {}", size_bytes,
         expected_bytes, count, bits,
         Message(size_bytes < expected_bytes ? marked("cut short") : marked("too long")));
  }
  return {.count = count, .bits = bits};
}

TokenShard::TokenShard(const std::filesystem::path& path)
    : file_(path, MappedFile::Access::kRandom),
      header_(with_context(message("reading '{}'", path.string()), [&] {
        refuse_lfs_pointer(path, file_.text());
        return parse_token_shard(file_.text());
      })) {}

void TokenShard::read(int64_t begin, std::span<TokenId> out) const {
  const auto size = static_cast<int64_t>(out.size());
  INK_CHECK(begin >= 0 && size <= count() && begin <= count() - size,
            "token range outside the shard");
  if (size == 0) return;
  const std::byte* from = file_.bytes().data() + kHeaderBytes + begin * (bits() / 8);
  if (bits() == 16) {
    for (int64_t i = 0; i < size; ++i) out[i] = load_little_endian<uint16_t>(from + 2 * i);
    return;
  }
  std::memcpy(out.data(), from, out.size_bytes());
  const auto negative = std::find_if(out.begin(), out.end(), [](TokenId id) { return id < 0; });
  if (negative != out.end()) {
    fail(ErrorCode::kInvalidData, "reading '{}': token {} is {}, expected at most {}",
         path().string(), begin + (negative - out.begin()), static_cast<uint32_t>(*negative),
         INT32_MAX);
  }
}

TokenShardWriter::TokenShardWriter(const std::filesystem::path& path, int bits)
    : file_(path), bits_(bits) {
  write_header_room();
}

TokenShardWriter::TokenShardWriter(const std::filesystem::path& path, int bits, int64_t keep_tokens)
    : file_(path,
            keep_tokens == 0 ? 0 : static_cast<uint64_t>(kHeaderBytes + keep_tokens * (bits / 8))),
      count_(keep_tokens),
      bits_(bits) {
  if (keep_tokens == 0) write_header_room();
}

void TokenShardWriter::write_header_room() {
  INK_CHECK(bits_ == 16 || bits_ == 32, "token shards have 16 or 32 bits");
  const std::array<std::byte, kHeaderBytes> room{};
  file_.write(room.data(), room.size());
}

void TokenShardWriter::write(std::span<const TokenId> tokens) {
  const auto size = static_cast<int64_t>(tokens.size());
  INK_CHECK(size <= kMaxShardTokens - count_, "more tokens than a shard's header can count");
  const int64_t limit = bits_ == 16 ? UINT16_MAX : INT32_MAX;
  for (const TokenId id : tokens)
    INK_CHECK(id >= 0 && id <= limit, "token id does not fit the shard");
  if (bits_ == 32) {
    file_.write(tokens.data(), tokens.size_bytes());
  } else {
    write_as_u16(tokens);
  }
  count_ += size;
}

void TokenShardWriter::write_as_u16(std::span<const TokenId> tokens) {
  while (!tokens.empty()) {
    const auto piece = tokens.first(std::min(tokens.size(), kPieceTokens));
    buffer_.assign(piece.begin(), piece.end());
    file_.write(buffer_.data(), buffer_.size() * sizeof buffer_[0]);
    tokens = tokens.subspan(piece.size());
  }
}

void TokenShardWriter::commit() {
  const std::array<int32_t, 3> header = {bits_ == 16 ? kMagic16 : kMagic32,
                                         bits_ == 16 ? kVersion16 : kVersion32,
                                         static_cast<int32_t>(count_)};
  file_.write_at(0, header.data(), sizeof header);
  file_.commit();
}

}  // namespace inkstone
