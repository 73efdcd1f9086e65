#include "corpus/read/list_inputs.h"

#include <glob.h>
#include <sys/stat.h>

#include <algorithm>
#include <cerrno>
#include <map>
#include <memory>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "corpus/read/charset.h"
#include "corpus/read/read_text.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// What a path leads to: two paths lead to the same file when these are equal.
using Identity = std::pair<dev_t, ino_t>;

struct Status {
  mode_t mode = 0;
  Identity identity;
  int error = 0;  // errno of stat, else 0
};

// Follows symbolic links.
Status status_of(const fs::path& path) {
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) return {.mode = 0, .identity = {}, .error = errno};
  return {.mode = status.st_mode, .identity = {status.st_dev, status.st_ino}, .error = 0};
}

bool is_link(const fs::path& path) {
  std::error_code ignored;
  return fs::is_symlink(fs::symlink_status(path, ignored));
}

Message reason_of_failed_stat(const fs::path& path, int error) {
  if (error == ENOENT && is_link(path)) return marked("a symbolic link to nothing");
  return message("unreadable: {}", errno_text(error));
}

class InputWalker {
 public:
  explicit InputWalker(const fs::path& output) {
    if (output.empty()) return;
    if (const Status status = status_of(output); status.error == 0 && S_ISDIR(status.mode)) {
      seen_.emplace(status.identity, "");
    }
  }

  // A path, list or pattern that the user named.
  void add_input(const fs::path& input) {
    if (is_missing(input) && input.native().starts_with('@')) {
      add_list(input.native().substr(1));
    } else {
      add_path_or_pattern(input);
    }
  }

  std::vector<fs::path> take_files() { return std::move(files_); }
  std::vector<DroppedDocument> take_left_out() { return std::move(left_out_); }

 private:
  static bool is_missing(const fs::path& path) {
    const int error = status_of(path).error;
    return path != "-" && !is_link(path) && (error == ENOENT || error == ENOTDIR);
  }

  // Its bytes, for names of files need be in no encoding, but for a byte order mark.
  static std::string text_of_list(const fs::path& list) {
    std::string bytes = read_file(list);
    return examine_text(bytes, "").mark_bytes > 0 ? read_text(list) : bytes;
  }

  void add_list(const fs::path& list) {
    const Message context = message("the list of inputs '{}'", list.string());
    const std::string text = with_context(context, [&] { return text_of_list(list); });
    int number = 0;
    for (size_t at = 0; at < text.size();) {
      const size_t end = std::min(text.find('\n', at), text.size());
      std::string line = text.substr(at, end - at);
      at = end + 1;
      ++number;
      if (line.ends_with('\r')) line.pop_back();
      if (line.empty()) continue;
      with_context(message("'{}', line {}", list.string(), number),
                   [&] { add_path_or_pattern(line); });
    }
  }

  void add_path_or_pattern(const fs::path& path) {
    if (!is_missing(path) || path.native().find_first_of("*?[") == std::string::npos)
      return add_path(path);
    glob_t found{};
    const std::unique_ptr<glob_t, decltype(&::globfree)> owner(&found, &::globfree);
    if (::glob(path.c_str(), GLOB_NOSORT, nullptr, &found) != 0) {
      fail(ErrorCode::kNotFound, "the pattern '{}' matches nothing", path.string());
    }
    std::vector<std::string> matches(found.gl_pathv, found.gl_pathv + found.gl_pathc);
    std::sort(matches.begin(), matches.end());
    for (const std::string& match : matches) add_path(match);
  }

  void add_path(const fs::path& path) {
    if (path == "-") {
      if (has_standard_input_) return leave_out(path, marked("standard input is named twice"));
      has_standard_input_ = true;
      files_.push_back(path);
      return;
    }
    const Status status = status_of(path);
    if (status.error == ENOENT || status.error == ENOTDIR) {
      if (is_link(path)) {
        fail(ErrorCode::kNotFound, "the input '{}' is a symbolic link to nothing", path.string());
      }
      fail(ErrorCode::kNotFound, "the input '{}' is not there", path.string());
    }
    if (status.error != 0) return leave_out(path, reason_of_failed_stat(path, status.error));
    if (S_ISDIR(status.mode)) return walk(path);
    add_file(path, status);
  }

  void leave_out(const fs::path& path, Message reason) {
    left_out_.push_back({path.string(), std::move(reason)});
  }

  // Depth first, names in order of their bytes; the stack holds what is still to be visited, last
  // first.
  void walk(const fs::path& root) {
    std::vector<fs::path> pending = {root};
    while (!pending.empty()) {
      const fs::path path = std::move(pending.back());
      pending.pop_back();
      const Status status = status_of(path);
      if (status.error != 0) {
        leave_out(path, reason_of_failed_stat(path, status.error));
      } else if (S_ISDIR(status.mode)) {
        if (is_new(path, status)) push_entries(path, pending);
      } else if (S_ISREG(status.mode)) {
        add_file(path, status);
      } else {
        leave_out(path, marked("not a file (a pipe, socket or device)"));
      }
    }
  }

  void push_entries(const fs::path& folder, std::vector<fs::path>& pending) {
    std::vector<fs::path> entries;
    std::error_code error;
    for (fs::directory_iterator at(folder, error); !error && at != fs::directory_iterator();
         at.increment(error)) {
      if (at->path().filename().native().starts_with('.')) {
        leave_out(at->path(), marked("hidden"));
      } else {
        entries.push_back(at->path());
      }
    }
    if (error) leave_out(folder, message("unreadable: {}", error.message()));
    std::sort(entries.begin(), entries.end(), std::greater<>());
    std::move(entries.begin(), entries.end(), std::back_inserter(pending));
  }

  void add_file(const fs::path& path, const Status& status) {
    if (is_new(path, status)) files_.push_back(path);
  }

  bool is_new(const fs::path& path, const Status& status) {
    const auto [at, inserted] = seen_.emplace(status.identity, path.string());
    if (inserted) return true;
    leave_out(path, at->second.empty() ? Message(marked("the output folder"))
                                       : message("the same as '{}'", at->second));
    return false;
  }

  std::vector<fs::path> files_;
  std::vector<DroppedDocument> left_out_;
  bool has_standard_input_ = false;
  // With the path that led there first; "" is the output folder.
  std::map<Identity, std::string> seen_;
};

}  // namespace

std::vector<fs::path> list_inputs(const std::vector<fs::path>& inputs,
                                  std::vector<DroppedDocument>* left_out, const fs::path& output) {
  InputWalker walker(output);
  for (const fs::path& input : inputs) walker.add_input(input);
  if (left_out != nullptr) {
    for (DroppedDocument& dropped : walker.take_left_out()) left_out->push_back(std::move(dropped));
  }
  return walker.take_files();
}

}  // namespace inkstone
