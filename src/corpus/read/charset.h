// The encoding of a text: given or detected, and its conversion to UTF-8 as a stream.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "corpus/read/byte_source.h"
#include "corpus/read/encoding_guess.h"
#include "inkstone/message.h"

namespace inkstone {

// What the beginning of a file says about its text.
struct TextStart {
  Message why_not;        // why it is no text ("empty", "binary"); empty when it is
  std::string encoding;   // as Utf8Stream takes it
  size_t mark_bytes = 0;  // of the byte order mark, which belongs to no document
};

// Judges a file by its first kHead_bytes, or all of it when it is shorter. Without a `given`
// encoding, a byte order mark decides, or the escape sequences of ISO-2022-JP and -KR. Of what has
// NUL bytes, or many other control characters, and no mark: a few are no harm, for cleaning removes
// them wherever they stand; else it is UTF-32 or UTF-16 when all of `head` reads as assigned
// characters in it, else binary. All else is left to Utf8Stream.
TextStart examine_text(std::string_view head, const std::string& given);

// Evidence (encoding_evidence) of texts that most likely are in the same encoding; asked for when
// a text alone does not tell.
using Neighbours = std::function<std::string()>;

// The encoding of a text that begins with `text`, which should begin at its first byte beyond ASCII
// and is best 64 KiB long: "UTF-8" when at least ten sequences are valid for each that is not (a
// damaged text stays what it is), else guess_encoding's.
EncodingGuess detect_encoding(std::string_view text, const Neighbours& neighbours = {});

// Of a file's first bytes, what may tell the encoding of its neighbours: nothing when it is UTF-8,
// UTF-16 or no text.
std::string evidence_of(std::string_view head);

// The encoding that text with this label is really in, as browsers read it (WHATWG Encoding:
// "ISO-8859-1" means windows-1252, "GB2312" GB18030); "" for a label that ICU does not know.
std::string encoding_of_label(const std::string& label);

// Throws kUsage when ICU knows no encoding of this name. "" is allowed: to be detected.
void check_encoding(const std::string& name);

class Converter;
class MixedText;

// A text in any encoding, read as UTF-8. The text of a UTF-8 file passes unchanged, invalid bytes
// as well; in any other encoding, each sequence that cannot be decoded becomes one U+FFFD.
class Utf8Stream {
 public:
  // `encoding`: a name that ICU knows, and stands for what is really meant by it
  // (encoding_of_label); "" for one that contains ASCII and is to be detected, which happens at the
  // first byte that is no ASCII, wherever it stands. Of a text whose encoding is detected, parts
  // may be in UTF-8 and parts in another (MixedText).
  Utf8Stream(ReadBytes read, std::string encoding, Neighbours neighbours = {});
  Utf8Stream(Utf8Stream&&) noexcept;
  ~Utf8Stream();

  size_t read(char* out, size_t size_bytes);  // as ReadBytes

  const std::string& encoding() const;  // "" while nothing but ASCII has been read
  double certainty() const;             // 1 for what is given or valid UTF-8
  bool converts() const;
  int64_t replaced() const;            // sequences that became U+FFFD so far
  std::vector<Message> notes() const;  // what a user should know of it: a sentence each

 private:
  size_t read_ascii(char* out, size_t size_bytes);
  size_t read_converted(char* out, size_t size_bytes);

  ReadBytes read_;
  Neighbours neighbours_;
  std::string encoding_;                  // the given one
  std::unique_ptr<Converter> converter_;  // from it; null for UTF-8
  std::unique_ptr<MixedText> mixed_;      // once an encoding is detected
  std::string raw_;
  MadeText converted_;
  bool end_ = false;
  int64_t line_ = 1;
};

}  // namespace inkstone
