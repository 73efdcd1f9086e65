// vocab.json, merges.txt and added_tokens.json, which the input holds one behind the other, a zero
// byte between.
#include <array>

#include "fuzz.h"
#include "tokenizer/vocab_merges.h"
#include "tokenizer_laws.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  std::string_view rest = fuzz::as_text(data, size);
  std::array<std::string_view, 3> files;
  for (std::string_view& file : files) {
    file = rest.substr(0, rest.find('\0'));
    rest.remove_prefix(std::min(file.size() + 1, rest.size()));
  }
  fuzz::accepts([&] {
    const Tokenizer::Impl tokenizer(parse_vocab_and_merges(files[0], files[1], files[2]));
    fuzz::check_round_trips(tokenizer, files[1].substr(0, 64));
  });
  return 0;
}
