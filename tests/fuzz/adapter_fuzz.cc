// adapter_config.json and adapter_model.safetensors, which the input holds one behind the other, a
// zero byte between, of an adapter for a small model.
#include <cmath>

#include "fuzz.h"
#include "model/adapted_model.h"
#include "model/adapter.h"

namespace {

using namespace inkstone;

constexpr ModelConfig kModel = {
    .layers = 1, .heads = 1, .width = 4, .context = 3, .vocab_size = 5, .inner = 8};

size_t product(int64_t a, int64_t b) { return static_cast<size_t>(a * b); }

void check_laws(const Adapter& adapter) {
  fuzz::require(!adapter.modules.empty() || !adapter.whole.empty(), "an adapter changes something");
  for (const AdapterModule& m : adapter.modules) {
    fuzz::require(m.rank > 0 && m.a.size() == product(m.rank, m.in) &&
                      m.b.size() == product(m.out, m.rank) &&
                      (m.magnitude.empty() || m.magnitude.size() == product(m.out, 1)),
                  "a module has the numbers of its shape");
    fuzz::require(std::isfinite(m.scale), "a scale is finite");
  }
  const ModelConfig changed = adapted_config(kModel, adapter);
  fuzz::require(changed.layers == kModel.layers && changed.width == kModel.width,
                "an adapter changes the vocabulary alone");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  const std::string_view text = fuzz::as_text(data, size);
  const size_t end = std::min(text.find('\0'), text.size());
  const std::string_view config = text.substr(0, end),
                         tensors = text.substr(std::min(end + 1, text.size()));
  fuzz::accepts([&] {
    try {
      check_laws(parse_adapter(config, tensors, kModel));
    } catch (const Error& error) {
      if (error.code() != ErrorCode::kMismatch) throw;  // of another model
    }
  });
  return 0;
}
