// Checksums of files and of bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace inkstone {

// XXH3, 64 bits.
uint64_t hash64(std::string_view bytes);

struct Digest128 {
  uint64_t high = 0, low = 0;

  bool operator==(const Digest128&) const = default;
};

// XXH3, 128 bits.
Digest128 hash128(std::string_view bytes);

// hash64 (Value = uint64_t) or hash128 (Value = Digest128) of bytes that come piece by piece: it
// depends on the bytes alone, not on the cuts.
template <typename Value>
class StreamHash {
 public:
  StreamHash();
  ~StreamHash();
  StreamHash(const StreamHash&) = delete;
  StreamHash& operator=(const StreamHash&) = delete;

  void add(std::string_view bytes);
  Value value() const;
  // Starts anew.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

using Hash64 = StreamHash<uint64_t>;
using Hash128 = StreamHash<Digest128>;

template <>
void Hash64::add(std::string_view bytes);
template <>
void Hash128::add(std::string_view bytes);
template <>
uint64_t Hash64::value() const;
template <>
Digest128 Hash128::value() const;
template <>
void Hash64::reset();
template <>
void Hash128::reset();

// hash128 as 32 hexadecimal digits, as `xxh128sum` prints it.
std::string hash128_hex(std::string_view bytes);
std::string hash128_hex_of_file(const std::filesystem::path& path);

}  // namespace inkstone
