#include "corpus/prepare/folder_neighbours.h"

#include "base/error.h"
#include "corpus/read/byte_source.h"
#include "corpus/read/charset.h"

namespace inkstone {
namespace {

constexpr size_t kEvidence_bytes = 4096;

// A file that cannot be read tells nothing here, and is reported when its turn comes.
std::string head_of(const std::filesystem::path& path) {
  std::string head(kHead_bytes, '\0');
  try {
    head.resize(ByteSource(path).read(head.data(), head.size()));
  } catch (const Error&) {
    head.clear();
  }
  return head;
}

}  // namespace

void FolderNeighbours::list_folders() {
  for (size_t i = 0; i < files_.size(); ++i) {
    if (files_[i].path == "-") continue;
    std::vector<size_t>& listed = folders_[files_[i].path.parent_path()].files;
    if (listed.size() < kMostFiles) listed.push_back(i);
  }
}

const std::string& FolderNeighbours::evidence_for(size_t index) {
  if (folders_.empty()) list_folders();
  Folder& folder = folders_[files_[index].path.parent_path()];
  if (folder.is_read) return folder.evidence;
  folder.is_read = true;
  for (const size_t i : folder.files) {
    if (folder.evidence.size() >= kEvidence_bytes) break;
    folder.evidence += evidence_of(head_of(files_[i].path));
  }
  return folder.evidence;
}

}  // namespace inkstone
