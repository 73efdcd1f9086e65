// Checksums of files and of bytes.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>

namespace inkstone {

// XXH3, 64 bits.
uint64_t hash64(std::string_view bytes);

// XXH3, 128 bits, as 32 hexadecimal digits, as `xxh128sum` prints it.
std::string hash128_hex(std::string_view bytes);
std::string hash128_hex_of_file(const std::filesystem::path& path);

}  // namespace inkstone
