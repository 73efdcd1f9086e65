// What a terminal sends. Laws: in two pieces it is the same keys as at once; the text stays UTF-8
// and the cursor between characters; any text can be shown.
#include <algorithm>
#include <vector>

#include "base/utf8.h"
#include "cli/chat_input.h"
#include "cli/terminal/clusters.h"
#include "cli/terminal/edit_buffer.h"
#include "cli/terminal/encoding.h"
#include "cli/terminal/keys.h"
#include "cli/terminal/screen.h"
#include "fuzz.h"

namespace {

using namespace inkstone::cli;

std::vector<KeyPress> keys_of(const char* encoding_name, std::string_view bytes, size_t cut) {
  Encoding encoding(encoding_name);
  KeyDecoder decoder;
  std::vector<KeyPress> presses;
  for (const std::string_view part : {bytes.substr(0, cut), bytes.substr(cut)}) {
    decoder.feed(encoding.decode(part));
    while (const auto press = decoder.next()) {
      const bool goes_on = press->key == Key::kText && !presses.empty() &&
                           presses.back().key == Key::kText;
      if (goes_on) {
        presses.back().text += press->text;
      } else {
        presses.push_back(*press);
      }
    }
  }
  return presses;
}

bool stands_between_characters(const EditBuffer& buffer) {
  const auto clusters = clusters_of(buffer.text());
  return buffer.cursor() == buffer.text().size() ||
         std::ranges::any_of(clusters,
                             [&](const Cluster& c) { return c.begin == buffer.cursor(); });
}

}  // namespace

// The first bytes: the encoding, the width, the height, where to cut.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size < 4) return 0;
  const std::string_view bytes = fuzz::as_text(data + 4, size - 4);
  const char* encoding = data[0] % 2 == 0 ? "UTF-8" : "GBK";
  const auto presses = keys_of(encoding, bytes, 0);
  const auto same = [](const KeyPress& a, const KeyPress& b) {
    return a.key == b.key && a.text == b.text;
  };
  fuzz::require(
      std::ranges::equal(keys_of(encoding, bytes, std::min<size_t>(data[3], bytes.size())), presses,
                         same),
      "keys(a + b) == keys(a), keys(b)");
  EditBuffer buffer;
  Screen screen({data[1] % 40, data[2] % 12}, [](std::string_view) {});
  for (const KeyPress& press : presses) {
    buffer.apply(press);
    fuzz::require(is_valid_utf8(buffer.text()), "the text is UTF-8");
    fuzz::require(stands_between_characters(buffer), "the cursor stands between characters");
    screen.draw({"> ", ". ", buffer.text(), buffer.cursor()});
  }
  screen.resize({data[2] % 40, data[1] % 12}, {"> ", ". ", buffer.text(), buffer.cursor()});
  screen.finish({"> ", ". ", buffer.text(), buffer.cursor()});
  TypedText typed;
  typed.add(buffer.text());
  typed.add(buffer.text());
  parse_command(typed.meaning());
  return 0;
}
