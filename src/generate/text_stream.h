// From tokens to text that may be shown: whole characters only, and nothing that may be part of a
// stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace inkstone {

class TextStream {
 public:
  explicit TextStream(std::vector<std::string> stop) : stop_(std::move(stop)) {}

  // Adds the bytes of a token; returns what may be shown now. Held back are an unfinished UTF-8
  // character and a possible beginning of a stop string. Once a stop string is complete stopped()
  // is true, and it and all after it are never shown.
  std::string_view push(std::string_view bytes);
  // At the end of the text: what was held back but for an unfinished character (nothing after a
  // stop string).
  std::string_view finish();

  bool stopped() const { return stopped_; }
  // The whole text so far, without the stop string.
  const std::string& text() const { return text_; }

 private:
  size_t held_back() const;
  size_t unfinished() const;  // bytes of a character at the end that is not whole

  std::vector<std::string> stop_;
  std::string text_;
  size_t shown_ = 0;
  bool stopped_ = false;
};

}  // namespace inkstone
