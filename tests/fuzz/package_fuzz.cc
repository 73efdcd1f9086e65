// The XML and the pages inside DOCX, ODT and EPUB. The first byte picks the kind; the parts of the
// package stand behind one another with NULs between them. (The archives around them are
// archive_fuzz's.)
#include <array>
#include <string>

#include "base/check.h"
#include "base/utf8.h"
#include "corpus/read/package.h"
#include "fuzz_source.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace inkstone;
  if (size == 0) return 0;
  constexpr std::array<std::array<const char*, 4>, 3> kMembers = {
      {{"word/document.xml", "word/footnotes.xml", "_rels/.rels", "word/_rels/document.xml.rels"},
       {"content.xml", "styles.xml", "meta.xml", "settings.xml"},
       {"book/content.opf", "book/a.xhtml", "book/b 1.html", "META-INF/encryption.xml"}}};
  const size_t kind = data[0] % kMembers.size();
  Package package;
  if (kind == 1) package.members["mimetype"] = "application/vnd.oasis.opendocument.text";
  if (kind == 2) {
    package.members["mimetype"] = "application/epub+zip";
    package.members["META-INF/container.xml"] =
        "<container><rootfile full-path='book/content.opf'/></container>";
  }
  std::string_view rest = fuzz::as_text(data + 1, size - 1);
  for (const char* name : kMembers[kind]) {
    const size_t end = std::min(rest.find('\0'), rest.size());
    if (end > 0) package.members[name] = rest.substr(0, end);
    rest.remove_prefix(std::min(end + 1, rest.size()));
  }
  const PackageText text = text_of_package(package);
  INK_CHECK(text.text.empty() != text.why_not.empty(), "fuzz");
  INK_CHECK(text.text.empty() || text.text.ends_with('\n'), "fuzz");
  INK_CHECK(is_valid_utf8(text.text), "fuzz");
  return 0;
}
