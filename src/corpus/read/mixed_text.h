// Text of which parts are in UTF-8 and parts in another encoding: files that were put together from
// others.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "corpus/read/byte_source.h"
#include "corpus/read/converter.h"
#include "corpus/read/encoding_guess.h"
#include "inkstone/message.h"

namespace inkstone {

// What the lines of a text say about its encoding. A sequence of two, three, four bytes of UTF-8
// counts 1, 3, 4. Text in another encoding is valid UTF-8 by chance: in GB 18030, of which most
// often, a line that counts kUtf8Line or more once in a hundred million.
inline constexpr int64_t kUtf8Line = 12;

// 0 for ASCII, -1 for what is not valid UTF-8.
int64_t utf8_evidence(std::string_view line);

// The lines of `text` that are not surely UTF-8.
std::string without_utf8_lines(std::string_view text);

// Reads a text whose encoding was detected, as UTF-8. Where its lines are surely in UTF-8 and not
// in the encoding that was found, they are UTF-8, and the other way round; short lines that may be
// either go with what follows them. In UTF-8 itself a line is in another encoding only when most of
// it is not valid, and the other encoding is known or surely found; else its bytes stay.
class MixedText {
 public:
  // `read` gives the bytes from line number `line` on, `guess` is what was detected.
  MixedText(ReadBytes read, EncodingGuess guess, int64_t line = 1);

  size_t read(char* out, size_t size_bytes);  // as ReadBytes

  const std::string& encoding() const { return first_; }  // of the first part
  double certainty() const { return certainty_; }
  bool converts() const { return converter_ != nullptr; }  // some of it, so far
  int64_t replaced() const { return converter_ ? converter_->replaced() : 0; }
  // "in two encodings: GB18030, from line 213 on UTF-8"; empty for one encoding.
  Message note() const;

 private:
  bool make_more();
  void add_block(std::string_view block, bool is_end);
  void add_line(std::string_view line, std::string_view rest);
  void add_line_in_other(std::string_view line);
  void add_line_in_utf8(std::string_view line, std::string_view rest);
  bool is_in_other(std::string_view line, std::string_view rest);
  void give(std::string_view bytes, bool is_utf8);
  void give_held(bool is_utf8);

  ReadBytes read_;
  std::string first_, other_;  // other_: the encoding that is not UTF-8, "" when there is none
  double certainty_;
  std::unique_ptr<Converter> converter_;
  bool is_utf8_;            // what was given last, or is to be given first
  bool has_given_ = false;  // something beyond ASCII
  std::string held_;        // lines that may be either
  std::string evidence_;    // of the other encoding, so far
  std::string in_;
  size_t in_at_ = 0;
  MadeText out_;
  bool end_ = false;
  int64_t line_, first_change_line_ = 0, changes_ = 0;
  int failed_guesses_ = 0;
};

}  // namespace inkstone
