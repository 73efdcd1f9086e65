// What the files of a folder tell of each other's encoding.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace inkstone {

// A file to be read, and how to call it in reports (standard input is read from a copy).
struct CorpusFile {
  std::filesystem::path path;
  std::string source;
  int64_t size_bytes = 0;
};

// Looks at nothing until it is asked, and into each folder once.
class FolderNeighbours {
 public:
  explicit FolderNeighbours(const std::vector<CorpusFile>& files) : files_(files) {}

  // Evidence (read/charset.h) of the first kMostFiles files of the corpus that lie in the folder of
  // files[index]. The same for all files of a folder, whatever was read before.
  const std::string& evidence_for(size_t index);

 private:
  static constexpr size_t kMostFiles = 64;

  struct Folder {
    std::vector<size_t> files;  // the first ones, by their place in files_
    std::string evidence;
    bool is_read = false;
  };

  void list_folders();

  const std::vector<CorpusFile>& files_;
  std::map<std::filesystem::path, Folder> folders_;  // empty until it is asked
};

}  // namespace inkstone
