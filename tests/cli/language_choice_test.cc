#include "cli/language_choice.h"

#include <map>

#include "support.h"

namespace inkstone::cli {
namespace {

using Variables = std::map<std::string, std::string>;

std::string language(const Variables& variables) {
  return language_of([&](const std::string& name) {
    const auto found = variables.find(name);
    return found == variables.end() ? nullptr : found->second.c_str();
  });
}

TEST(LanguageOf, TheLocaleOfMessagesSaysIt) {
  EXPECT_EQ(language({}), "en");
  for (const char* locale :
       {"zh", "zh_CN", "zh_CN.UTF-8", "zh_TW.Big5", "zh_CN.GBK@stroke", "zh-Hans"}) {
    EXPECT_EQ(language({{"LANG", locale}}), "zh") << locale;
  }
  for (const char* locale : {"C", "POSIX", "C.UTF-8", "en_GB.UTF-8", "de_DE", "zhx", "nonsense"})
    EXPECT_EQ(language({{"LANG", locale}}), "en") << locale;
}

TEST(LanguageOf, TheFirstVariableThatIsSetCounts) {
  EXPECT_EQ(language({{"LC_ALL", "C"}, {"LANG", "zh_CN"}}), "en");
  EXPECT_EQ(language({{"LC_ALL", "zh_CN"}, {"LC_MESSAGES", "C"}, {"LANG", "C"}}), "zh");
  EXPECT_EQ(language({{"LC_MESSAGES", "zh_CN"}, {"LANG", "C"}}), "zh");
  EXPECT_EQ(language({{"LC_CTYPE", "zh_CN"}, {"LANG", "en_US"}}), "en");
  EXPECT_EQ(language({{"LC_ALL", ""}, {"LANG", "zh_CN"}}), "zh") << "an empty one is not set";
}

TEST(LanguageOf, AListOfLanguagesComesBeforeTheLocales) {
  EXPECT_EQ(language({{"LANGUAGE", "zh"}, {"LANG", "en_US"}}), "zh");
  EXPECT_EQ(language({{"LANGUAGE", "en"}, {"LANG", "zh_CN"}}), "en");
  EXPECT_EQ(language({{"LANGUAGE", "fr:zh_CN:en"}, {"LANG", "en_US"}}), "zh");
  EXPECT_EQ(language({{"LANGUAGE", "fr:de"}, {"LANG", "zh_CN"}}), "en") << "none of them is there";
  EXPECT_EQ(language({{"LANGUAGE", ""}, {"LANG", "zh_CN"}}), "zh");
  EXPECT_EQ(language({{"LANGUAGE", "zh"}, {"LC_ALL", "C"}}), "en") << "C means no translation";
  EXPECT_EQ(language({{"LANGUAGE", "zh"}}), "en") << "so does no locale at all";
}

TEST(TakeLanguage, IsTakenOutWhereverItStands) {
  const auto taken = [](std::vector<std::string> words) {
    const std::string language = take_language(words);
    words.insert(words.begin(), language);
    return words;
  };
  using Words = std::vector<std::string>;
  EXPECT_EQ(taken({"--lang", "zh", "train", "x"}), (Words{"zh", "train", "x"}));
  EXPECT_EQ(taken({"train", "--lang=en", "x"}), (Words{"en", "train", "x"}));
  EXPECT_EQ(taken({"train", "x", "--lang", "zh"}), (Words{"zh", "train", "x"}));
  EXPECT_EQ(taken({"--lang", "en", "--lang", "zh"}), (Words{"zh"})) << "the last one counts";
  EXPECT_EQ(taken({"train", "--", "--lang", "zh"}), (Words{"", "train", "--", "--lang", "zh"}));
  EXPECT_EQ(taken({"--language", "zh"}), (Words{"", "--language", "zh"}));
}

TEST(TakeLanguage, NeedsAName) {
  for (std::vector<std::string> words :
       {std::vector<std::string>{"train", "--lang"}, {"--lang="}}) {
    const Error error = test::thrown_by([&] { take_language(words); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_TRUE(test::mentions(error, "--lang"));
    EXPECT_TRUE(test::mentions(error, "en, zh"));
  }
}

}  // namespace
}  // namespace inkstone::cli
