// encode_texts TOKENIZER [allow] <TEXTS >IDS: encodes JSON strings, one a line, each to a JSON
// array a line; "allow" allows special tokens. What tools/compare_*.py compare with Hugging Face's.
#include <cstdio>
#include <exception>
#include <iostream>
#include <nlohmann/json.hpp>
#include <string>

#include "inkstone/tokenizer.h"

int main(int argc, char** argv) {
  const bool allows = argc == 3 && argv[2] == std::string("allow");
  if (argc != 2 && !allows) {
    return std::fputs("usage: encode_texts TOKENIZER [allow] <TEXTS >IDS\n", stderr), 2;
  }
  try {
    const auto tokenizer = inkstone::Tokenizer::load(argv[1]);
    const auto special = allows ? inkstone::SpecialTokens::kAllow
                                : inkstone::SpecialTokens::kAsText;
    for (std::string line; std::getline(std::cin, line);) {
      const auto text = nlohmann::json::parse(line).get<std::string>();
      std::cout << nlohmann::json(tokenizer.encode(text, special)).dump() << '\n';
    }
    return 0;
  } catch (const std::exception& error) {
    return std::fprintf(stderr, "%s\n", error.what()), 1;
  }
}
