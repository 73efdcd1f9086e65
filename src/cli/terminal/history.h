// Texts that were typed before, kept in a file.
#pragma once

#include <cstddef>
#include <filesystem>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace inkstone::cli {

// A file has one line per text, the oldest first: `\n` in it for an end of line, `\\` for a
// backslash. Also reads what libedit's history wrote (its first line, and `\040` and the like for
// bytes in octal).
std::vector<std::string> parse_history(std::string_view file);
std::string format_history_line(std::string_view text);

// The newest kMost texts. A file that cannot be read or written is a history that is not kept:
// typing goes on.
class History {
 public:
  static constexpr size_t kMost = 1000;

  explicit History(std::filesystem::path file);  // empty: not kept

  // Behind all others, and at the end of the file at once; not when it is the last one again.
  void add(const std::string& text);

  size_t size() const { return texts_.size(); }
  const std::string& operator[](size_t i) const { return texts_[i]; }  // 0 is the oldest
  // The newest text before number `before` that has `part` in it.
  std::optional<size_t> find_before(size_t before, std::string_view part) const;

 private:
  std::filesystem::path file_;
  std::vector<std::string> texts_;
};

}  // namespace inkstone::cli
