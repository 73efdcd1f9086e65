// tokenizer.json: any bytes are read, compiled and used.
#include "fuzz.h"
#include "tokenizer/tokenizer_json.h"
#include "tokenizer_laws.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::accepts([&] {
    const Tokenizer::Impl tokenizer(parse_tokenizer_json(text));
    fuzz::check_round_trips(tokenizer, text.substr(0, 64));
  });
  return 0;
}
