// config.json and generation_config.json, which the input holds one behind the other, a zero byte
// between.
#include "formats/hf_config.h"
#include "fuzz.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view text = fuzz::as_text(data, size);
  const size_t end = std::min(text.find('\0'), text.size());
  HfConfigFiles files{.config = std::string(text.substr(0, end)),
                      .generation = std::string(text.substr(std::min(end + 1, text.size())))};
  fuzz::accepts([&] {
    const ModelConfig config = parse_hf_config(files.config);
    fuzz::require(config.layers > 0 && config.heads > 0 && config.context > 0 &&
                      config.vocab_size > 0 && config.width % config.heads == 0,
                  "a config that is accepted has sizes");
  });
  fuzz::accepts([&] {
    for (const TokenId id : special_ids_of(files).end) fuzz::require(id >= 0, "an id is one");
  });
  return 0;
}
