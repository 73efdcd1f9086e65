// formats/trained_spans on any bytes. The input is what follows the magic and the version. Law:
// what is accepted is consistent.
#include "formats/little_endian.h"
#include "formats/trained_spans.h"
#include "fuzz.h"

namespace inkstone {
namespace {

void check(const TrainedSpans& spans) {
  int64_t tokens = 0;
  for (int64_t i = 0; i < spans.documents(); ++i) {
    fuzz::require(spans.begin(i) == tokens, "documents follow each other");
    tokens += spans.tokens(i);
    int64_t before = 0;
    for (const TrainedSpan& span : spans.spans(i)) {
      fuzz::require(span.begin >= before && span.begin < span.end && span.end <= spans.tokens(i),
                    "spans ascend inside their document");
      before = span.end;
    }
  }
  fuzz::require(spans.begin(spans.documents()) == tokens, "the tokens are those of the documents");
  fuzz::require(spans.trained_tokens() <= tokens, "no token is trained twice");
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  const std::string_view text = fuzz::as_text(data, size);
  fuzz::accepts([&] { check(TrainedSpans::parse(text)); });
  std::string file = "INKSPANS";
  append_little_endian(file, uint32_t{1});
  append_little_endian(file, uint32_t{0});
  file += text;
  fuzz::accepts([&] { check(TrainedSpans::parse(file)); });
  return 0;
}
