// encode_texts TOKENIZER <TEXTS >IDS: encodes JSON strings, one a line, each to a JSON array a
// line. What tools/compare_tokenizers.py compares with Hugging Face's tokenizers.
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "inkstone/tokenizer.h"

int main(int argc, char** argv) {
  if (argc != 2) return std::fputs("usage: encode_texts TOKENIZER <TEXTS >IDS\n", stderr), 2;
  try {
    const auto tokenizer = inkstone::Tokenizer::load(argv[1]);
    for (std::string line; std::getline(std::cin, line);) {
      const auto text = nlohmann::json::parse(line).get<std::string>();
      std::cout << nlohmann::json(tokenizer.encode(text)).dump() << '\n';
    }
    return 0;
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
