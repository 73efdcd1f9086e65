#include "base/message.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <boost/locale/gnu_gettext.hpp>
#include <locale>

#include "base/catalogues.h"
#include "base/error.h"

namespace inkstone {
namespace {

using Catalogue = boost::locale::message_format<char>;

// The messages of a catalogue that lies in the program. Boost reads the format of GNU gettext;
// glibc's gettext() would want a file, and a locale that the system has.
std::locale locale_with(const EmbeddedCatalogue& embedded) {
  boost::locale::gnu_gettext::messages_info info;
  info.language = embedded.language;
  info.encoding = "UTF-8";
  info.domains.push_back(boost::locale::gnu_gettext::messages_info::domain("inkstone"));
  info.paths.emplace_back(".");
  info.callback = [&](const std::string&, const std::string&) {
    return std::vector<char>(embedded.bytes.begin(), embedded.bytes.end());
  };
  return {std::locale::classic(), boost::locale::gnu_gettext::create_messages_facet<char>(info)};
}

// Of the process: like the locale of C, it is what the person in front of it reads.
struct Language {
  std::locale locale;
  const Catalogue* catalogue = nullptr;  // of the locale; null: English
};

Language& language() {
  static Language instance;
  return instance;
}

}  // namespace

const std::vector<std::string>& languages() {
  static const std::vector<std::string> names = [] {
    std::vector<std::string> found = {"en"};
    for (const EmbeddedCatalogue& c : embedded_catalogues()) found.emplace_back(c.language);
    return found;
  }();
  return names;
}

void set_language(const std::string& name) {
  if (name == "en") {
    language() = {};
    return;
  }
  const auto catalogues = embedded_catalogues();
  const auto found = std::ranges::find(catalogues, name, &EmbeddedCatalogue::language);
  if (found == catalogues.end()) {
    fail(ErrorCode::kUsage, "there are no messages in the language '{}', expected one of {}", name,
         fmt::join(languages(), ", "));
  }
  Language& now = language();
  now.locale = locale_with(*found);
  now.catalogue = &std::use_facet<Catalogue>(now.locale);
}

namespace detail {

const char* translation_of(const char* english) {
  const Catalogue* catalogue = language().catalogue;
  // The empty one is the catalogue's own header.
  if (catalogue == nullptr || *english == '\0') return nullptr;
  return catalogue->get(0, nullptr, english);
}

}  // namespace detail

std::string translated(std::string_view english) {
  std::string text(english);
  const char* found = detail::translation_of(text.c_str());
  return found == nullptr ? text : found;
}

std::string Message::shown() const { return shown_.empty() ? translated(english_) : shown_; }

}  // namespace inkstone
