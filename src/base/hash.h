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

// hash64 of bytes that come piece by piece: the value depends on the bytes alone, not on the cuts.
class Hash64 {
 public:
  Hash64();
  ~Hash64();
  Hash64(const Hash64&) = delete;
  Hash64& operator=(const Hash64&) = delete;

  void add(std::string_view bytes);
  uint64_t value() const;
  // Starts anew.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

struct Digest128 {
  uint64_t high = 0, low = 0;

  bool operator==(const Digest128&) const = default;
};

// XXH3, 128 bits.
Digest128 hash128(std::string_view bytes);

// hash128 of bytes that come piece by piece.
class Hash128 {
 public:
  Hash128();
  ~Hash128();
  Hash128(const Hash128&) = delete;
  Hash128& operator=(const Hash128&) = delete;

  void add(std::string_view bytes);
  Digest128 value() const;
  // Starts anew.
  void reset();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// hash128 as 32 hexadecimal digits, as `xxh128sum` prints it.
std::string hash128_hex(std::string_view bytes);
std::string hash128_hex_of_file(const std::filesystem::path& path);

}  // namespace inkstone
