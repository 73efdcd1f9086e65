// Texts and small helpers that the tokenizer's tests share.
#pragma once

#include <nlohmann/json.hpp>

#include <random>
#include <string>
#include <vector>

#include "base/file.h"
#include "base/json.h"
#include "inkstone/tokenizer.h"
#include "support.h"

namespace inkstone::test {

inline std::string fixture_text(const std::string& name) {
  return read_file(fixture("tokenizer/" + name));
}

inline Json fixture_golden() { return read_json(fixture("tokenizer/golden.json")); }

// Random text of characters between which the rules of the pre-tokenizer change.
inline std::string random_text(std::mt19937& random, size_t characters) {
  static const std::vector<std::string> kPool = {
      "a",          "s",          "t",      "r",      "e",      "v",       "l",      "d",
      "m",          "T",          "'",      "'",      " ",      " ",       " ",      "\n",
      "\t",         "\r",         "1",      "9",      ".",      "-",       "_",      "\v",
      "\f",         "\0",         "\x1c",   "\x7f",   "é",      "e\u0301", "中",     "文",
      "½",          "Ⅳ",          "٣",      "😀",      "\u0085", "\u00a0",  "\u1680", "\u180e",
      "\u2003",     "\u2028",     "\u200b", "\u200d", "\u3000", "\ufeff",  "’",      "ſ",
      "\U000e0001", "\U0010ffff", "\u0378", "ª",      "ʰ",      "𝟘",       "𐐀"};
  std::string text;
  for (size_t i = 0; i < characters; ++i) text += kPool[random() % kPool.size()];
  return text;
}

// Random bytes, most of them in sequences that are not UTF-8.
inline std::string random_bytes(std::mt19937& random, size_t size) {
  static const std::string kPool = " a'\n\x80\xBF\xC2\xE4\xB8\xAD\xED\xA0\xF0\x9F\x98\xFF";
  std::string bytes;
  for (size_t i = 0; i < size; ++i) bytes += kPool[random() % kPool.size()];
  return bytes;
}

// A trained tokenizer whose only text is `text`.
inline Tokenizer train_on(const std::string& text, const TokenizerTrainOptions& options) {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        if (std::exchange(done, true)) return std::nullopt;
        return text;
      },
      options);
}

}  // namespace inkstone::test
