// The text of an EPUB 2 or 3: its chapters, in the order of its spine.
#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "base/error.h"
#include "corpus/read/html_text.h"
#include "corpus/read/names.h"
#include "corpus/read/package.h"
#include "corpus/read/page.h"
#include "corpus/read/xml_events.h"

namespace inkstone {
namespace {

// container.xml: where the package document is.
class ContainerEvents : public XmlEvents {
 public:
  void start(std::string_view name, XmlAttributes attributes) override {
    if (name == "rootfile" && path_.empty()) path_ = value_of(attributes, "full-path");
  }
  void end(std::string_view) override {}
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

// encryption.xml: which members nobody can read without a key.
class EncryptionEvents : public XmlEvents {
 public:
  void start(std::string_view name, XmlAttributes attributes) override {
    if (name == "CipherReference") members_.insert(member_name("", value_of(attributes, "URI")));
  }
  void end(std::string_view) override {}
  const std::set<std::string>& members() const { return members_; }

 private:
  std::set<std::string> members_;
};

bool is_contents_name(std::string_view name) {
  const std::string lower = lower_case(name.substr(name.rfind('/') + 1));
  return lower.starts_with("nav.") || lower.starts_with("toc.");
}

// The package document: what is in the book, and in which order it is read.
class PackageEvents : public XmlEvents {
 public:
  explicit PackageEvents(std::string name) : name_(std::move(name)) {}

  void start(std::string_view name, XmlAttributes attributes) override {
    if (name == "item") {
      const std::string member = member_name(name_, value_of(attributes, "href"));
      items_.try_emplace(std::string(value_of(attributes, "id")), member);
      const std::string properties = fmt::format(" {} ", value_of(attributes, "properties"));
      if (properties.find(" nav ") != properties.npos) contents_.insert(member);
    } else if (name == "itemref") {
      spine_.emplace_back(value_of(attributes, "idref"));
    } else if (name == "reference" && value_of(attributes, "type") == "toc") {
      contents_.insert(member_name(name_, value_of(attributes, "href")));
    }
  }
  void end(std::string_view) override {}

  // Each once. What the spine names and no item describes is called by its id.
  std::vector<std::string> chapters() const {
    std::vector<std::string> names;
    for (const std::string& id : spine_) {
      const auto item = items_.find(id);
      const std::string& name = item == items_.end() ? id : item->second;
      if (contents_.contains(name) || is_contents_name(name)) continue;
      if (std::find(names.begin(), names.end(), name) == names.end()) names.push_back(name);
    }
    return names;
  }
  // The pages that list the chapters.
  const std::set<std::string>& contents() const { return contents_; }

 private:
  std::string name_;
  std::map<std::string, std::string> items_;
  std::vector<std::string> spine_;
  std::set<std::string> contents_;
};

bool is_page_name(std::string_view name) {
  const std::string lower = lower_case(name);
  return lower.ends_with(".xhtml") || lower.ends_with(".html") || lower.ends_with(".htm");
}

// Of a book that does not say in which order it is read: its pages by their names.
std::vector<std::string> pages_by_name(const Package& package,
                                       const std::set<std::string>& contents) {
  std::vector<std::string> names;
  for (const auto& [name, content] : package.members) {
    if (is_page_name(name) && !contents.contains(name) && !is_contents_name(name))
      names.push_back(name);
  }
  std::sort(names.begin(), names.end(), natural_less);
  return names;
}

std::string package_document_of(const Package& package) {
  ContainerEvents container;
  if (const std::string* xml = package.find("META-INF/container.xml")) parse_xml(*xml, container);
  if (!container.path().empty() && package.find(container.path()) != nullptr)
    return container.path();
  for (const auto& [name, content] : package.members) {
    if (lower_case(name).ends_with(".opf")) return name;
  }
  return "";
}

// Of the members, those that are encrypted.
std::set<std::string> encrypted_members(const Package& package) {
  EncryptionEvents events;
  if (const std::string* xml = package.find("META-INF/encryption.xml")) parse_xml(*xml, events);
  return events.members();
}

struct Chapters {
  std::vector<std::string> names;
  bool by_name = false;
};

Chapters chapters_of(const Package& package, const std::set<std::string>& encrypted) {
  const std::string document = package_document_of(package);
  PackageEvents events(document);
  if (!document.empty()) parse_xml(*package.find(document), events);
  const std::vector<std::string> names = events.chapters();
  // What is encrypted is there, though it is no markup that the package holds.
  const bool any = std::any_of(names.begin(), names.end(), [&](const std::string& name) {
    return encrypted.contains(name) || package.find(name) != nullptr;
  });
  if (any) return {.names = names};
  return {.names = pages_by_name(package, events.contents()), .by_name = true};
}

// What becomes of the chapters.
struct Book {
  std::string text;
  int missing = 0, encrypted = 0, unreadable = 0;
};

Book read_book(const Package& package, const std::vector<std::string>& chapters,
               const std::set<std::string>& encrypted) {
  Book book;
  for (const std::string& name : chapters) {
    const std::string* page = package.find(name);
    if (encrypted.contains(name)) {
      ++book.encrypted;
    } else if (page == nullptr) {
      ++book.missing;
    } else {
      try {
        const std::string text = html_text(decode_page(*page, "").text);
        if (!text.empty()) book.text.append(book.text.empty() ? "" : "\n").append(text);
      } catch (const Error&) {
        ++book.unreadable;
      }
    }
  }
  return book;
}

Message notes_of_book(const Book& book, bool by_name) {
  Message notes;
  const auto add = [&](const Message& note) {
    notes = notes.empty() ? note : message("{}; {}", notes, note);
  };
  if (by_name)
    add(marked(
        "the book does not say in which order it is read; its pages were taken by their names"));
  if (book.missing > 0) add(message("{} of its chapters are not in the file", book.missing));
  if (book.encrypted > 0) add(message("{} of its chapters are encrypted", book.encrypted));
  if (book.unreadable > 0) add(message("{} of its chapters cannot be read", book.unreadable));
  return notes;
}

}  // namespace

PackageText epub_text(const Package& package) {
  const std::set<std::string> encrypted = encrypted_members(package);
  const Chapters chapters = chapters_of(package, encrypted);
  Book book = read_book(package, chapters.names, encrypted);
  PackageText result{.text = std::move(book.text), .why_not = ""};
  if (!result.text.empty()) {
    result.notes = notes_of_book(book, chapters.by_name);
  } else if (book.encrypted > 0) {
    result.why_not = marked("an encrypted book (DRM), which only its own reader opens");
  } else if (!package.why_ended.empty()) {
    result.why_not = package.why_ended;
  } else {
    result.why_not = marked("a book without text (pages that are pictures?)");
  }
  return result;
}

}  // namespace inkstone
