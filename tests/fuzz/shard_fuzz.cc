// formats/token_shard on any bytes: in memory, and, once they are a shard, as a mapped file.
#include <vector>

#include "formats/token_shard.h"
#include "fuzz.h"
#include "memory_file.h"

namespace inkstone {
namespace {

void read_all(const TokenShard& shard) {
  std::vector<TokenId> ids(static_cast<size_t>(shard.count()));
  if (!fuzz::accepts([&] { shard.read(0, ids); })) return;
  for (const TokenId id : ids)
    fuzz::require(id >= 0, "a token that was read is no negative number");
  TokenId last = -1;
  if (shard.count() == 0) return;
  shard.read(shard.count() - 1, {&last, 1});
  fuzz::require(last == ids.back(), "a part of a shard holds the tokens of the whole");
}

}  // namespace
}  // namespace inkstone

// The header's 1,000 bytes without a meaning are left to the target, so that inputs stay small: the
// input is the 12 bytes of magic number, version and count, then the tokens.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  static const fuzz::MemoryFile file;
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::accepts([&] { parse_token_shard(text); });
  std::string shard(text.substr(0, 12));
  if (size >= 12) shard.append(1024 - 12, '\0').append(text.substr(12));
  if (!fuzz::accepts([&] { parse_token_shard(shard); })) return 0;
  file.set(shard);
  read_all(TokenShard(file.path()));
  return 0;
}
