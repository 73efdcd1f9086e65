// One encoding to UTF-8, in parts of any size.
#pragma once

#include <unicode/ucnv.h>

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

namespace inkstone {

using ConverterHandle = std::unique_ptr<UConverter, decltype(&ucnv_close)>;

// Throws kUsage when ICU knows no encoding of this name.
ConverterHandle open_converter(const std::string& encoding);

// What cannot be decoded becomes U+FFFD, and so do numbers of Unicode's private use, where a
// standard of two bytes a character has no character or each user his own. Where a later edition of
// a standard (HKSCS-2004, GB 18030-2022) gives such a number a character, it is that.
class Converter {
 public:
  explicit Converter(const std::string& encoding);

  // Appends what `bytes` say to `out`. A character that they cut is completed by the next call;
  // is_end: there is none.
  void add(std::string_view bytes, bool is_end, std::string& out);

  int64_t replaced() const { return replaced_; }  // sequences that became U+FFFD so far

 private:
  void append(std::u16string_view text, std::string& out);

  ConverterHandle from_;
  bool has_private_use_;  // which is meant: the encoding is one of Unicode
  int64_t replaced_ = 0;
  char16_t lead_ = 0;  // a surrogate whose other half is to come; 0: none
};

}  // namespace inkstone
