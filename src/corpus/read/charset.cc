#include "corpus/read/charset.h"

#include <unicode/uchar.h>
#include <unicode/ucnv.h>
#include <unicode/ucnv_cb.h>
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

// No more control characters than a text may have got by accident. Random bytes have five times as
// many, and so has UTF-16.
bool has_few_controls(std::string_view head) {
  const auto is_control = [](char c) {
    const auto byte = static_cast<uint8_t>(c);
    return byte == 0x7F || (byte < 0x20 && !(byte >= '\t' && byte <= '\r') && byte != 0x1B);
  };
  const auto controls = static_cast<size_t>(std::count_if(head.begin(), head.end(), is_control));
  return controls <= std::max<size_t>(head.size() / 50, head.size() >= 20 ? 1 : 0);
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
  constexpr std::pair<const char*, const char*> kSupersets[] = {
      {"ISO-8859-1", "windows-1252"}, {"US-ASCII", "windows-1252"}, {"ISO-8859-9", "windows-1254"},
      {"GB2312", "GB18030"},          {"GBK", "GB18030"},           {"Big5", "Big5-HKSCS"},
      {"Shift_JIS", "windows-31j"},   {"EUC-KR", "windows-949"},    {"TIS-620", "windows-874"},
  };
  for (const auto& [label, superset] : kSupersets) {
    if (same_encoding(name, label)) return superset;
  }
  return name;
}

void replace_sequence(const void* count, UConverterToUnicodeArgs* arguments, const char*, int32_t,
                      UConverterCallbackReason reason, UErrorCode* error) {
  if (reason > UCNV_IRREGULAR) return;  // a notice, not a sequence
  *error = U_ZERO_ERROR;
  ++*static_cast<int64_t*>(const_cast<void*>(count));
  const UChar replacement = 0xFFFD;
  ucnv_cbToUWriteUChars(arguments, &replacement, 1, 0, error);
}

using ConverterHandle = std::unique_ptr<UConverter, decltype(&ucnv_close)>;

ConverterHandle open_converter(const std::string& encoding) {
  UErrorCode error = U_ZERO_ERROR;
  ConverterHandle converter(ucnv_open(encoding.c_str(), &error), &ucnv_close);
  if (U_FAILURE(error) || encoding.empty()) {
    fail(ErrorCode::kUsage,
         "there is no encoding '{}'; give a name such as UTF-8, GB18030, Big5 or Shift_JIS",
         encoding);
  }
  return converter;
}

}  // namespace

// Converts from one encoding to UTF-8.
class Utf8Stream::Converter {
 public:
  explicit Converter(const std::string& encoding)
      : from_(open_converter(encoding)), to_(open_converter("UTF-8")) {
    UErrorCode error = U_ZERO_ERROR;
    ucnv_setToUCallBack(from_.get(), &replace_sequence, &replaced_, nullptr, nullptr, &error);
  }

  int64_t replaced() const { return replaced_; }

  // Fills out[0, size_bytes), less only at the end of what `read` gives.
  size_t read(const ReadBytes& read, char* out, size_t size_bytes) {
    char* to = out;
    for (bool full = false; !full && !finished_;) {
      if (from_at_ == raw_.data() + raw_size_ && !end_) refill(read);
      UErrorCode error = U_ZERO_ERROR;
      ucnv_convertEx(to_.get(), from_.get(), &to, out + size_bytes, &from_at_,
                     raw_.data() + raw_size_, pivot_.data(), &pivot_from_, &pivot_to_,
                     pivot_.data() + pivot_.size(), reset_, end_, &error);
      reset_ = false;
      full = error == U_BUFFER_OVERFLOW_ERROR;
      if (U_FAILURE(error) && !full)
        fail(ErrorCode::kInternal, "converting to UTF-8: {}", u_errorName(error));
      finished_ = end_ && !full;
    }
    return static_cast<size_t>(to - out);
  }

 private:
  void refill(const ReadBytes& read) {
    raw_size_ = read(raw_.data(), raw_.size());
    end_ = raw_size_ < raw_.size();
    from_at_ = raw_.data();
  }

  ConverterHandle from_, to_;
  int64_t replaced_ = 0;
  std::array<char, 64 * 1024> raw_;
  size_t raw_size_ = 0;
  const char* from_at_ = raw_.data();
  std::array<UChar, 4096> pivot_;
  UChar *pivot_from_ = pivot_.data(), *pivot_to_ = pivot_.data();
  bool reset_ = true, end_ = false, finished_ = false;
};

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
    start.why_not = "empty";
  } else if (is_lfs_pointer(head)) {
    start.why_not =
        "a Git LFS pointer, a few lines that stand for the file itself: run `git lfs pull` in its "
        "repository, or download the file";
  } else if (start.encoding.empty() && head.find('\0') != head.npos) {
    const std::string_view format = format_to_convert(head);
    const auto encoding = encoding_with_nuls(head);
    if (!format.empty()) {
      start.why_not = fmt::format("binary ({})", format);
    } else if (!encoding) {
      start.why_not = "binary (--encoding NAME takes it as text)";
    } else {
      start.encoding = *encoding;
    }
  }
  return start;
}

EncodingGuess detect_encoding(std::string_view text, const Neighbours& neighbours) {
  if (is_mostly_utf8(text)) return {.encoding = "UTF-8", .certainty = 1};
  const std::string evidence = encoding_evidence(text);
  EncodingGuess guess = guess_encoding(evidence);
  if (guess.certainty >= kSureEncoding || !neighbours) return guess;
  const std::string more = neighbours();
  return more.empty() ? guess : guess_encoding(evidence, more);
}

std::string evidence_of(std::string_view head) {
  const bool is_told = !examine_text(head, "").encoding.empty() || is_mostly_utf8(head);
  return is_told || !has_few_controls(head) ? "" : encoding_evidence(head);
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
    : read_(std::move(read)), neighbours_(std::move(neighbours)) {
  if (!encoding.empty()) decide(std::move(encoding));
}

Utf8Stream::Utf8Stream(Utf8Stream&&) noexcept = default;
Utf8Stream::~Utf8Stream() = default;

int64_t Utf8Stream::replaced() const { return converter_ ? converter_->replaced() : 0; }

void Utf8Stream::decide(std::string encoding) {
  encoding_ = std::move(encoding);
  if (!same_encoding(encoding_, "UTF-8")) converter_ = std::make_unique<Converter>(encoding_);
}

size_t Utf8Stream::read(char* out, size_t size_bytes) {
  size_t done = encoding_.empty() ? read_ascii(out, size_bytes) : 0;
  if (encoding_.empty() || done == size_bytes) return done;
  out += done;
  size_bytes -= done;
  if (!converter_) return done + read_raw(out, size_bytes);
  const ReadBytes raw = [this](char* to, size_t n) { return read_raw(to, n); };
  return done + converter_->read(raw, out, size_bytes);
}

// What has been read ahead, then what comes.
size_t Utf8Stream::read_raw(char* out, size_t size_bytes) {
  const size_t n = std::min(size_bytes, pending_.size() - pending_at_);
  std::memcpy(out, pending_.data() + pending_at_, n);
  pending_at_ += n;
  return n == size_bytes ? n : n + read_(out + n, size_bytes - n);
}

// ASCII up to the first byte beyond it, at which the encoding is decided.
size_t Utf8Stream::read_ascii(char* out, size_t size_bytes) {
  const size_t got = read_(out, size_bytes);
  const size_t ascii = find_beyond_ascii({out, got});
  if (ascii == got) return got;
  pending_.assign(out + ascii, got - ascii);
  if (pending_.size() < kHead_bytes && got == size_bytes)
    read_more(read_, kHead_bytes - pending_.size(), pending_);
  EncodingGuess guess = detect_encoding(std::string_view(pending_).substr(0, kHead_bytes),
                                        neighbours_);
  certainty_ = guess.certainty;
  decide(std::move(guess.encoding));
  return ascii;
}

}  // namespace inkstone
