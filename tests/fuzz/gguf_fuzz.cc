// formats/gguf, and what is made of such a file: a tokenizer, a model. Laws: the bytes of every
// tensor lie inside the file and are those of its shape; a tokenizer gives every text back; every
// tensor of a model that was opened can be read.
#include <vector>

#include "formats/gguf.h"
#include "fuzz.h"
#include "memory_file.h"
#include "model/gguf_model.h"
#include "tokenizer/gguf_tokenizer.h"
#include "tokenizer_laws.h"

namespace inkstone {
namespace {

void walk(const GgufValue& value) {
  integer_of(value), number_of(value), boolean_of(value), string_of(value);
  if (value.type == GgufType::kArray) for_each_element(value, walk);
}

void check(const GgufTensor& tensor, std::string_view file) {
  const auto* begin = reinterpret_cast<const char*>(tensor.bytes.data());
  fuzz::require(tensor.bytes.empty() || (begin >= file.data() &&
                                         begin + tensor.bytes.size() <= file.data() + file.size()),
                "a tensor's bytes lie inside the file");
  if (!fuzz::accepts([&] { weight_type(tensor); })) return;
  int64_t bytes = row_bytes(*tensor.type, tensor.shape.empty() ? 1 : tensor.shape.back());
  for (size_t i = 0; i + 1 < tensor.shape.size(); ++i) bytes *= tensor.shape[i];
  fuzz::require(static_cast<int64_t>(tensor.bytes.size()) == bytes,
                "a tensor has the bytes of its shape");
}

// The sizes of a config are of the metadata, not of the file: only those that it can hold are read.
void check_model(std::string_view file) {
  static const fuzz::MemoryFile place;
  place.set(file);
  OpenedModel model;
  if (!fuzz::accepts([&] { model = open_gguf_model(place.path()); })) return;
  const ParameterTable table(model.config);
  for (int row = 0; row < table.count(); ++row) {
    std::vector<float> values(static_cast<size_t>(table[row].shape.count()));
    read_tensor(model.source->get(row), table[row], values);
  }
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view file = fuzz::as_text(data, size);
  std::optional<Gguf> gguf;
  if (!fuzz::accepts([&] { gguf.emplace(file); })) return 0;
  for (const GgufField& field : gguf->fields()) walk(field.value);
  for (const GgufTensor& tensor : gguf->tensors()) check(tensor, file);
  fuzz::accepts([&] {
    const Tokenizer::Impl tokenizer(read_gguf_tokenizer(*gguf));
    fuzz::check_round_trips(tokenizer, file.substr(0, 64));
  });
  if (fuzz::accepts([&] { gguf_config(*gguf); })) check_model(file);
  return 0;
}
