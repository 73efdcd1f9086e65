#include "cli/terminal/history.h"

#include <algorithm>
#include <utility>

#include "base/append_file.h"
#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"

namespace inkstone::cli {
namespace {

constexpr std::string_view kLibeditMark = "_HiStOrY_V2_";
constexpr uint64_t kLargestFile = uint64_t{1} << 28;

bool is_octal(char c) { return c >= '0' && c <= '7'; }

// The text of a line of the file.
std::string parse_line(std::string_view line) {
  std::string text;
  for (size_t i = 0; i < line.size(); ++i) {
    const std::string_view rest = line.substr(i);
    if (rest.starts_with("\\n") || rest.starts_with("\\\\")) {
      text += rest[1] == 'n' ? '\n' : '\\';
      i += 1;
    } else if (rest.size() > 3 && rest[0] == '\\' &&
               std::ranges::all_of(rest.substr(1, 3), is_octal)) {
      text += static_cast<char>((rest[1] - '0') * 64 + (rest[2] - '0') * 8 + (rest[3] - '0'));
      i += 3;
    } else {
      text += rest[0];
    }
  }
  while (text.ends_with('\n')) text.pop_back();
  return replace_invalid_utf8(text);
}

}  // namespace

std::vector<std::string> parse_history(std::string_view file) {
  std::vector<std::string> texts;
  while (!file.empty()) {
    const std::string_view line = file.substr(0, file.find('\n'));
    file.remove_prefix(std::min(file.size(), line.size() + 1));
    if (std::string text = parse_line(line); !text.empty() && text != kLibeditMark)
      texts.push_back(std::move(text));
  }
  return texts;
}

std::string format_history_line(std::string_view text) {
  std::string line;
  for (const char c : text) line += c == '\n' ? "\\n" : c == '\\' ? "\\\\" : std::string(1, c);
  return line + "\n";
}

History::History(std::filesystem::path file) : file_(std::move(file)) {
  if (file_.empty()) return;
  try {
    if (std::filesystem::exists(file_)) texts_ = parse_history(read_file(file_, kLargestFile));
    if (texts_.size() <= 2 * kMost) return;
    // So that it does not grow for ever.
    texts_.erase(texts_.begin(), texts_.end() - kMost);
    std::string kept;
    for (const std::string& text : texts_) kept += format_history_line(text);
    write_file(file_, kept);
  } catch (const std::exception&) {
    file_.clear();
  }
}

void History::add(const std::string& text) {
  if (text.empty() || (!texts_.empty() && texts_.back() == text)) return;
  texts_.push_back(text);
  if (file_.empty()) return;
  try {
    AppendFile(file_).append(format_history_line(text));
  } catch (const Error&) {
    file_.clear();
  }
}

std::optional<size_t> History::find_before(size_t before, std::string_view part) const {
  for (size_t i = std::min(before, texts_.size()); i-- > 0;)
    if (texts_[i].find(part) != std::string::npos) return i;
  return std::nullopt;
}

}  // namespace inkstone::cli
