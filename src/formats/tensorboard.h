// TensorBoard event files: TFRecord frames (length, masked CRC-32C, Event protobuf, masked
// CRC-32C). Sources: tensorflow/core/lib/io/record_writer.h, tensorflow/core/util/event.proto.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <string_view>

namespace inkstone {

// Writes a new file FOLDER/events.out.tfevents.<unix seconds>.<host>.<pid>.<n>; the folder must be
// there. TensorBoard reads a folder's files in the order of their names, so the seconds are at
// least one more than those of every event file that is there. Frames wait in memory until flush(),
// 64 KiB or the destructor. A killed process loses those and leaves at most one cut frame at the
// end, which TensorBoard skips. Text that is not UTF-8 is written with U+FFFD in place of what is
// invalid. wall_time: seconds since 1970. Not for several threads at once.
class TensorBoardWriter {
 public:
  // Throws kNotFound when the folder is not there, kInputOutput when the file cannot be written.
  explicit TensorBoardWriter(const std::filesystem::path& folder);
  // Flushes; a failure goes unnoticed here: call flush() before.
  ~TensorBoardWriter();

  // These throw what flush() throws.
  void scalar(std::string_view tag, int64_t step, float value, double wall_time);
  // After a resume: TensorBoard drops points at and above `step` that earlier files hold.
  void restart_at(int64_t step, double wall_time);
  // Shown by the text plugin, as Markdown.
  void text(std::string_view tag, int64_t step, std::string_view value, double wall_time);
  // Throws kInputOutput when the disk is full; the frames that were waiting are then lost, the file
  // is as it was, and the next ones may succeed.
  void flush();
  const std::filesystem::path& path() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace inkstone
