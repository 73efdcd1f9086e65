// turn_template.json on any bytes. Laws: what is accepted is written and read again as the same;
// its Jinja can be made; the two roles that must be there are.
#include "fuzz.h"
#include "inkstone/turns.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::accepts([&] {
    const TurnTemplate turns = parse_turn_template(text);
    fuzz::require(turns.find(kUser) != nullptr && turns.find(kAssistant) != nullptr,
                  "user and assistant are there");
    fuzz::require(!jinja_of(turns).empty(), "a template has a Jinja");
    fuzz::require(parse_turn_template(to_json_text(turns)) == turns, "a template is kept");
  });
  return 0;
}
