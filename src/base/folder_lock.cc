#include "base/folder_lock.h"

#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>

#include "base/error.h"
#include "base/file.h"

namespace inkstone {

FolderLock::FolderLock(const std::filesystem::path& folder)
    : descriptor_(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC)) {
  if (descriptor_ < 0)
    fail(ErrorCode::kInputOutput, "cannot open '{}': {}", folder.string(), errno_text(errno));
  if (::flock(descriptor_, LOCK_EX | LOCK_NB) != 0 && errno == EWOULDBLOCK) {
    ::close(descriptor_);
    fail(ErrorCode::kUsage,
         "another process is at work in '{}': wait for its end, or stop it first", folder.string());
  }
}

FolderLock::~FolderLock() { ::close(descriptor_); }

}  // namespace inkstone
