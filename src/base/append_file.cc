#include "base/append_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <utility>

#include "base/error.h"

namespace inkstone {

AppendFile::AppendFile(std::filesystem::path path) : path_(std::move(path)) {
  fd_ = ::open(path_.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ >= 0) return;
  const int number = errno;
  fail(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInputOutput,
       "cannot open '{}' for appending: {}", path_.string(), errno_text(number));
}

AppendFile::~AppendFile() { ::close(fd_); }

void AppendFile::append(std::string_view bytes) {
  const off_t end = ::lseek(fd_, 0, SEEK_END);
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) {
      const int number = errno;
      // Else the part that was written would run into the next record. A device has no end to go
      // back to.
      [[maybe_unused]] const int ignored = end >= 0 ? ::ftruncate(fd_, end) : 0;
      fail(ErrorCode::kInputOutput, "cannot append to '{}': {}", path_.string(),
           errno_text(number));
    }
    bytes.remove_prefix(static_cast<size_t>(n));
  }
}

}  // namespace inkstone
