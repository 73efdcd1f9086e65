#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/check.h"
#include "base/file.h"

namespace inkstone {

uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

Digest128 hash128(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return {hash.high64, hash.low64};
}

// XXH3 asks for a state on a 64-byte boundary, which its own allocation has.
template <typename Value>
struct StreamHash<Value>::State {
  XXH3_state_t* xxh = XXH3_createState();
  ~State() { XXH3_freeState(xxh); }
};

template <typename Value>
StreamHash<Value>::StreamHash() : state_(std::make_unique<State>()) {
  INK_CHECK(state_->xxh != nullptr, "no memory for a hash");
  reset();
}

template <typename Value>
StreamHash<Value>::~StreamHash() = default;

template <>
void Hash64::reset() {
  XXH3_64bits_reset(state_->xxh);
}
template <>
void Hash128::reset() {
  XXH3_128bits_reset(state_->xxh);
}

template <>
void Hash64::add(std::string_view bytes) {
  XXH3_64bits_update(state_->xxh, bytes.data(), bytes.size());
}
template <>
void Hash128::add(std::string_view bytes) {
  XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size());
}

template <>
uint64_t Hash64::value() const {
  return XXH3_64bits_digest(state_->xxh);
}
template <>
Digest128 Hash128::value() const {
  const XXH128_hash_t hash = XXH3_128bits_digest(state_->xxh);
  return {hash.high64, hash.low64};
}

template class StreamHash<uint64_t>;
template class StreamHash<Digest128>;

namespace {

std::string hex(const Digest128& hash) {
  return fmt::format("{:016x}{:016x}", hash.high, hash.low);
}

}  // namespace

std::string hash128_hex(std::string_view bytes) { return hex(hash128(bytes)); }

std::string hash128_hex_of_file(const std::filesystem::path& path) {
  constexpr size_t kPart_bytes = size_t{32} << 20;
  const MappedFile file(path);
  Hash128 hash;
  for (size_t at = 0; at < file.text().size(); at += kPart_bytes) {
    hash.add(file.text().substr(at, kPart_bytes));
    file.release();
  }
  return hex(hash.value());
}

}  // namespace inkstone
