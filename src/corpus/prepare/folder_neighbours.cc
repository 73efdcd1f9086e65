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

const std::string& FolderNeighbours::evidence_for(size_t index) {
  const std::filesystem::path folder = files_[index].path.parent_path();
  const auto [found, is_new] = folders_.try_emplace(folder);
  std::string& evidence = found->second;
  size_t looked_at = 0;
  for (size_t i = 0; is_new && i < files_.size(); ++i) {
    if (files_[i].path == "-" || files_[i].path.parent_path() != folder) continue;
    if (++looked_at > kMostFiles || evidence.size() >= kEvidence_bytes) break;
    evidence += evidence_of(head_of(files_[i].path));
  }
  return evidence;
}

}  // namespace inkstone
