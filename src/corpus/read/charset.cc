#include "corpus/read/charset.h"

#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <array>
#include <bitset>
#include <cstring>
#include <optional>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/lfs_pointer.h"
#include "base/utf8.h"
#include "corpus/read/converter.h"
#include "corpus/read/mixed_text.h"
#include "corpus/read/not_text.h"

namespace inkstone {
namespace {

struct Mark {
  std::string_view bytes;
  const char* encoding;
};

using namespace std::string_view_literals;

// Longer marks before those that they begin with.
constexpr Mark kMarks[] = {
    {"\xEF\xBB\xBF"sv, "UTF-8"}, {"\xFF\xFE\0\0"sv, "UTF-32LE"}, {"\0\0\xFE\xFF"sv, "UTF-32BE"},
    {"\xFF\xFE"sv, "UTF-16LE"},  {"\xFE\xFF"sv, "UTF-16BE"},     {"\x84\x31\x95\x33"sv, "GB18030"},
};

bool same_encoding(const std::string& a, const char* b) {
  return ucnv_compareNames(a.c_str(), b) == 0;
}

bool is_ascii(char c) { return static_cast<uint8_t>(c) < 0x80; }

size_t find_beyond_ascii(std::string_view text) {
  size_t at = 0;
  constexpr size_t kWord = 64;
  for (; at + kWord <= text.size(); at += kWord) {
    uint8_t all = 0;
    for (size_t i = 0; i < kWord; ++i) all |= static_cast<uint8_t>(text[at + i]);
    if (all >= 0x80) break;
  }
  while (at < text.size() && is_ascii(text[at])) ++at;
  return at;
}

// Less evidence than this asks the neighbours, however sure a guess is: what letters it has may be
// chance.
constexpr size_t kAlone_bytes = 48;

// A character that text may hold. Private use is none: random bytes would hit it too often.
bool is_plausible(UChar32 c) {
  if (c < 0x20) return c == '\t' || c == '\n' || c == '\r' || c == '\f';
  if (c >= 0x7F && c < 0xA0) return false;
  return u_isdefined(c) && u_charType(c) != U_PRIVATE_USE_CHAR && !U_IS_SURROGATE(c);
}

// At least ten valid sequences for each that is not. Text in another encoding is valid by chance
// alone. A sequence that the end cuts counts only where it is all there is.
bool is_mostly_utf8(std::string_view text) {
  const auto tail = static_cast<size_t>(incomplete_utf8_tail(text));
  const bool is_whole = text.size() < kHead_bytes;
  text.remove_suffix(tail);
  int64_t valid = 0, invalid = 0;
  for (size_t at = 0; at < text.size();) {
    if (is_ascii(text[at])) {
      ++at;
      continue;
    }
    const Utf8Step step = decode_utf8(text, at);
    ++(step.ok ? valid : invalid);
    at += static_cast<size_t>(step.size_bytes);
  }
  if (valid + invalid == 0) return tail == 0 || !is_whole;
  return valid >= 10 * invalid;
}

uint32_t unit_at(std::string_view head, size_t at, size_t unit_bytes, bool big_endian) {
  uint32_t unit = 0;
  for (size_t i = 0; i < unit_bytes; ++i) {
    const size_t from = at + (big_endian ? i : unit_bytes - 1 - i);
    unit = unit << 8 | static_cast<uint8_t>(head[from]);
  }
  return unit;
}

bool has_whole_units(std::string_view head, size_t unit_bytes) {
  return head.size() >= unit_bytes && (head.size() % unit_bytes == 0 || head.size() >= kHead_bytes);
}

// True if all of `head` is plausible text in UTF-16 (a pair that its end cuts is). ASCII and UTF-8
// with control characters among them would be mostly Chinese by chance, which itself is UTF-8 in a
// few characters at most.
bool reads_as_utf16(std::string_view head, bool big_endian) {
  if (!has_whole_units(head, 2)) return false;
  constexpr size_t kByChance_characters = 8;
  size_t characters = 0, far = 0;
  bool odd_nul = false;  // of another character than line ends and blanks
  for (size_t at = 0; at + 1 < head.size(); at += 2) {
    const uint32_t lead = unit_at(head, at, 2, big_endian);
    auto c = static_cast<UChar32>(lead);
    if (U16_IS_LEAD(lead)) {
      if (at + 3 >= head.size()) break;
      at += 2;
      const uint32_t trail = unit_at(head, at, 2, big_endian);
      if (!U16_IS_TRAIL(trail)) return false;
      c = U16_GET_SUPPLEMENTARY(lead, trail);
    }
    if (!is_plausible(c)) return false;
    ++characters;
    far += c >= 0x2000;
    odd_nul |= (c < 0x100 || (c & 0xFF) == 0) && !u_isUWhiteSpace(c);
  }
  if (2 * far <= characters || (far <= kByChance_characters && !odd_nul)) return true;
  return !is_mostly_utf8(head);
}

// The same in UTF-32.
bool reads_as_utf32(std::string_view head, bool big_endian) {
  if (!has_whole_units(head, 4)) return false;
  for (size_t at = 0; at + 3 < head.size(); at += 4) {
    const uint32_t c = unit_at(head, at, 4, big_endian);
    if (c > 0x10FFFF || !is_plausible(static_cast<UChar32>(c))) return false;
  }
  return true;
}

// How many alphabets, or parts of one that is large, the characters of `head` are from.
size_t count_alphabets(std::string_view head, size_t unit_bytes, bool big_endian) {
  std::bitset<256> found;
  for (size_t at = 0; at + unit_bytes <= head.size(); at += unit_bytes)
    found.set((unit_at(head, at, unit_bytes, big_endian) >> 8) & 0xFF);
  return found.count();
}

// "LE" or "BE": in which order of the bytes `head` is text in UTF-16 or UTF-32; in both, that of
// fewer alphabets.
std::optional<std::string> byte_order(std::string_view head, std::string_view family) {
  const bool wide = family == "UTF-32";
  const auto reads = wide ? reads_as_utf32 : reads_as_utf16;
  const size_t unit_bytes = wide ? 4 : 2;
  const bool little = reads(head, false), big = reads(head, true);
  if (!little && !big) return std::nullopt;
  const bool is_big = big && (!little || count_alphabets(head, unit_bytes, true) <
                                             count_alphabets(head, unit_bytes, false));
  return is_big ? "BE" : "LE";
}

// The encoding of mail whose escape sequences say where two bytes are a character; "": none.
std::string encoding_with_escapes(std::string_view head) {
  const bool escapes = head.find('\x1B') != head.npos;
  if (!escapes || !std::all_of(head.begin(), head.end(), is_ascii)) return "";
  if (head.find("\x1B$B") != head.npos || head.find("\x1B$@") != head.npos) return "ISO-2022-JP";
  return head.find("\x1B$)C") != head.npos ? "ISO-2022-KR" : "";
}

size_t count_controls(std::string_view head) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte == 0x7F || (byte < 0x20 && !(byte >= '\t' && byte <= '\r') && byte != 0x1B);
  };
  return static_cast<size_t>(std::count_if(head.begin(), head.end(), is_control));
}

// No more control characters than a text may have got by accident. Random bytes have five times as
// many, and so has UTF-16.
bool has_few_controls(std::string_view head) {
  return count_controls(head) <= std::max<size_t>(head.size() / 50, head.size() >= 20 ? 1 : 0);
}

// Half as many as random bytes have, without a NUL among them: no text by accident.
bool has_many_controls(std::string_view head) {
  return count_controls(head) > std::max<size_t>(head.size() / 20, 3);
}

// What a text with NULs or many other control characters is: "" a text in an encoding that contains
// ASCII, nullopt none. ASCII and UTF-8 with a few NULs come first.
std::optional<std::string> encoding_with_controls(std::string_view head) {
  const bool few = has_few_controls(head);
  if (few && is_mostly_utf8(head)) return "";
  for (const char* family : {"UTF-32", "UTF-16"}) {
    if (const auto order = byte_order(head, family)) return family + *order;
  }
  return few ? std::optional<std::string>("") : std::nullopt;
}

// The name of the converter that ICU has for a label; "" when it has none.
std::string_view converter_of(const char* label) {
  UErrorCode error = U_ZERO_ERROR;
  const char* name = ucnv_getAlias(label, 0, &error);
  return U_SUCCESS(error) && name != nullptr ? name : "";
}

std::string superset_of(const std::string& name) {
  constexpr std::pair<const char*, const char*> kSupersets[] = {
      {"ISO-8859-1", "windows-1252"}, {"US-ASCII", "windows-1252"}, {"ISO-8859-9", "windows-1254"},
      {"GB2312", "GB18030"},          {"GBK", "GB18030"},           {"Big5", "Big5-HKSCS"},
      {"cp950", "Big5-HKSCS"},        {"Shift_JIS", "windows-31j"}, {"EUC-KR", "windows-949"},
      {"cp949", "windows-949"},       {"TIS-620", "windows-874"},   {"cp874", "windows-874"},
      {"ISO-8859-11", "windows-874"},
  };
  const std::string_view converter = converter_of(name.c_str());
  for (const auto& [known, superset] : kSupersets) {
    if (!converter.empty() && converter == converter_of(known)) return superset;
  }
  return name;
}

// "UTF-16" and "UTF-32" leave the order of the bytes to a mark, and `head` has none: the order in
// which it reads as text, else little-endian, as Windows and browsers take them.
std::string with_byte_order(const std::string& given, std::string_view head) {
  for (const char* family : {"UTF-32", "UTF-16"}) {
    if (same_encoding(given, family)) return family + byte_order(head, family).value_or("LE");
  }
  return given;
}

// True if a byte order mark of this encoding says no other than `given`.
bool agrees(const char* mark, const std::string& given) {
  return given.empty() || same_encoding(given, mark) ||
         (std::string_view(mark).starts_with("UTF-16") && same_encoding(given, "UTF-16")) ||
         (std::string_view(mark).starts_with("UTF-32") && same_encoding(given, "UTF-32"));
}

}  // namespace

TextStart examine_text(std::string_view head, const std::string& given) {
  TextStart start{.why_not = "", .encoding = with_byte_order(given, head), .mark_bytes = 0};
  for (const Mark& mark : kMarks) {
    if (!head.starts_with(mark.bytes)) continue;
    if (agrees(mark.encoding, given)) {
      start.encoding = mark.encoding;
      start.mark_bytes = mark.bytes.size();
    }
    break;
  }
  if (head.size() == start.mark_bytes) {
    start.why_not = marked("empty");
  } else if (is_lfs_pointer(head)) {
    start.why_not = marked(
        "a Git LFS pointer, a few lines that stand for the file itself: run `git lfs pull` in its "
        "repository, or download the file");
  } else if (const auto format = format_to_convert(head); !format.empty()) {
    start.why_not = message("no text ({})", Message(std::string(format)));
  } else if (start.encoding.empty()) {
    start.encoding = encoding_with_escapes(head);
    if (!start.encoding.empty()) return start;
    if (head.find('\0') == head.npos && !has_many_controls(head)) return start;
    if (const auto encoding = encoding_with_controls(head)) {
      start.encoding = *encoding;
    } else {
      start.why_not = marked("binary (--encoding NAME takes it as text)");
    }
  }
  return start;
}

EncodingGuess detect_encoding(std::string_view text, const Neighbours& neighbours) {
  if (is_mostly_utf8(text)) return {.encoding = "UTF-8", .certainty = 1};
  std::string evidence = encoding_evidence(without_utf8_lines(text));
  if (evidence.empty()) evidence = encoding_evidence(text);
  EncodingGuess guess = guess_encoding(evidence);
  const bool tells = guess.certainty >= kSureEncoding && evidence.size() >= kAlone_bytes;
  if (tells || !neighbours) return guess;
  const std::string more = neighbours();
  return more.empty() ? guess : guess_encoding(evidence, more);
}

std::string evidence_of(std::string_view head) {
  const TextStart start = examine_text(head, "");
  const bool is_told = !start.why_not.empty() || !start.encoding.empty() || is_mostly_utf8(head);
  return is_told || !has_few_controls(head) ? "" : encoding_evidence(without_utf8_lines(head));
}

std::string encoding_of_label(const std::string& label) {
  UErrorCode error = U_ZERO_ERROR;
  const ConverterHandle converter(label.empty() ? nullptr : ucnv_open(label.c_str(), &error),
                                  &ucnv_close);
  return converter && U_SUCCESS(error) ? superset_of(label) : "";
}

void check_encoding(const std::string& name) {
  if (!name.empty()) open_converter(name);
}

Utf8Stream::Utf8Stream(ReadBytes read, std::string encoding, Neighbours neighbours)
    : read_(std::move(read)), neighbours_(std::move(neighbours)), encoding_(std::move(encoding)) {
  if (!encoding_.empty() && !same_encoding(encoding_, "UTF-8"))
    converter_ = std::make_unique<Converter>(superset_of(encoding_));
}

Utf8Stream::Utf8Stream(Utf8Stream&&) noexcept = default;
Utf8Stream::~Utf8Stream() = default;

const std::string& Utf8Stream::encoding() const { return mixed_ ? mixed_->encoding() : encoding_; }
double Utf8Stream::certainty() const { return mixed_ ? mixed_->certainty() : 1; }
bool Utf8Stream::converts() const { return mixed_ ? mixed_->converts() : converter_ != nullptr; }

int64_t Utf8Stream::replaced() const {
  return mixed_ ? mixed_->replaced() : converter_ ? converter_->replaced() : 0;
}

std::vector<Message> Utf8Stream::notes() const {
  const Message note = mixed_ ? mixed_->note() : "";
  return note.empty() ? std::vector<Message>() : std::vector{note};
}

size_t Utf8Stream::read(char* out, size_t size_bytes) {
  if (converter_) return read_converted(out, size_bytes);
  if (!encoding_.empty()) return read_(out, size_bytes);
  const size_t done = mixed_ ? 0 : read_ascii(out, size_bytes);
  return mixed_ ? done + mixed_->read(out + done, size_bytes - done) : done;
}

size_t Utf8Stream::read_converted(char* out, size_t size_bytes) {
  constexpr size_t kRaw_bytes = 64 * 1024;
  return converted_.read(out, size_bytes, [this] {
    if (end_) return false;
    raw_.resize(kRaw_bytes);
    const size_t got = read_(raw_.data(), kRaw_bytes);
    end_ = got < kRaw_bytes;
    converter_->add({raw_.data(), got}, end_, converted_.text);
    return true;
  });
}

// ASCII up to the first byte beyond it, at which the encoding is decided.
size_t Utf8Stream::read_ascii(char* out, size_t size_bytes) {
  const size_t got = read_(out, size_bytes);
  const size_t ascii = find_beyond_ascii({out, got});
  line_ += std::count(out, out + ascii, '\n');
  if (ascii == got) return got;
  auto ahead = std::make_shared<std::string>(out + ascii, got - ascii);
  if (ahead->size() < kHead_bytes && got == size_bytes)
    read_more(read_, kHead_bytes - ahead->size(), *ahead);
  EncodingGuess guess = detect_encoding(std::string_view(*ahead).substr(0, kHead_bytes),
                                        neighbours_);
  ReadBytes rest = [read = std::move(read_), ahead, at = size_t{0}](char* to, size_t n) mutable {
    const size_t from_ahead = std::min(n, ahead->size() - at);
    std::memcpy(to, ahead->data() + at, from_ahead);
    at += from_ahead;
    return from_ahead == n ? n : from_ahead + read(to + from_ahead, n - from_ahead);
  };
  mixed_ = std::make_unique<MixedText>(std::move(rest), std::move(guess), line_);
  return ascii;
}

}  // namespace inkstone
