// One process at a time in a folder.
#pragma once

#include <filesystem>

namespace inkstone {

// An advisory lock (flock) on a folder that exists. It ends with the object, and with the process
// however that ends: what a killed process left is found unlocked.
class FolderLock {
 public:
  // Throws kUsage ("another process is at work in 'run'") if somebody holds it, kInputOutput if the
  // folder cannot be opened. A file system without locks counts as unlocked.
  explicit FolderLock(const std::filesystem::path& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  int descriptor_ = -1;
};

}  // namespace inkstone
