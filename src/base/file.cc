#include "base/file.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <utility>

#include "base/check.h"
#include "base/error.h"

namespace inkstone {
namespace {

// Closes a file descriptor when it leaves scope.
class Descriptor {
 public:
  explicit Descriptor(int fd) : fd_(fd) {}
  Descriptor(const Descriptor&) = delete;
  Descriptor& operator=(const Descriptor&) = delete;
  ~Descriptor() {
    if (fd_ >= 0) ::close(fd_);
  }
  int get() const { return fd_; }

 private:
  int fd_;
};

[[noreturn]] void fail_errno(const Message& action, const std::filesystem::path& path) {
  const int number = errno;
  const auto code = number == ENOENT ? ErrorCode::kNotFound : ErrorCode::kInputOutput;
  fail(code, "cannot {} '{}': {}", action, path.string(), errno_text(number));
}

int open_regular(const std::filesystem::path& path, uint64_t& size_bytes) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) fail_errno(marked("open"), path);
  struct stat status {};
  if (::fstat(fd, &status) != 0) {
    ::close(fd);
    fail_errno(marked("inspect"), path);
  }
  if (!S_ISREG(status.st_mode)) {
    ::close(fd);
    fail(ErrorCode::kInputOutput, "'{}' is {}, expected a regular file", path.string(),
         Message(S_ISDIR(status.st_mode) ? marked("a folder") : marked("a device or pipe")));
  }
  size_bytes = static_cast<uint64_t>(status.st_size);
  return fd;
}

// A device or pipe: its name stands for where bytes go, and holds none.
bool is_stream(const std::filesystem::path& path) {
  std::error_code ignored;
  const auto type = std::filesystem::status(path, ignored).type();
  using enum std::filesystem::file_type;
  return type == character || type == fifo;
}

// The file that a symbolic link names, which may not be there yet.
std::filesystem::path behind_links(std::filesystem::path path) {
  constexpr int kMostLinks = 40;  // as many as Linux follows
  std::error_code error;
  for (int i = 0; i < kMostLinks && std::filesystem::is_symlink(path, error); ++i) {
    const auto target = std::filesystem::read_symlink(path, error);
    if (error) break;
    path = path.parent_path() / target;  // an absolute target stays itself
  }
  return path;
}

}  // namespace

MappedFile::MappedFile(const std::filesystem::path& path, Access access) : path_(path) {
  uint64_t size_bytes = 0;
  const Descriptor fd(open_regular(path, size_bytes));
  size_ = size_bytes;
  if (size_ == 0) return;
  void* address = ::mmap(nullptr, size_, PROT_READ, MAP_PRIVATE, fd.get(), 0);
  if (address == MAP_FAILED) fail_errno(marked("map"), path);
  data_ = static_cast<const std::byte*>(address);
  advise(access);
}

void MappedFile::advise(Access access) const {
  if (size_ == 0) return;
  ::madvise(const_cast<std::byte*>(data_), size_,
            access == Access::kSequential ? MADV_SEQUENTIAL : MADV_RANDOM);
}

void MappedFile::release() const {
  if (size_ > 0) ::madvise(const_cast<std::byte*>(data_), size_, MADV_DONTNEED);
}

MappedFile::MappedFile(MappedFile&& other) noexcept
    : path_(std::move(other.path_)),
      data_(std::exchange(other.data_, nullptr)),
      size_(std::exchange(other.size_, 0)) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(data_, other.data_);
  std::swap(size_, other.size_);
  return *this;
}

MappedFile::~MappedFile() {
  if (data_ != nullptr) ::munmap(const_cast<std::byte*>(data_), size_);
}

ScratchFile::ScratchFile(const std::filesystem::path& folder, uint64_t size_bytes)
    : path_(temporary_beside(folder / "scratch")),
      fd_(::open(path_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600)),
      size_bytes_(size_bytes) {
  if (fd_ < 0) fail_errno(marked("create"), path_);
  ::unlink(path_.c_str());
  if (::ftruncate(fd_, static_cast<off_t>(size_bytes)) == 0) return;
  const int number = errno;
  ::close(fd_);
  errno = number;
  fail_errno(marked("make room for"), path_);
}

ScratchFile::ScratchFile(ScratchFile&& other) noexcept
    : path_(std::move(other.path_)),
      fd_(std::exchange(other.fd_, -1)),
      size_bytes_(std::exchange(other.size_bytes_, 0)) {}

ScratchFile::~ScratchFile() {
  if (fd_ >= 0) ::close(fd_);
}

void ScratchFile::read(uint64_t offset, std::span<std::byte> bytes) const {
  for (size_t done = 0; done < bytes.size();) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t count = ::pread(fd_, bytes.data() + done, bytes.size() - done, at);
    if (count < 0 && errno == EINTR) continue;
    if (count == 0) errno = EIO;
    if (count <= 0) fail_errno(marked("read"), path_);
    done += static_cast<size_t>(count);
  }
}

void ScratchFile::write(uint64_t offset, std::span<const std::byte> bytes) {
  for (size_t done = 0; done < bytes.size();) {
    const auto at = static_cast<off_t>(offset + done);
    const ssize_t count = ::pwrite(fd_, bytes.data() + done, bytes.size() - done, at);
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) fail_errno(marked("write"), path_);
    done += static_cast<size_t>(count);
  }
}

AtomicFile::AtomicFile(std::filesystem::path path) : path_(std::move(path)) {
  if (is_stream(path_)) {
    fd_ = ::open(path_.c_str(), O_WRONLY | O_CLOEXEC);
    if (fd_ < 0) fail_errno(marked("open"), path_);
    return;
  }
  path_ = behind_links(path_);
  temporary_ = temporary_beside(path_);
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_errno(marked("create"), temporary_);
}

AtomicFile::AtomicFile(std::filesystem::path path, uint64_t keep_bytes)
    : path_(std::move(path)), temporary_(path_), keeps_temporary_(true) {
  temporary_ += ".partial";
  std::error_code ignored;
  if (keep_bytes > 0 && !std::filesystem::exists(temporary_, ignored)) {
    // If there is none, it is found to be too short below.
    std::filesystem::rename(path_, temporary_, ignored);
  }
  fd_ = ::open(temporary_.c_str(), O_WRONLY | O_CREAT | O_CLOEXEC, 0666);
  if (fd_ < 0) fail_errno(marked("create"), temporary_);
  const off_t size = ::lseek(fd_, 0, SEEK_END), keep = static_cast<off_t>(keep_bytes);
  try {
    if (size < keep) {
      fail(ErrorCode::kInputOutput, "'{}' has {} bytes, expected at least {}", temporary_.string(),
           size, keep);
    }
    if (::ftruncate(fd_, keep) != 0 || ::lseek(fd_, keep, SEEK_SET) != keep)
      fail_errno(marked("write"), temporary_);
  } catch (...) {
    ::close(fd_);
    throw;
  }
}

AtomicFile::~AtomicFile() {
  if (fd_ < 0) return;
  ::close(fd_);
  if (!keeps_temporary_ && !temporary_.empty()) ::unlink(temporary_.c_str());
}

void AtomicFile::sync() {
  INK_CHECK(fd_ >= 0, "sync after commit");
  if (!temporary_.empty() && ::fdatasync(fd_) != 0) fail_errno(marked("write"), path_);
}

void AtomicFile::write(const void* data, size_t size_bytes) {
  INK_CHECK(fd_ >= 0, "write after commit");
  const char* at = static_cast<const char*>(data);
  while (size_bytes > 0) {
    const ssize_t n = ::write(fd_, at, std::min(size_bytes, size_t{1} << 30));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(marked("write"), path_);
    at += n;
    size_bytes -= static_cast<size_t>(n);
  }
}

void AtomicFile::write_at(uint64_t offset_bytes, const void* data, size_t size_bytes) {
  INK_CHECK(fd_ >= 0, "write after commit");
  const char* at = static_cast<const char*>(data);
  while (size_bytes > 0) {
    const ssize_t n = ::pwrite(fd_, at, size_bytes, static_cast<off_t>(offset_bytes));
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(marked("write"), path_);
    at += n;
    offset_bytes += static_cast<uint64_t>(n);
    size_bytes -= static_cast<size_t>(n);
  }
}

void AtomicFile::commit() {
  INK_CHECK(fd_ >= 0, "second commit");
  if (temporary_.empty()) {
    if (::close(std::exchange(fd_, -1)) != 0) fail_errno(marked("write"), path_);
    return;
  }
  if (::fsync(fd_) != 0) fail_errno(marked("write"), path_);
  if (::close(std::exchange(fd_, -1)) != 0 || ::rename(temporary_.c_str(), path_.c_str()) != 0) {
    const int number = errno;
    if (!keeps_temporary_) ::unlink(temporary_.c_str());
    errno = number;
    fail_errno(marked("write"), path_);
  }
  sync_folder(path_.parent_path());
}

std::string read_file(const std::filesystem::path& path, uint64_t limit_bytes) {
  uint64_t size_bytes = 0;
  const Descriptor fd(open_regular(path, size_bytes));
  if (size_bytes > limit_bytes) {
    fail(ErrorCode::kInvalidData, "'{}' has {} bytes, expected at most {}", path.string(),
         size_bytes, limit_bytes);
  }
  std::string text(size_bytes, '\0');
  size_t done = 0;
  while (done < text.size()) {
    const ssize_t n = ::read(fd.get(), text.data() + done, text.size() - done);
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail_errno(marked("read"), path);
    if (n == 0) break;  // the file became shorter since fstat
    done += static_cast<size_t>(n);
  }
  text.resize(done);
  return text;
}

void write_file(const std::filesystem::path& path, std::string_view text) {
  AtomicFile file(path);
  file.write(text);
  file.commit();
}

void make_folders(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) {
    fail(ErrorCode::kInputOutput, "cannot create the folder '{}': {}", path.string(),
         error.message());
  }
}

void sync_folder(const std::filesystem::path& path) {
  const auto folder = path.empty() ? std::filesystem::path(".") : path;
  const Descriptor fd(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
  if (fd.get() < 0) fail_errno(marked("open the folder"), folder);
  // Some network file systems cannot sync a folder and say EINVAL; the rename itself has been done.
  if (::fsync(fd.get()) != 0 && errno != EINVAL && errno != ENOTSUP)
    fail_errno(marked("sync"), folder);
}

std::filesystem::path temporary_beside(const std::filesystem::path& path) {
  static std::atomic<uint64_t> counter{0};
  auto name = path;
  name += fmt::format(".{}-{}.tmp", ::getpid(), counter.fetch_add(1));
  return name;
}

}  // namespace inkstone
