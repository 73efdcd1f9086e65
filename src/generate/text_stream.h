// From tokens to text that may be shown: whole characters only, and nothing that may be part of a
// stop string.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace inkstone {

class TextStream {
 public:
  // keep_stop: the stop string is part of the text.
  explicit TextStream(std::vector<std::string> stop, bool keep_stop = false)
      : stop_(std::move(stop)), keep_stop_(keep_stop) {}

  // Adds the bytes of a token; returns what may be shown now. Held back are an unfinished UTF-8
  // character and a possible beginning of a stop string that will not be kept. Once a stop string
  // is complete (of several the first to be so, of those the longest) stopped() is true, and all
  // after it is never shown; nor is it itself, unless it is kept.
  std::string_view push(std::string_view bytes);
  // At the end of the text: what was held back but for an unfinished character (nothing after a
  // stop string).
  std::string_view finish();

  bool stopped() const { return stopped_; }
  // The whole text so far, up to the stop string or its end.
  const std::string& text() const { return text_; }

 private:
  void cut_at_stop(size_t old_size);
  size_t held_back() const;
  size_t unfinished() const;  // bytes of a character at the end that is not whole

  std::vector<std::string> stop_;
  bool keep_stop_;
  std::string text_;
  size_t shown_ = 0;
  bool stopped_ = false;
};

}  // namespace inkstone
