#include "corpus/read/package.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/read/archive.h"
#include "corpus/read/names.h"
#include "corpus/read/xml_events.h"

namespace inkstone {
namespace {

using namespace std::string_view_literals;

constexpr std::string_view kZipMagic = "PK\x03\x04";
constexpr std::string_view kPackageEndings[] = {".docx", ".docm", ".dotx", ".dotm",
                                                ".odt",  ".ott",  ".epub", ".xlsx",
                                                ".pptx", ".ods",  ".odp",  ".pages"};
constexpr std::string_view kPackageMembers[] = {"[Content_Types].xml", "_rels/.rels",
                                                "META-INF/container.xml", "word/document.xml",
                                                "Index/Document.iwa"};
constexpr std::string_view kBookType = "application/epub+zip",
                           kOpenDocument = "application/vnd.oasis.opendocument.";

uint32_t little_endian_at(std::string_view bytes, size_t at, size_t size_bytes) {
  uint32_t value = 0;
  for (size_t i = 0; i < size_bytes; ++i)
    value |= uint32_t{static_cast<uint8_t>(bytes[at + i])} << (8 * i);
  return value;
}

// A member at the head of a zip archive (APPNOTE.TXT 4.3.7).
struct ZipMember {
  std::string_view name, content;  // what of it lies in the head
  bool is_stored;                  // and not compressed
};

// Of the members whose headers lie in `head`.
template <typename F>
bool any_member(std::string_view head, F&& f) {
  constexpr size_t kHeader_bytes = 30;
  for (size_t at = 0; at + kHeader_bytes <= head.size() && head.substr(at, 4) == kZipMagic;) {
    const size_t size = little_endian_at(head, at + 18, 4);
    const size_t name_end = at + kHeader_bytes + little_endian_at(head, at + 26, 2);
    const size_t begin = std::min(name_end + little_endian_at(head, at + 28, 2), head.size());
    if (name_end > head.size()) break;
    const bool is_told = (little_endian_at(head, at + 6, 2) & 8) == 0;  // its size, here
    const size_t next = is_told ? begin + size : head.find(kZipMagic, begin);
    const ZipMember member{head.substr(at + kHeader_bytes, name_end - at - kHeader_bytes),
                           head.substr(begin, std::min(next, head.size()) - begin),
                           little_endian_at(head, at + 8, 2) == 0};
    if (f(member)) return true;
    // What is stored without a size may have headers of its own.
    if (next >= head.size() || (member.is_stored && !is_told)) break;
    at = next;
  }
  return false;
}

bool is_package_member(const ZipMember& member) {
  if (member.name == "mimetype") {
    return !member.is_stored || member.content.starts_with(kBookType) ||
           member.content.starts_with(kOpenDocument);
  }
  return std::find(std::begin(kPackageMembers), std::end(kPackageMembers), member.name) !=
         std::end(kPackageMembers);
}

// By its beginning: "<" after a byte order mark and white space, or UTF-16's mark.
bool is_markup(std::string_view head) {
  if (head.starts_with("\xFF\xFE"sv) || head.starts_with("\xFE\xFF"sv)) return true;
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  const size_t ink = head.find_first_not_of(" \t\r\n");
  return ink != head.npos && head[ink] == '<';
}

// Reads the present member, or its beginning where it is no markup.
void read_member(Archive& archive, std::string& content, size_t limit_bytes) {
  constexpr size_t kBlock_bytes = 256 * 1024;
  std::string block(kBlock_bytes, '\0');
  for (size_t got = 1; got > 0 && content.size() <= limit_bytes;) {
    got = archive.read_some(block.data(), block.size());
    const bool at_head = content.empty();
    content.append(block, 0, got);
    if (at_head && !is_markup(std::string_view(content).substr(0, 4096))) break;
  }
}

std::string member_text(const Package& package, const char* name) {
  const std::string* found = package.find(name);
  return found != nullptr ? *found : "";
}

Message why_no_office_text(const Package& package) {
  const std::string types = member_text(package, "[Content_Types].xml");
  if (types.find("spreadsheetml") != types.npos)
    return marked("a workbook (XLSX); save its sheets as CSV first");
  if (types.find("presentationml") != types.npos)
    return marked("a presentation (PPTX); save its outline as text first");
  if (!package.why_ended.empty()) return package.why_ended;
  return marked("a document whose text is not found; save it as DOCX or text first");
}

Message why_no_open_document_text(std::string_view type) {
  if (type.find("spreadsheet") != type.npos)
    return marked("a spreadsheet (ODS); save its sheets as CSV first");
  if (type.find("presentation") != type.npos)
    return marked("a presentation (ODP); save its outline as text first");
  return marked("an OpenDocument file without text; save it as ODT or text first");
}

}  // namespace

bool is_package(std::string_view head, std::string_view name) {
  if (!head.starts_with(kZipMagic)) return false;
  const std::string lower = lower_case(name);
  const auto ends = [&](std::string_view ending) { return lower.ends_with(ending); };
  return std::any_of(std::begin(kPackageEndings), std::end(kPackageEndings), ends) ||
         any_member(head, is_package_member);
}

const std::string* Package::find(const std::string& name) const {
  const auto found = members.find(name);
  if (found != members.end()) return &found->second;
  const std::string lower = lower_case(name);
  for (const auto& [other, content] : members) {
    if (lower_case(other) == lower) return &content;
  }
  return nullptr;
}

Package read_package(ReadBytes zip) {
  Package package;
  size_t held_bytes = 0;
  try {
    Archive archive(std::move(zip));
    for (Archive::Member member; archive.next(member);) {
      if (member.name.ends_with('/')) continue;
      if (member.why_not.english() == "encrypted") {
        package.why_ended = member.why_not;
        continue;
      }
      std::replace(member.name.begin(), member.name.end(), '\\', '/');
      std::string content;
      try {
        read_member(archive, content, kLongestPackage_bytes - held_bytes);
      } catch (const Error& e) {
        if (package.why_ended.empty()) package.why_ended = e.message();
      }
      const bool kept = is_markup(content) || member.name == "mimetype" ||
                        member.name.ends_with(".iwa");
      if (!kept || content.empty()) continue;
      held_bytes += content.size();
      package.members.try_emplace(member.name, std::move(content));
      if (held_bytes > kLongestPackage_bytes) {
        fail(ErrorCode::kInvalidData, "more than {} MiB of markup in one document",
             kLongestPackage_bytes >> 20);
      }
    }
  } catch (const Error& e) {
    if (package.why_ended.empty()) package.why_ended = e.message();
  }
  return package;
}

namespace {

PackageText text_by_kind(const Package& package) {
  const std::string type = member_text(package, "mimetype");
  if (type.starts_with(kBookType) || package.find("META-INF/container.xml") != nullptr)
    return epub_text(package);
  if (type.starts_with(kOpenDocument)) {
    if (type.substr(kOpenDocument.size()).starts_with("text")) return odt_text(package);
    return {.text = "", .why_not = why_no_open_document_text(type)};
  }
  PackageText text = docx_text(package);
  if (!text.why_not.empty() || !text.text.empty()) return text;
  if (package.find("[Content_Types].xml") != nullptr)
    return {.text = "", .why_not = why_no_office_text(package)};
  if (package.find("Index/Document.iwa") != nullptr)
    return {.text = "", .why_not = marked("a Pages document; export it as DOCX or text first")};
  const bool is_damaged = !package.why_ended.empty();
  return {.text = "",
          .why_not = is_damaged ? package.why_ended
                                : marked("by its name a document, and not found to be a DOCX, ODT "
                                         "or EPUB; save it as one of these, or as text")};
}

}  // namespace

PackageText text_of_package(const Package& package) {
  PackageText text = text_by_kind(package);
  // libxml2 hands on what a broken file has, characters or not.
  if (!is_valid_utf8(text.text)) text.text = replace_invalid_utf8(text.text);
  return text;
}

PackageText text_or_fault(std::string text, const Message& fault) {
  PackageText result{.text = std::move(text), .why_not = ""};
  if (result.text.empty())
    result.why_not = fault.empty() ? Message(marked("a document without text"))
                                   : message("damaged XML: {}", fault);
  else if (!fault.empty())
    result.notes = message("its XML is damaged, and was read as far as it goes: {}", fault);
  return result;
}

std::string member_name(std::string_view base, std::string_view href) {
  std::string path = percent_decoded(href.substr(0, href.find('#')));
  if (path.starts_with('/')) {
    path.erase(0, 1);
  } else if (const size_t slash = base.rfind('/'); slash != base.npos) {
    path.insert(0, base.substr(0, slash + 1));
  }
  std::vector<std::string_view> parts;
  const std::string_view view = path;
  for (size_t at = 0; at <= view.size();) {
    const size_t end = std::min(view.find('/', at), view.size());
    const std::string_view part = view.substr(at, end - at);
    at = end + 1;
    if (part == "..") {
      if (!parts.empty()) parts.pop_back();
    } else if (!part.empty() && part != ".") {
      parts.push_back(part);
    }
  }
  std::string name;
  for (const std::string_view part : parts) name.append(name.empty() ? "" : "/").append(part);
  return name;
}

}  // namespace inkstone
