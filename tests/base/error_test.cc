#include "base/error.h"

#include <cerrno>

#include "base/check.h"
#include "support.h"

namespace inkstone {
namespace {

using test::mentions;
using test::thrown_by;

TEST(Fail, FormatsAndKeepsTheCode) {
  const Error error = thrown_by(
      [] { fail(ErrorCode::kUsage, "found {}, expected {}", 3, "four"); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_STREQ(error.what(), "found 3, expected four");
}

TEST(WithContext, PrependsAndKeepsTheCode) {
  const Error error = thrown_by([] {
    with_context("outer",
                 [] { with_context("inner", [] { fail(ErrorCode::kMismatch, "reason"); }); });
  });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_STREQ(error.what(), "outer: inner: reason");
}

TEST(WithContext, PassesTheResultThrough) {
  int value = 3;
  int& reference = with_context("x", [&]() -> int& { return value; });
  EXPECT_EQ(&reference, &value);
}

TEST(WithContext, LeavesOtherExceptionsAlone) {
  EXPECT_THROW(with_context("x", [] { throw std::bad_alloc(); }), std::bad_alloc);
}

TEST(Check, NamesThePlace) {
  const Error error = thrown_by([] { INK_CHECK(1 + 1 == 3, "arithmetic"); });
  EXPECT_EQ(error.code(), ErrorCode::kInternal);
  EXPECT_TRUE(mentions(error, "error_test.cc:"));
  EXPECT_TRUE(mentions(error, "1 + 1 == 3"));
  EXPECT_TRUE(mentions(error, "arithmetic"));
  INK_CHECK(true, "not thrown");
}

TEST(ErrnoText, SaysWhatTheSystemSays) {
  EXPECT_EQ(errno_text(ENOENT), "No such file or directory");
  EXPECT_EQ(errno_text(ENOSPC), "No space left on device");
}

}  // namespace
}  // namespace inkstone
