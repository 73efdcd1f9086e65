// base/json on any bytes. Law: what was read and written is read again as the same.
#include <nlohmann/json.hpp>

#include "base/json.h"
#include "fuzz.h"

namespace inkstone {
namespace {

// Refusals are slow: one call for each input.
void read_member(const Json& json, size_t kind) {
  fuzz::accepts([&] {
    if (kind % 4 == 0) get_integer(json, "a", -3, 1000);
    if (kind % 4 == 1) get_number(json, "a", 0.0, 1.0);
    if (kind % 4 == 2) get_boolean(json, "a");
    if (kind % 4 == 3) get_string(json, "a");
  });
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  Json json;
  if (!fuzz::accepts([&] { json = parse_json(fuzz::as_text(data, size)); })) return 0;
  if (json.is_object()) read_member(json, size);
  fuzz::require(parse_json(json.dump()) == json, "parse_json(dump(x)) == x");
  return 0;
}
