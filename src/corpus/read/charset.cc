#include "corpus/read/charset.h"

#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/utf16.h>

#include <algorithm>
#include <array>
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

// True if all of `head` is plausible text in UTF-16 (a pair that its end cuts is).
bool reads_as_utf16(std::string_view head, bool big_endian) {
  const auto unit = [&](size_t at) {
    const auto first = static_cast<uint8_t>(head[at]), second = static_cast<uint8_t>(head[at + 1]);
    return static_cast<uint16_t>(big_endian ? first << 8 | second : second << 8 | first);
  };
  if (head.size() < 2 || (head.size() % 2 != 0 && head.size() < kHead_bytes)) return false;
  for (size_t at = 0; at + 1 < head.size(); at += 2) {
    const uint16_t lead = unit(at);
    UChar32 c = lead;
    if (U16_IS_LEAD(lead)) {
      if (at + 3 >= head.size()) break;
      at += 2;
      const uint16_t trail = unit(at);
      if (!U16_IS_TRAIL(trail)) return false;
      c = U16_GET_SUPPLEMENTARY(lead, trail);
    }
    if (!is_plausible(c)) return false;
  }
  return true;
}

// At least ten valid sequences for each that is not. Text in another encoding is valid by chance
// alone.
bool is_mostly_utf8(std::string_view text) {
  text.remove_suffix(static_cast<size_t>(incomplete_utf8_tail(text)));
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
  return invalid == 0 || valid >= 10 * invalid;
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

// What a text with NULs is: "" a text in an encoding that contains ASCII, nullopt none. ASCII and
// UTF-8 come first: with a few NULs they would be Chinese in UTF-16 by chance.
std::optional<std::string> encoding_with_nuls(std::string_view head) {
  const bool few = has_few_controls(head);
  if (few && is_mostly_utf8(head)) return "";
  if (reads_as_utf16(head, false)) return "UTF-16LE";
  if (reads_as_utf16(head, true)) return "UTF-16BE";
  return few ? std::optional<std::string>("") : std::nullopt;
}

std::string superset_of(const std::string& name) {
  UErrorCode error = U_ZERO_ERROR;
  const char* registered = ucnv_getStandardName(name.c_str(), "IANA", &error);
  const std::string label = U_SUCCESS(error) && registered != nullptr ? registered : name;
  constexpr std::pair<const char*, const char*> kSupersets[] = {
      {"ISO-8859-1", "windows-1252"},
      {"US-ASCII", "windows-1252"},
      {"ISO-8859-9", "windows-1254"},
      {"GB2312", "GB18030"},
      {"GBK", "GB18030"},
      {"Big5", "Big5-HKSCS"},
      {"Shift_JIS", "windows-31j"},
      {"EUC-KR", "windows-949"},
      {"TIS-620", "windows-874"},
      {"cp950", "Big5-HKSCS"},
      {"windows-950", "Big5-HKSCS"},
      {"MS950", "Big5-HKSCS"},
  };
  for (const auto& [known, superset] : kSupersets) {
    if (same_encoding(label, known)) return superset;
  }
  return name;
}

}  // namespace

TextStart examine_text(std::string_view head, const std::string& given) {
  TextStart start{.why_not = "", .encoding = given, .mark_bytes = 0};
  for (const Mark& mark : kMarks) {
    if (!head.starts_with(mark.bytes)) continue;
    if (given.empty() || same_encoding(given, mark.encoding)) {
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
    const bool has_nuls = head.find('\0') != head.npos;
    const auto encoding = has_nuls ? encoding_with_nuls(head) : std::optional<std::string>("");
    if (!encoding || (!has_nuls && has_many_controls(head))) {
      start.why_not = marked("binary (--encoding NAME takes it as text)");
    } else {
      start.encoding = *encoding;
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
