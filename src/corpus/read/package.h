// Documents of office programs and books: zip archives of markup, each of which is one text.
#pragma once

#include <cstddef>
#include <map>
#include <string>
#include <string_view>

#include "corpus/read/byte_source.h"
#include "inkstone/message.h"

namespace inkstone {

// More markup than this is not held.
inline constexpr size_t kLongestPackage_bytes = size_t{256} << 20;

// True if a zip archive that begins with `head` is a document rather than a collection of files:
// one of its first members says so (EPUB's and OpenDocument's "mimetype", Office's
// "[Content_Types].xml", "META-INF/container.xml"), or its name does (.docx .odt .epub and their
// like, in any case).
bool is_package(std::string_view head, std::string_view name);

// The members that are markup, by name.
struct Package {
  std::map<std::string, std::string> members;
  Message why_ended;  // why it could not be read to its end, or whole; empty when it was

  // Null where there is none. Names as in an archive, or as a browser would find them: case counts
  // only where both are there.
  const std::string* find(const std::string& name) const;
};

// Holds what a zip archive has of markup, by its beginning and not by its name. Throws nothing: a
// damaged member gives what stands before the damage, an encrypted one nothing.
Package read_package(ReadBytes zip);

// What a package says.
struct PackageText {
  std::string text;    // UTF-8, a paragraph in each line or between blank lines
  Message why_not;     // why it has none, and what to do; empty when it has
  Message notes = "";  // what a user should know; empty: nothing
};

// The text of a DOCX, ODT or EPUB; of others, why there is none.
PackageText text_of_package(const Package& package);

// The parts of the above.
PackageText docx_text(const Package& package);
PackageText odt_text(const Package& package);
PackageText epub_text(const Package& package);

// A text, with a note where its XML has a fault; without one, why there is none.
PackageText text_or_fault(std::string text, const Message& fault);

// The name that `href` has when it stands in the member `base`: relative, percent-encoded, perhaps
// with a fragment. "OEBPS/toc.opf" and "text/a%20b.html#c" give "OEBPS/text/a b.html".
std::string member_name(std::string_view base, std::string_view href);

}  // namespace inkstone
