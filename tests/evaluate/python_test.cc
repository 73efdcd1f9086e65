// What is stated in Python's terms: its white space, its case, its random numbers (goldens of
// CPython 3.11).
#include <gtest/gtest.h>

#include "evaluate/python_random.h"
#include "evaluate/python_text.h"
#include "support.h"

namespace inkstone::evaluate {
namespace {

using Places = std::vector<size_t>;

TEST(PythonText, WhiteSpaceIsUnicodesAndFourSeparators) {
  EXPECT_EQ(python_strip(" \t\n\u00A0\u2003\x1C a\u3000b \x85"), "a\u3000b \x85");  // no UTF-8
  EXPECT_EQ(python_strip("\u0085a\x1F\u2028"), "a");
  EXPECT_EQ(python_rstrip(" a\u200B "), " a\u200B");  // has no width, and is no space
  EXPECT_EQ(python_lstrip("  a "), "a ");
  EXPECT_EQ(python_strip(" \n "), "");
  EXPECT_EQ(python_rstrip("a\xC2"), "a\xC2");
}

TEST(PythonText, CapitalizeLowersAllButTheFirst) {
  EXPECT_EQ(python_capitalize(""), "");
  EXPECT_EQ(python_capitalize("she SAID \u00C9T\u00C9"), "She said \u00E9t\u00E9");
  EXPECT_EQ(python_capitalize("'A b"), "'a b");
  EXPECT_EQ(python_capitalize("\u01C6e"), "\u01C5e");            // a letter of two: title case
  EXPECT_EQ(python_capitalize("\u00DF1"), "Ss1");                // grows
  EXPECT_EQ(python_capitalize("\u039F\u03A3"), "\u039F\u03C2");  // sigma at the end of a word
  EXPECT_EQ(python_lower("\u0130x"), "i\u0307x");
}

TEST(PythonText, ReplacingGoesFromLeftToRightOnce) {
  EXPECT_EQ(replace_all("aaaa b", "aa", "a"), "aa b");
  EXPECT_EQ(replace_all("   ", "  ", " "), "  ");
  EXPECT_EQ(replace_all("", "a", "b"), "");
}

TEST(PythonText, WordsAreRunsOfSpaceAndOne) {
  EXPECT_EQ(count_split_words(""), 1);
  EXPECT_EQ(count_split_words("a"), 1);
  EXPECT_EQ(count_split_words(" a\n\u2003 b "), 4);
}

TEST(PythonText, PlacesCountCharacters) {
  EXPECT_EQ(byte_of_character("\u00E9a", 0), 0u);
  EXPECT_EQ(byte_of_character("\u00E9a", 1), 2u);
  EXPECT_EQ(byte_of_character("\u00E9a", 2), 3u);
  const auto error = test::thrown_by([] { byte_of_character("\u00E9a", 3); });
  EXPECT_TRUE(test::mentions(error, "found the place 3, expected 0 to 2"));
  EXPECT_TRUE(test::mentions(test::thrown_by([] { byte_of_character("a", -1); }), "-1"));
}

// random.seed(s); random.random()
TEST(PythonRandom, UniformNumbersAreCPythons) {
  EXPECT_EQ(PythonRandom(0).uniform(), 0.8444218515250481);
  EXPECT_EQ(PythonRandom(1234).uniform(), 0.9664535356921388);
  PythonRandom random(99);
  double last = 0;
  for (int i = 0; i < 1000; ++i) last = random.uniform();
  EXPECT_EQ(last, 0.15455054961261028);
}

TEST(PythonRandom, SamplesAreCPythons) {
  PythonRandom random(1234);
  EXPECT_EQ(random.sample(10, 3), (Places{7, 1, 0}));
  EXPECT_EQ(random.sample(5, 5), (Places{0, 4, 2, 3, 1}));
  EXPECT_EQ(random.sample(1000, 4), (Places{784, 363, 242, 17}));
  EXPECT_EQ(random.sample(30, 7), (Places{0, 25, 29, 11, 20, 19, 15}));
  EXPECT_EQ(random.sample(300, 7), (Places{237, 76, 46, 93, 58, 7, 257}));
  EXPECT_EQ(random.sample(3, 0), (Places{}));
}

}  // namespace
}  // namespace inkstone::evaluate
