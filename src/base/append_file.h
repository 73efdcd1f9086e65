// A log of records that grows while others read it.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string_view>

namespace inkstone {

// Appends to a file, which is made if it is not there. A process that is killed leaves whole
// appends and at most one cut one at the end. Not for several threads at once.
class AppendFile {
 public:
  // Throws kNotFound when the folder is not there, kInputOutput when the file cannot be written.
  explicit AppendFile(std::filesystem::path path);
  AppendFile(const AppendFile&) = delete;
  AppendFile& operator=(const AppendFile&) = delete;
  ~AppendFile();

  // Hands all bytes to the operating system; they survive the end of this process. When it fails (a
  // full disk), throws kInputOutput, and the file ends where it ended before: the next append may
  // succeed.
  void append(std::string_view bytes);
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  int fd_ = -1;
};

}  // namespace inkstone
