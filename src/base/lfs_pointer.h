// Git LFS keeps large files outside a repository; a clone without it has a few lines of text in
// their place.
#pragma once

#include <filesystem>
#include <string_view>

namespace inkstone {

// True for the text of a pointer. Source: github.com/git-lfs/git-lfs, docs/spec.md.
bool is_lfs_pointer(std::string_view text);

// Throws kInvalidData when the file's content is a pointer, saying how to fetch the file itself.
void refuse_lfs_pointer(const std::filesystem::path& path, std::string_view text);

}  // namespace inkstone
