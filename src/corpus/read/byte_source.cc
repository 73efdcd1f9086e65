#include "corpus/read/byte_source.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include "base/error.h"

namespace inkstone {
namespace {

[[noreturn]] void fail_errno() {
  const int number = errno;
  throw Error(number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInputOutput,
              errno_text(number));
}

}  // namespace

ReadBytes read_from(std::string_view bytes) {
  return [bytes](char* out, size_t size_bytes) mutable {
    const size_t n = std::min(size_bytes, bytes.size());
    std::memcpy(out, bytes.data(), n);
    bytes.remove_prefix(n);
    return n;
  };
}

size_t read_more(const ReadBytes& read, size_t size_bytes, std::string& text) {
  size_t done = 0;
  for (size_t step = 16 * 1024; done < size_bytes; step *= 4) {
    const size_t wanted = std::min(step, size_bytes - done), old = text.size();
    text.resize(old + wanted);
    const size_t got = read(text.data() + old, wanted);
    text.resize(old + got);
    done += got;
    if (got < wanted) break;
  }
  return done;
}

ByteSource::ByteSource(const std::filesystem::path& path) : owned_(path != "-") {
  fd_ = owned_ ? ::open(path.c_str(), O_RDONLY | O_CLOEXEC) : STDIN_FILENO;
  if (fd_ < 0) fail_errno();
}

ByteSource::ByteSource(ByteSource&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), owned_(other.owned_) {}

ByteSource::~ByteSource() {
  if (owned_ && fd_ >= 0) ::close(fd_);
}

size_t ByteSource::read(char* out, size_t size_bytes) {
  size_t done = 0;
  while (done < size_bytes) {
    const size_t n = read_some(out + done, size_bytes - done);
    if (n == 0) break;
    done += n;
  }
  return done;
}

size_t ByteSource::read_some(char* out, size_t size_bytes) {
  for (;;) {
    const ssize_t n = ::read(fd_, out, std::min(size_bytes, size_t{1} << 30));
    if (n >= 0) return static_cast<size_t>(n);
    if (errno != EINTR) fail_errno();
  }
}

}  // namespace inkstone
