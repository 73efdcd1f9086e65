// CRC-32C (Castagnoli), the checksum of TFRecord frames. Source: RFC 3720, appendix B.4.
#pragma once

#include <cstdint>
#include <string_view>

namespace inkstone {

// Reflected, polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF. One byte a step: the
// frames are small.
uint32_t crc32c(std::string_view bytes);

}  // namespace inkstone
