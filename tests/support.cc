#include "support.h"

#include <stdlib.h>

namespace inkstone::test {
namespace fs = std::filesystem;

ScratchFolder::ScratchFolder() {
  std::string pattern = (fs::temp_directory_path() / "inkstone-test-XXXXXX").string();
  if (::mkdtemp(pattern.data()) == nullptr) throw std::runtime_error("mkdtemp failed: " + pattern);
  path_ = pattern;
}

ScratchFolder::~ScratchFolder() {
  std::error_code ignored;
  fs::permissions(path_, fs::perms::owner_all, ignored);
  fs::remove_all(path_, ignored);
}

static fs::path source_folder() {
  const char* folder = ::getenv("INKSTONE_SOURCE_DIR");
  return folder != nullptr ? fs::path(folder) : fs::current_path();
}

fs::path fixture(const std::string& name) { return source_folder() / "tests" / "fixtures" / name; }

std::optional<fs::path> shared_data(const std::string& name) {
  const char* folder = ::getenv("INKSTONE_TEST_DATA");
  const fs::path path = (folder != nullptr ? fs::path(folder)
                                           : source_folder() / ".." / "shared" / "data") /
                        name;
  if (!fs::exists(path)) return std::nullopt;
  return path;
}

Error thrown_by(const std::function<void()>& f) {
  try {
    f();
  } catch (const Error& e) {
    return e;
  }
  ADD_FAILURE() << "expected an inkstone::Error, nothing was thrown";
  return Error(ErrorCode::kInternal, "");
}

::testing::AssertionResult mentions(const Error& error, const std::string& part) {
  if (std::string(error.what()).find(part) != std::string::npos)
    return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << "'" << error.what() << "' does not mention '" << part << "'";
}

}  // namespace inkstone::test
