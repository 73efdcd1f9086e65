// Files: read whole, map, and write so that a file is whole or absent.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace inkstone {

// A read-only mapping of a whole file; an empty file maps to an empty span. Movable.
// Throws kNotFound when it is absent and kInputOutput when it cannot be read or is not a regular
// file. A file that another process shortens while it is mapped raises SIGBUS: do not map files
// that are being written.
class MappedFile {
 public:
  enum class Access { kSequential, kRandom };

  MappedFile() = default;
  explicit MappedFile(const std::filesystem::path& path, Access access = Access::kSequential);
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;
  ~MappedFile();

  // How the bytes will be read from now on: whether the system reads ahead.
  void advise(Access access) const;

  // Lets the system take back the memory of what was read; it is read again from the file when it
  // is needed.
  void release() const;

  std::span<const std::byte> bytes() const { return {data_, size_}; }
  std::string_view text() const { return {reinterpret_cast<const char*>(data_), size_}; }
  const std::filesystem::path& path() const { return path_; }

 private:
  std::filesystem::path path_;
  const std::byte* data_ = nullptr;
  size_t size_ = 0;
};

// A file without a name, which goes with the object: for more than memory should hold. Movable.
class ScratchFile {
 public:
  // Of `size_bytes` zeros, in `folder`. Throws kNotFound without the folder, kInputOutput when the
  // file cannot be made otherwise.
  ScratchFile(const std::filesystem::path& folder, uint64_t size_bytes);
  ScratchFile(ScratchFile&& other) noexcept;
  ScratchFile& operator=(ScratchFile&&) = delete;
  ~ScratchFile();

  // `bytes` at `offset`, which together lie inside the file. Throw kInputOutput (a full disk too).
  void read(uint64_t offset, std::span<std::byte> bytes) const;
  void write(uint64_t offset, std::span<const std::byte> bytes);

  uint64_t size_bytes() const { return size_bytes_; }

 private:
  std::filesystem::path path_;  // what its name was, for messages
  int fd_ = -1;
  uint64_t size_bytes_;
};

// Writes `path` through a temporary file beside it. Nothing is visible at `path` until commit(),
// which flushes, syncs, renames over an existing file and syncs the folder. Without commit() the
// temporary file is removed and what was at `path` stays. Every failure (a full disk too) throws
// kInputOutput. A symbolic link stays one: its file is replaced. A device or pipe (/dev/null) is
// written to as it stands.
class AtomicFile {
 public:
  explicit AtomicFile(std::filesystem::path path);
  // For a file that outlives its process unfinished: the temporary file is "<path>.partial" and
  // stays without commit(). Goes on behind the first `keep_bytes` of it, or, when it was committed
  // since, of the file at `path`, which becomes the temporary file again; throws kInputOutput when
  // there are fewer.
  AtomicFile(std::filesystem::path path, uint64_t keep_bytes);
  AtomicFile(const AtomicFile&) = delete;
  AtomicFile& operator=(const AtomicFile&) = delete;
  ~AtomicFile();

  void write(const void* data, size_t size_bytes);
  void write(std::string_view text) { write(text.data(), text.size()); }
  // Overwrites bytes written before (a header whose counts are known only at the end).
  void write_at(uint64_t offset_bytes, const void* data, size_t size_bytes);
  // What has been written survives a power cut.
  void sync();
  void commit();

 private:
  std::filesystem::path path_;
  std::filesystem::path temporary_;  // empty: path_ is a device or pipe
  bool keeps_temporary_ = false;
  int fd_ = -1;
};

// The whole file as bytes. Throws as MappedFile, and kInvalidData above `limit_bytes`.
std::string read_file(const std::filesystem::path& path, uint64_t limit_bytes = uint64_t{1} << 32);

// AtomicFile in one call.
void write_file(const std::filesystem::path& path, std::string_view text);

// Makes the folder and its parents; throws kInputOutput with the reason.
void make_folders(const std::filesystem::path& path);

// Syncs a folder's entries, so that a rename in it survives a power cut.
void sync_folder(const std::filesystem::path& path);

// A name beside `path` that no other call and no other process uses now: "<path>.<pid>-<n>.tmp".
std::filesystem::path temporary_beside(const std::filesystem::path& path);

}  // namespace inkstone
