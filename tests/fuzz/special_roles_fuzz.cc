// tokenizer_config.json and special_tokens_map.json, which the input holds one behind the other, a
// zero byte between. Law: a mark that a save puts in is read again.
#include "fuzz.h"
#include "tokenizer/special_roles.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view text = fuzz::as_text(data, size);
  const size_t end = std::min(text.find('\0'), text.size());
  TokenizerFiles files{.config = std::string(text.substr(0, end)),
                       .map = std::string(text.substr(std::min(end + 1, text.size())))};
  fuzz::accepts([&] {
    read_special_roles(files);
    files.config = with_special_roles(files.config, "<s>", "</s>");
    const SpecialRoles roles = read_special_roles(files);
    fuzz::require(roles.begin == "<s>" && roles.end == "</s>", "a mark that was put in is there");
  });
  return 0;
}
