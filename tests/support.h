// What several test programs need: scratch folders, fixtures, and the optional shared data.
#pragma once

#include <gtest/gtest.h>

#include <filesystem>
#include <functional>
#include <optional>
#include <string>

#include "inkstone/error.h"

namespace inkstone::test {

// An empty folder of this test's own, removed with its content at the end.
class ScratchFolder {
 public:
  ScratchFolder();
  ~ScratchFolder();
  const std::filesystem::path& path() const { return path_; }
  std::filesystem::path operator/(const std::string& name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

// tests/fixtures/<name> of the source tree.
std::filesystem::path fixture(const std::string& name);

// <data>/<name>, where <data> is $INKSTONE_TEST_DATA or ../shared/data beside the source tree;
// nullopt when the file is not there: the test then says so and skips.
std::optional<std::filesystem::path> shared_data(const std::string& name);

// Runs f and returns the Error it throws; fails the test when it throws none.
Error thrown_by(const std::function<void()>& f);

// True if the Error's text contains `part`.
::testing::AssertionResult mentions(const Error& error, const std::string& part);

}  // namespace inkstone::test

// Path of shared data, or GTEST_SKIP with the reason.
#define INK_SHARED_DATA_OR_SKIP(variable, name)                                   \
  const auto variable##_found = ::inkstone::test::shared_data(name);              \
  if (!variable##_found)                                                          \
    GTEST_SKIP() << "test data " << name << " is not there (INKSTONE_TEST_DATA)"; \
  const std::filesystem::path variable = *variable##_found
