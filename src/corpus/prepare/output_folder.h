// The folder that prepare writes: everything is made aside and moved into place at the end.
#pragma once

#include <filesystem>
#include <optional>

#include "base/folder_lock.h"

namespace inkstone {

// Claims an output folder. Files are written into staged(), a hidden folder inside it; publish()
// moves them over those of an earlier prepare. Without publish(), all that was there stays as it
// was. What a killed process left in the hidden folder is still there, until discard().
class OutputFolder {
 public:
  // The folder must be absent, empty, or hold an earlier (perhaps interrupted) output of prepare;
  // else kUsage. kUsage also when another process is at work there. Throws kInputOutput when it
  // cannot be made.
  explicit OutputFolder(std::filesystem::path path);
  OutputFolder(const OutputFolder&) = delete;
  OutputFolder& operator=(const OutputFolder&) = delete;
  // Removes what was staged, and the folder if it was made by this object and nothing was
  // published; nothing after keep().
  ~OutputFolder();

  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path staged() const { return work_ / "new"; }
  // For files that are not part of the output.
  std::filesystem::path scratch() const { return work_ / "scratch"; }
  // Where the state of an unfinished prepare is kept.
  std::filesystem::path state() const { return work_ / "state.json"; }

  // Removes what an earlier process left unfinished.
  void discard();
  // Leaves what was staged for another process.
  void keep() { kept_ = true; }

  // Moves every staged file into the folder, removes the shards and tokenizer files of an earlier
  // prepare that were not written anew, and moves report.json last. Should this be interrupted, the
  // folder says so (kPublishingName), TokenStream refuses it, and the next prepare replaces it.
  void publish();

 private:
  void claim();
  void remove_all_but_shards();
  void mark_publishing();
  void release() noexcept;

  std::filesystem::path path_, work_;
  std::optional<FolderLock> lock_;
  bool made_ = false;  // by this object
  bool publishing_ = false, published_ = false, kept_ = false;
};

}  // namespace inkstone
