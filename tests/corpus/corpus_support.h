// What the corpus tests share.
#pragma once

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/file.h"
#include "corpus/load/batch_loader.h"
#include "inkstone/prepare.h"
#include "support.h"

namespace inkstone::test {

// Writes a file, and the folders that it lies in.
inline std::filesystem::path write_text(const std::filesystem::path& path, std::string_view text) {
  make_folders(path.parent_path());
  write_file(path, text);
  return path;
}

inline Tokenizer make_tokenizer(TokenizerType type,
                                std::string text = "a text to learn from, from a text to a text",
                                bool with_end_of_text = true) {
  TokenizerTrainOptions options{.type = type, .vocab_size = 300};
  if (!with_end_of_text) options.special_tokens.clear();
  std::optional<std::string> next = std::move(text);
  return Tokenizer::train([&] { return std::exchange(next, std::nullopt); }, options);
}

inline Tokenizer byte_tokenizer() { return make_tokenizer(TokenizerType::kByte); }

inline std::vector<TokenId> tokens_of(const std::filesystem::path& folder,
                                      const std::string& split) {
  const TokenStream stream(folder, split);
  std::vector<TokenId> ids(static_cast<size_t>(stream.count()));
  stream.read(0, ids);
  return ids;
}

// The documents of a split: what each end-of-text closes. What follows the last one is a document
// "OPEN: ...".
inline std::vector<std::string> documents_of(const std::filesystem::path& folder,
                                             const std::string& split, const Tokenizer& tokenizer) {
  std::vector<std::string> documents;
  std::vector<TokenId> current;
  for (const TokenId id : tokens_of(folder, split)) {
    if (id == tokenizer.end_of_text()) {
      documents.push_back(tokenizer.decode(current));
      current.clear();
    } else {
      current.push_back(id);
    }
  }
  if (!current.empty()) documents.push_back("OPEN: " + tokenizer.decode(current));
  return documents;
}

// Every file below a folder with its content.
inline std::map<std::string, std::string> snapshot(const std::filesystem::path& folder) {
  std::map<std::string, std::string> files;
  for (const auto& entry : std::filesystem::recursive_directory_iterator(folder)) {
    const std::string name = std::filesystem::relative(entry.path(), folder).string();
    files[name] = entry.is_regular_file() ? read_file(entry.path()) : "(folder)";
  }
  return files;
}

// Every document as it is, whatever is in it and however often.
inline PrepareOptions untouched(PrepareOptions options) {
  options.clean = {.invalid = InvalidText::kKeep, .line_ends = false, .control_characters = false};
  options.exact_duplicates = false;
  return options;
}

// The reason for which `source` was left out, "" if it was not.
inline std::string reason_for(const std::vector<DroppedDocument>& dropped,
                              const std::filesystem::path& source) {
  for (const auto& d : dropped) {
    if (d.source == source.string()) return d.reason.english();
  }
  return "";
}

// While it lives, the process may not write files longer than `bytes`: the stand-in for a full
// disk.
class FileSizeLimit {
 public:
  explicit FileSizeLimit(rlim_t bytes) : old_handler_(std::signal(SIGXFSZ, SIG_IGN)) {
    ::getrlimit(RLIMIT_FSIZE, &old_);
    const rlimit limit{.rlim_cur = bytes, .rlim_max = old_.rlim_max};
    ::setrlimit(RLIMIT_FSIZE, &limit);
  }
  ~FileSizeLimit() {
    ::setrlimit(RLIMIT_FSIZE, &old_);
    std::signal(SIGXFSZ, old_handler_);
  }

 private:
  rlimit old_{};
  void (*old_handler_)(int);
};

// While it lives, the process is not root (whom no permission stops).
class OrdinaryUser {
 public:
  OrdinaryUser() {
    if (::geteuid() == 0) changed_ = ::seteuid(65534) == 0;
  }
  ~OrdinaryUser() {
    if (changed_ && ::seteuid(0) != 0) ADD_FAILURE() << "cannot become root again";
  }

 private:
  bool changed_ = false;
};

}  // namespace inkstone::test
