// Records with a completion, as JSON lines, JSON and tables, not in containers. The first byte
// picks the format and what is taken. Laws: a conversation is whole, has something to train, and is
// the same when it is packed again.
#include "corpus/read/archive.h"
#include "corpus/read/dialogue.h"
#include "corpus/read/document_source.h"
#include "fuzz.h"

namespace inkstone {
namespace {

void check(const DocumentPiece& piece) {
  if (!piece.is_dialogue) return;
  fuzz::require(piece.first && piece.last, "a conversation comes whole");
  const Dialogue dialogue = unpack(piece.text);
  fuzz::require(why_not_trained(dialogue).empty(), "a conversation has something to train");
  fuzz::require(pack(dialogue) == piece.text, "a conversation is kept");
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0 || !container_name(fuzz::as_text(data + 1, size - 1)).empty()) return 0;
  constexpr InputFormat kFormats[] = {InputFormat::kJsonLines, InputFormat::kJson,
                                      InputFormat::kCsv, InputFormat::kTsv};
  const ReadOptions options{
      .format = kFormats[data[0] % 4],
      .encoding = "UTF-8",
      .records = data[0] / 4 % 2 == 0 ? Records::kAuto : Records::kCompletion};
  const auto source = open_source("fuzz", read_from(fuzz::as_text(data + 1, size - 1)), options,
                                  {.on_dropped = [](const SourcePlace&, const Message&) {}});
  for (DocumentPiece piece; source->next(piece);) check(piece);
  return 0;
}
