// TensorBoard event files: TFRecord frames (length, masked CRC32C, Event protobuf, masked CRC32C).
// Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace inkstone {

// Appends scalars to a new file RUN/events.out.tfevents.<unix seconds>.<host>.<pid>.<n>. A killed process
// leaves at most one cut frame at the end, which TensorBoard skips.
class TensorBoardWriter {
 public:
  explicit TensorBoardWriter(const std::filesystem::path& folder);
  ~TensorBoardWriter();

  // wall_time in seconds since 1970.
  void scalar(std::string_view tag, int64_t step, float value, double wall_time);
  // After a resume: TensorBoard drops points at and above `step` that earlier files hold.
  void restart_at(int64_t step, double wall_time);
  void text(std::string_view tag, int64_t step, std::string_view value, double wall_time);
  void flush();

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

// CRC-32C (Castagnoli), reflected, polynomial 0x82F63B78.
uint32_t crc32c(std::string_view bytes);

}  // namespace inkstone
