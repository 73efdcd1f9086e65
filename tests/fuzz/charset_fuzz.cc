// Detection and conversion: what is converted is valid UTF-8 (but for the parts of a text that are
// in UTF-8 already), and the same whatever the size of the reads.
#include <iterator>

#include "base/utf8.h"
#include "corpus/read/charset.h"
#include "fuzz_source.h"

namespace inkstone {
namespace {

struct Kind {
  bool converts = false, is_mixed = false;
};

std::string read_in_steps(std::string_view bytes, const std::string& encoding, size_t step,
                          Kind& kind) {
  Utf8Stream stream(read_from(bytes), encoding);
  std::string text, part(step, '\0');
  for (size_t got = step; got == step;) {
    got = stream.read(part.data(), step);
    text.append(part, 0, got);
  }
  kind = {.converts = stream.converts(), .is_mixed = !stream.notes().empty()};
  return text;
}

void convert(std::string_view bytes, const std::string& given) {
  const TextStart start = examine_text(bytes.substr(0, kHead_bytes), given);
  if (!start.why_not.empty()) return;
  bytes.remove_prefix(start.mark_bytes);
  Kind kind;
  const std::string whole = read_in_steps(bytes, start.encoding, size_t{1} << 20, kind);
  INK_CHECK(!kind.converts || kind.is_mixed || is_valid_utf8(whole), "fuzz");
  INK_CHECK(kind.converts || whole == bytes, "fuzz");
  INK_CHECK(read_in_steps(bytes, start.encoding, 7, kind) == whole, "fuzz");
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr const char* kEncodings[] = {"",         "UTF-8",   "UTF-16LE",     "UTF-16BE",
                                        "UTF-32LE", "GB18030", "Big5",         "EUC-JP",
                                        "EUC-KR",   "KOI8-R",  "windows-1252", "windows-31j",
                                        "UTF-16",   "UTF-7",   "HZ",           "ISO-2022-JP"};
  if (size == 0) return 0;
  inkstone::convert(inkstone::fuzz::as_text(data + 1, size - 1),
                    kEncodings[data[0] % std::size(kEncodings)]);
  return 0;
}
