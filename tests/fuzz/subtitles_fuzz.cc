// Subtitles and separators: the same whatever the size of the reads. The first byte picks the
// separator.
#include <iterator>

#include "corpus/read/separators.h"
#include "corpus/read/subtitles.h"
#include "fuzz_source.h"

namespace inkstone {
namespace {

std::string read_in_parts(const ReadBytes& read, size_t step) {
  std::string text, part(step, '\0');
  for (size_t got = step; got == step;) {
    got = read(part.data(), step);
    text.append(part, 0, got);
  }
  return text;
}

void check(std::string_view bytes, const std::string& separator) {
  const auto speech = [&] { return speech_of_subtitles(read_from(bytes)); };
  INK_CHECK(read_in_parts(speech(), 7) == read_in_parts(speech(), 4096), "fuzz");
  const auto divided = [&] { return divide_text(read_from(bytes), separator); };
  INK_CHECK(read_in_parts(divided(), 7) == read_in_parts(divided(), 4096), "fuzz");
  fuzz::read_all(bytes, {.format = InputFormat::kSubtitles, .separator = separator});
}

}  // namespace
}  // namespace inkstone

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  constexpr const char* kSeparators[] = {"", "blank", "line", "^#", "(?=^a)", "x*"};
  if (size == 0) return 0;
  inkstone::check(inkstone::fuzz::as_text(data + 1, size - 1),
                  kSeparators[data[0] % std::size(kSeparators)]);
  return 0;
}
