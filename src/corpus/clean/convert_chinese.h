// Chinese from one way of writing into the other.
#pragma once

#include <memory>
#include <string>

#include "inkstone/cleaning.h"

namespace inkstone {

// ICU's transliterators Hant-Hans and Hans-Hant (CLDR): words where they are known (以後 beside
// 皇后), else characters. Used by one thread.
class ChineseConverter {
 public:
  ChineseConverter();
  ~ChineseConverter();
  ChineseConverter(ChineseConverter&&) noexcept;
  ChineseConverter& operator=(ChineseConverter&&) noexcept;

  // Converts `text` (UTF-8; bytes that are not stay) in place; `spare` lends its memory. Line by
  // line: no word reaches across white space, so that a text cut there gives the same in parts.
  void operator()(std::string& text, std::string& spare, ChineseConversion conversion);

 private:
  struct Rules;
  std::unique_ptr<Rules> rules_;  // of the conversion that was asked for last
};

}  // namespace inkstone
