#include "corpus/clean/words.h"

#include "base/hash.h"
#include "base/utf8.h"
#include "tokenizer/unicode_classes.h"

namespace inkstone {
namespace {

class WordSplitter {
 public:
  WordSplitter(std::string_view text, std::vector<Word>& words) : text_(text), words_(words) {}

  void run() {
    const UnicodeClasses& classes = UnicodeClasses::instance();
    for (size_t at = 0; at < text_.size();) {
      const Utf8Step step = decode_utf8(text_, at);
      const size_t end = at + static_cast<size_t>(step.size_bytes);
      const CharClass kind = step.ok ? classes[step.code_point] : CharClass::kOther;
      if (kind == CharClass::kWhiteSpace) {
        finish_word(at, true);
        begin_word(end, true);
      } else if (step.ok && is_unspaced_letter(step.code_point)) {
        finish_word(at, false);
        words_.push_back({hash64(text_.substr(at, end - at)), 1, true, true});
        begin_word(end, false);
      } else {
        ++word_.characters;
        word_.has_letter |= kind == CharClass::kLetter;
        has_digit_ |= kind == CharClass::kNumber;
      }
      at = end;
    }
    finish_word(text_.size(), true);
  }

 private:
  void begin_word(size_t at, bool after_space) {
    begin_ = at;
    after_space_ = after_space;
    word_ = {};
    has_digit_ = false;
  }

  void finish_word(size_t end, bool before_space) {
    if (end == begin_) return;
    if (!(after_space_ && before_space) && !word_.has_letter && !has_digit_) return;
    word_.hash = hash64(text_.substr(begin_, end - begin_));
    words_.push_back(word_);
  }

  std::string_view text_;
  std::vector<Word>& words_;
  size_t begin_ = 0;
  Word word_;
  bool has_digit_ = false;
  bool after_space_ = true;
};

}  // namespace

void split_words(std::string_view text, std::vector<Word>& words) {
  words.clear();
  WordSplitter(text, words).run();
}

}  // namespace inkstone
