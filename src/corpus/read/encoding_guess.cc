#include "corpus/read/encoding_guess.h"

#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucsdet.h>
#include <unicode/ulocdata.h>
#include <unicode/uscript.h>
#include <unicode/uset.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <memory>
#include <set>
#include <utility>
#include <vector>

namespace inkstone {
namespace {

// By how much ICU's answer, at its full confidence, counts beside the score, which is about 1 for
// text and below 0 for what is none.
constexpr double kDetectorWeight = 0.25;
constexpr double kFrequencyWeight = 0.6;
// Evidence of this size counts as much as all the neighbours'.
constexpr double kNeighbours_bytes = 40;

// Lead bytes, and what characters with them count for: the first level of a standard holds what is
// in use.
struct LeadBytes {
  uint8_t first, last;
  double value;
};

struct Candidate {
  const char* encoding;
  // Two encodings of one family differ in a few characters, and the detector names either.
  const char* family;
  double prior;                        // rarer ones need better reasons
  std::vector<const char*> languages;  // whose letters it was made for
  std::vector<LeadBytes> levels = {};  // of encodings with two bytes a character
};

const std::vector<Candidate>& candidates() {
  using Levels = std::vector<LeadBytes>;
  const std::vector<const char*> central = {"cs", "pl", "hu", "ro", "hr", "sk", "sl"};
  static const std::vector<Candidate> kCandidates = {
      {"windows-1252",
       "1252",
       0,
       {"de", "fr", "es", "it", "pt", "sv", "da", "nb", "fi", "nl", "ca", "is"}},
      {"windows-1250", "1250", -0.02, central},
      {"ISO-8859-2", "1250", -0.03, central},
      {"windows-1251", "1251", 0, {"ru", "uk", "bg", "sr", "be", "mk"}},
      {"KOI8-R", "KOI8", -0.02, {"ru"}},
      {"KOI8-U", "KOI8", -0.025, {"uk"}},
      {"ibm-866", "866", -0.04, {"ru"}},
      {"ISO-8859-5", "8859-5", -0.06, {"ru", "bg", "sr"}},
      {"windows-1253", "1253", -0.01, {"el"}},
      {"ISO-8859-7", "1253", -0.02, {"el"}},
      {"windows-1254", "1254", -0.01, {"tr"}},
      {"windows-1255", "1255", -0.01, {"he"}},
      {"windows-1256", "1256", -0.01, {"ar", "fa"}},
      {"windows-1257", "1257", -0.04, {"lt", "lv", "et"}},
      {"windows-874", "874", -0.01, {"th"}},
      {"GB18030",
       "GB",
       0,
       {"zh"},
       Levels{{0xA1, 0xA3, 0.3}, {0xB0, 0xD7, 0.5}, {0xD8, 0xF7, -0.3}}},
      {"Big5-HKSCS",
       "Big5",
       -0.01,
       {"zh"},
       Levels{{0xA1, 0xA3, 0.3}, {0xA4, 0xC6, 0.5}, {0xC9, 0xF9, -0.3}}},
      {"windows-31j",
       "SJIS",
       0,
       {"ja"},
       Levels{{0x81, 0x81, 0.3},
              {0x82, 0x82, 0.5},
              {0x83, 0x83, 0.4},
              {0x88, 0x97, 0.4},
              {0x98, 0x9F, -0.1},
              {0xE0, 0xEA, -0.3}}},
      {"EUC-JP",
       "EUC-JP",
       -0.01,
       {"ja"},
       Levels{{0xA1, 0xA1, 0.3},
              {0xA3, 0xA3, 0.3},
              {0xA4, 0xA4, 0.5},
              {0xA5, 0xA5, 0.4},
              {0xB0, 0xCF, 0.4},
              {0xD0, 0xF4, -0.3}}},
      {"windows-949", "EUC-KR", 0, {"ko"}, Levels{{0xA1, 0xA3, 0.2}, {0xB0, 0xC8, 0.5}}}};
  return kCandidates;
}

// How the detector's names of encodings belong to families.
std::string_view family_of(std::string_view name) {
  constexpr std::pair<std::string_view, std::string_view> kFamilies[] = {
      {"ISO-8859-1", "1252"},   {"ISO-8859-2", "1250"},   {"ISO-8859-5", "8859-5"},
      {"ISO-8859-6", "1256"},   {"ISO-8859-7", "1253"},   {"ISO-8859-8", "1255"},
      {"ISO-8859-8-I", "1255"}, {"ISO-8859-9", "1254"},   {"windows-1250", "1250"},
      {"windows-1251", "1251"}, {"windows-1252", "1252"}, {"windows-1253", "1253"},
      {"windows-1254", "1254"}, {"windows-1255", "1255"}, {"windows-1256", "1256"},
      {"KOI8-R", "KOI8"},       {"GB18030", "GB"},        {"Big5", "Big5"},
      {"Shift_JIS", "SJIS"},    {"EUC-JP", "EUC-JP"},     {"EUC-KR", "EUC-KR"}};
  for (const auto& [known, family] : kFamilies) {
    if (name == known) return family;
  }
  return "";
}

struct Detected {
  std::string_view family;
  double confidence = 0;  // to 1
};

Detected detect(std::string_view evidence) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UCharsetDetector, decltype(&ucsdet_close)> detector(ucsdet_open(&error),
                                                                            &ucsdet_close);
  ucsdet_setText(detector.get(), evidence.data(), static_cast<int32_t>(evidence.size()), &error);
  int32_t count = 0;
  const UCharsetMatch** matches = ucsdet_detectAll(detector.get(), &count, &error);
  for (int32_t i = 0; U_SUCCESS(error) && i < count; ++i) {
    const std::string_view family = family_of(ucsdet_getName(matches[i], &error));
    if (!family.empty()) return {family, ucsdet_getConfidence(matches[i], &error) / 100.0};
  }
  return {};
}

using Characters = std::vector<UChar32>;

// What cannot be decoded becomes U+FFFD.
Characters decode(std::string_view bytes, const char* encoding) {
  UErrorCode error = U_ZERO_ERROR;
  const std::unique_ptr<UConverter, decltype(&ucnv_close)> converter(ucnv_open(encoding, &error),
                                                                     &ucnv_close);
  if (U_FAILURE(error)) return {};
  std::u16string units(2 * bytes.size() + 4, u'\0');
  const int32_t size = ucnv_toUChars(converter.get(), units.data(),
                                     static_cast<int32_t>(units.size()), bytes.data(),
                                     static_cast<int32_t>(bytes.size()), &error);
  Characters characters;
  for (int32_t at = 0; U_SUCCESS(error) && at < size;) {
    UChar32 c = 0;
    U16_NEXT(units.data(), at, size, c);
    constexpr UChar32 kIcuLost = 0x1A;  // what ICU makes of a single byte that means nothing
    characters.push_back(c == kIcuLost ? 0xFFFD : c);
  }
  return characters;
}

UScriptCode script_of(UChar32 c) {
  UErrorCode error = U_ZERO_ERROR;
  return uscript_getScript(c, &error);
}

// From 1 for the most frequent letter to -1 for the rarest.
std::map<UChar32, double> frequencies(std::u16string_view letters) {
  std::map<UChar32, double> values;
  for (size_t i = 0; i < letters.size(); ++i) {
    values[letters[i]] = 1 - 2 * static_cast<double>(i) / static_cast<double>(letters.size());
  }
  return values;
}

// What the frequency of a letter counts for, in alphabets that several encodings put in the same
// places: there, gibberish has letters of the language too. The average of a text is about 0.
double frequency_value(UChar32 c, UScriptCode script) {
  static const std::map<UScriptCode, std::map<UChar32, double>> kFrequencies = {
      {USCRIPT_CYRILLIC, frequencies(u"оеаинтсрвлкмдпуяыьгзбчйхжшюцщэфъёіїєґ")},
      {USCRIPT_GREEK, frequencies(u"αοιετσνηυρπκμλςωίόέάήύδγχθφώβξζψ")},
      {USCRIPT_HEBREW, frequencies(u"יוהלאמרתבשנכדעחקפסםןגטזצץךף")},
      {USCRIPT_ARABIC, frequencies(u"الينمورتبعدسفهكقحجشطصخذءثىضزغظؤئ")},
      {USCRIPT_THAI, frequencies(u"านรอ่กเง้ยมัวีลดิทสตะหปบคุืจแู์พขใชไึถ็ำโซศผณฟธษภญฉฎฏฐฒฑฆฬฌฮฤ")}};
  const auto letters = kFrequencies.find(script);
  if (letters == kFrequencies.end()) return 0;
  const auto found = letters->second.find(u_tolower(c));
  const double value = found != letters->second.end() ? found->second : -0.5;
  return kFrequencyWeight * (value - 0.35);
}

bool is_thai(UChar32 c) { return c >= 0x0E01 && c <= 0x0E5B; }
bool is_thai_mark(UChar32 c) { return is_thai(c) && u_charType(c) == U_NON_SPACING_MARK; }
bool is_thai_leading_vowel(UChar32 c) { return c >= 0x0E40 && c <= 0x0E44; }

// A mark stands on a letter, and a leading vowel before one.
double thai_value(UChar32 before, UChar32 c, UChar32 after) {
  double value = 0;
  if (is_thai_mark(c) && (!is_thai(before) || is_thai_leading_vowel(before))) value -= 2;
  if (is_thai_leading_vowel(c) && !(after >= 0x0E01 && after <= 0x0E2E)) value -= 2;
  return value;
}

// A letter beside one of another script, or a capital inside a word, is seldom meant.
double neighbours_value(UChar32 before, UChar32 c, UChar32 after, UScriptCode script) {
  const auto foreign = [script](UChar32 other) {
    if (!u_isalpha(other) || script == USCRIPT_INHERITED) return false;
    const UScriptCode its = script_of(other);
    return its != script && its != USCRIPT_INHERITED && its != USCRIPT_COMMON;
  };
  double value = foreign(before) || foreign(after) ? -1.5 : 0;
  if (!u_isupper(c) || !u_isalpha(before)) return value;
  if (u_islower(before)) return value - 1.5;
  return value - (u_islower(after) ? 1.0 : 0.3);
}

// Letters and marks that a language uses. The commas below of Romanian were cedillas in these
// encodings.
using LetterSet = std::unique_ptr<USet, decltype(&uset_close)>;

LetterSet letters_of(const std::string& language) {
  LetterSet letters(uset_openEmpty(), &uset_close);
  UErrorCode error = U_ZERO_ERROR;
  ULocaleData* data = ulocdata_open(language.c_str(), &error);
  for (const auto type : {ULOCDATA_ES_STANDARD, ULOCDATA_ES_PUNCTUATION}) {
    const LetterSet part(uset_openEmpty(), &uset_close);
    ulocdata_getExemplarSet(data, part.get(), 0, type, &error);
    uset_addAll(letters.get(), part.get());
  }
  ulocdata_close(data);
  if (language == "ro") uset_addAllCodePoints(letters.get(), u"\u015F\u0163", 2);
  uset_closeOver(letters.get(), USET_ADD_CASE_MAPPINGS);
  uset_freeze(letters.get());
  return letters;
}

const USet* exemplars(const char* language) {
  static const auto kSets = [] {
    std::map<std::string, LetterSet> sets;
    for (const Candidate& candidate : candidates()) {
      for (const char* each : candidate.languages) sets.try_emplace(each, letters_of(each));
    }
    return sets;
  }();
  return kSets.at(language).get();
}

bool is_usual_symbol(UChar32 c) {
  return (c >= 0x2013 && c <= 0x2026) || c == 0xA0 || c == 0xAB || c == 0xBB || c == 0xA7 ||
         c == 0xB0;
}

// The mean value of the characters beyond ASCII, in the language that they fit best.
double alphabet_score(const Characters& text, const Candidate& candidate) {
  struct Beyond {
    UChar32 c;
    double value, known, unknown;  // and what it adds as a character of the language, or as none
  };
  std::vector<Beyond> characters;
  for (size_t i = 0; i < text.size(); ++i) {
    const UChar32 c = text[i], before = i > 0 ? text[i - 1] : ' ',
                  after = i + 1 < text.size() ? text[i + 1] : ' ';
    if (c < 0x80) continue;
    if (c < 0xA0 || c == 0xFFFD) {
      characters.push_back({c, -3, 0, 0});
    } else if (u_isalpha(c) || u_charType(c) == U_NON_SPACING_MARK) {
      const UScriptCode script = script_of(c);
      characters.push_back({c,
                            neighbours_value(before, c, after, script) +
                                frequency_value(c, script) + thai_value(before, c, after),
                            1, -1});
    } else {
      const bool inside = u_isalpha(before) && u_isalpha(after) && c != 0x2019;
      characters.push_back({c, inside ? -1.2 : 0, 0.4, is_usual_symbol(c) ? 0.4 : -0.7});
    }
  }
  double best = -1e9;
  for (const char* language : candidate.languages) {
    const USet* letters = exemplars(language);
    double sum = 0;
    for (const Beyond& each : characters)
      sum += each.value + (uset_contains(letters, each.c) ? each.known : each.unknown);
    best = std::max(best, sum / static_cast<double>(std::max<size_t>(1, characters.size())));
  }
  return best;
}

// The most frequent characters of modern Chinese, in both scripts; they are half of a text.
bool is_common_ideograph(UChar32 c) {
  static const std::set<UChar32> kCommon = [] {
    constexpr std::u16string_view kCharacters =
        u"的一是不了人我在有他這这個个們们中來来上大為为和國国地到以說说時时要就出會会可也你對对生"
        u"能而子那得於于"
        u"著着下自之年過过發发後后作里裡用道行所然家種种事成方多經经麼么去法學学如都同現现當当沒没"
        u"動动面起看定天分"
        u"還还進进好小部其些主樣样理心她本前開开但因只從从想實实日軍军者意無无力它與与長长把機机十"
        u"民第公此已工使情"
        u"明性知全三又關关點点正業业外將将兩两高間间由問问很最重並并物手應应戰战向頭头文體体政美相"
        u"見见被利什二等產产"
        u"或新己制身果加西斯月話话合回特代內内信表化老給给世位次度門门任常先海通教兒儿原東东聲声提"
        u"立及比員员解水名真"
        u"論论處处走義义各入幾几口認认條条平系氣气題题活爾尔更別别打女變变四神總总何電电數数安少報"
        u"报才結结反受目太量再"
        u"感建務务做接必場场件計计管期市直德資资命山金指克許许統统區区保至隊队形社便空決决治展馬马"
        u"科司五基眼書书非則则"
        u"聽听白卻却界達达光放強强即像難难且權权思王象完設设式色路記记南品住告類类求據据程北邊边死"
        u"張张該该交規规萬万取"
        u"拉格望覺觉術术領领共確确傳传師师觀观清今切院讓让識识候帶带導导爭争運运嗎吗請请謝谢您吧呢"
        u"哈愛爱春花風风夜雲云"
        u"雨床疑霜舉举低故鄉乡字符錯错誤误語语言選选項项";
    return std::set<UChar32>(kCharacters.begin(), kCharacters.end());
  }();
  return kCommon.contains(c);
}

double ideographic_value(UChar32 c, std::string_view language) {
  if (c >= 0xE000 && c < 0xF900) return -2;
  if (c >= 0x3000 && c < 0x3030) return 0.9;
  if (c >= 0xFF01 && c <= 0xFF5E) return 0.8;
  if (c >= 0x2010 && c <= 0x2027) return 0.6;
  switch (script_of(c)) {
    case USCRIPT_HIRAGANA: return language == "ja" ? 1 : -0.3;
    case USCRIPT_KATAKANA: return c >= 0xFF61 ? -1.5 : language == "ja" ? 0.8 : -0.3;
    case USCRIPT_HANGUL: return language == "ko" ? 0.8 : -1;
    case USCRIPT_HAN: return language == "ko" ? -0.6 : is_common_ideograph(c) ? 1 : -0.5;
    case USCRIPT_COMMON: return -0.2;
    default: return -0.8;
  }
}

// By the lead bytes alone.
double level_score(std::string_view bytes, const Candidate& candidate) {
  const std::string_view family = candidate.family;
  const double other = family == "EUC-KR" ? -0.6 : -1;
  const bool high_trail = family == "GB" || family == "EUC-KR";
  double sum = 0, count = 0;
  for (size_t at = 0; at < bytes.size(); ++at) {
    const auto lead = static_cast<uint8_t>(bytes[at]);
    if (lead < 0x80) continue;
    const bool alone = family == "SJIS" && lead >= 0xA1 && lead <= 0xDF;
    const auto trail = static_cast<uint8_t>(at + 1 < bytes.size() ? bytes[at + 1] : 0);
    double value = other;
    for (const LeadBytes& level : candidate.levels) {
      if (lead >= level.first && lead <= level.last && (!high_trail || trail >= 0xA1))
        value = level.value;
    }
    sum += value;
    count += 1;
    if (!alone) ++at;
  }
  return count > 0 ? sum / count : 0;
}

double ideographic_score(std::string_view bytes, const Characters& text,
                         const Candidate& candidate) {
  double sum = 0, count = 0;
  for (const UChar32 c : text) {
    if (c < 0x80) continue;
    sum += c == 0xFFFD ? -3 : ideographic_value(c, candidate.languages[0]);
    count += 1;
  }
  return count > 0 ? 0.5 * sum / count + level_score(bytes, candidate) : -1e9;
}

struct Scored {
  const Candidate* candidate;
  double score;
  Characters text;
};

// Too much of it cannot be decoded.
bool is_impossible(const Characters& text) {
  const auto lost = std::count(text.begin(), text.end(), 0xFFFD);
  const auto beyond = std::count_if(text.begin(), text.end(), [](UChar32 c) { return c >= 0x80; });
  return text.empty() || 20 * lost > beyond;
}

// Which part of the bytes beyond ASCII stand in words of more letters than alphabets have.
double share_of_long_words(std::string_view evidence) {
  constexpr size_t kLongestWord_letters = 20;
  size_t all = 0, in_long = 0, run = 0;
  const auto end_run = [&] {
    all += run;
    if (run > kLongestWord_letters) in_long += run;
    run = 0;
  };
  for (const char c : evidence) {
    if (static_cast<uint8_t>(c) >= 0x80) {
      ++run;
    } else {
      end_run();
    }
  }
  end_run();
  return all > 0 ? static_cast<double>(in_long) / static_cast<double>(all) : 0;
}

bool has_spaces(const Candidate& candidate) {
  return candidate.levels.empty() && std::string_view(candidate.family) != "874";  // Thai
}

// By candidate.
using Scores = std::vector<double>;

Scores scores_of(std::string_view evidence) {
  const Detected detected = detect(evidence);
  const double long_words = share_of_long_words(evidence);
  Scores scores;
  for (const Candidate& candidate : candidates()) {
    const Characters text = decode(evidence, candidate.encoding);
    double score = candidate.prior + (candidate.levels.empty()
                                          ? alphabet_score(text, candidate)
                                          : ideographic_score(evidence, text, candidate));
    if (detected.family == candidate.family) score += kDetectorWeight * detected.confidence;
    if (has_spaces(candidate)) score -= long_words;
    scores.push_back(score);
  }
  return scores;
}

// Thousands of short files of a folder ask for the same ones.
const Scores& scores_of_neighbours(std::string_view evidence) {
  thread_local std::string known;
  thread_local Scores scores;
  if (scores.empty() || known != evidence) {
    known = evidence;
    scores = scores_of(evidence);
  }
  return scores;
}

// More than one in fifty characters beyond ASCII is a control character, for private use or could
// not be decoded: the text is in an encoding that is no candidate, or much damaged.
bool does_not_fit(const Characters& text) {
  const auto odd = std::count_if(text.begin(), text.end(), [](UChar32 c) {
    return c == 0xFFFD || (c >= 0x7F && c < 0xA0) || u_charType(c) == U_PRIVATE_USE_CHAR;
  });
  const auto beyond = std::count_if(text.begin(), text.end(), [](UChar32 c) { return c >= 0x80; });
  return 50 * odd > beyond;
}

// The share of right guesses at this distance to the next, on the texts of docs/decisions/0011:
// 0.67 below 0.1, 0.81 to 0.2, 0.96 to 0.3, 0.98 to 0.4, 0.995 above. Of a few bytes less follows.
double certainty_of(double distance, size_t evidence_bytes) {
  constexpr double kEnough_bytes = 12;
  const double part = std::min(1.0, static_cast<double>(evidence_bytes) / kEnough_bytes);
  return 1 - 0.45 * std::exp(-part * distance / 0.13);
}

}  // namespace

std::string encoding_evidence(std::string_view text, size_t limit_bytes) {
  constexpr std::string_view kSpaces = " \t\r\n\f\v\x1A";  // Ctrl-Z ended texts of DOS
  std::string evidence;
  for (size_t at = 0; at < text.size() && evidence.size() < limit_bytes;) {
    const size_t begin = std::min(text.find_first_not_of(kSpaces, at), text.size());
    size_t end = std::min(text.find_first_of(kSpaces, begin), text.size());
    const std::string_view word = text.substr(begin, end - begin);
    at = end;
    const bool beyond = std::any_of(word.begin(), word.end(),
                                    [](char c) { return static_cast<uint8_t>(c) >= 0x80; });
    if (!beyond) continue;
    // A script without spaces has long words: a limit may cut a character.
    evidence += word.substr(0, limit_bytes - evidence.size());
    evidence += ' ';
  }
  return evidence;
}

EncodingGuess guess_encoding(std::string_view evidence, std::string_view neighbours) {
  const Scores own = scores_of(evidence);
  const Scores& theirs = neighbours.empty() ? own : scores_of_neighbours(neighbours);
  const auto size = static_cast<double>(evidence.size());
  const double own_part = neighbours.empty() ? 1 : size / (size + kNeighbours_bytes);
  std::vector<Scored> scored;
  for (size_t i = 0; i < candidates().size(); ++i) {
    Characters text = decode(evidence, candidates()[i].encoding);
    if (is_impossible(text)) continue;
    scored.push_back(
        {&candidates()[i], own_part * own[i] + (1 - own_part) * theirs[i], std::move(text)});
  }
  if (scored.empty()) return {.encoding = "windows-1252", .certainty = 0};
  std::stable_sort(scored.begin(), scored.end(),
                   [](const Scored& a, const Scored& b) { return a.score > b.score; });
  const Scored& best = scored.front();
  const auto next = std::find_if(scored.begin(), scored.end(),
                                 [&](const Scored& other) { return other.text != best.text; });
  const double distance = next != scored.end() ? best.score - next->score : 1;
  const double certainty = certainty_of(distance, std::max(evidence.size(), neighbours.size()));
  constexpr double kDoubtful = 0.8;
  return {.encoding = best.candidate->encoding,
          .certainty = does_not_fit(best.text) ? std::min(certainty, kDoubtful) : certainty};
}

}  // namespace inkstone
