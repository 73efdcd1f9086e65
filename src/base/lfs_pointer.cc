#include "base/lfs_pointer.h"

#include "base/error.h"

namespace inkstone {

bool is_lfs_pointer(std::string_view text) {
  constexpr std::string_view kFirstKey = "version https://git-lfs.github.com/spec/";
  constexpr size_t kLongest_bytes = 1024;
  return text.size() < kLongest_bytes && text.starts_with(kFirstKey);
}

void refuse_lfs_pointer(const std::filesystem::path& path, std::string_view text) {
  if (!is_lfs_pointer(text)) return;
  fail(ErrorCode::kInvalidData,
       "'{}' is a Git LFS pointer, a few lines that stand for the file itself: run `git lfs pull` "
       "in its repository, or download the file",
       path.string());
}

}  // namespace inkstone
