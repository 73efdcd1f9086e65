#include "base/hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include "base/file.h"

namespace inkstone {

uint64_t hash64(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

std::string hash128_hex(std::string_view bytes) {
  const XXH128_hash_t hash = XXH3_128bits(bytes.data(), bytes.size());
  return fmt::format("{:016x}{:016x}", hash.high64, hash.low64);
}

std::string hash128_hex_of_file(const std::filesystem::path& path) {
  return hash128_hex(MappedFile(path).text());
}

}  // namespace inkstone
