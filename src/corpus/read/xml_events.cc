#include "corpus/read/xml_events.h"

#include <fmt/format.h>
#include <libxml/parser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>

#include <exception>
#include <limits>
#include <memory>
#include <new>

#include "base/error.h"

namespace inkstone {
namespace {

std::string_view xml_view(const xmlChar* text) {
  return text != nullptr ? reinterpret_cast<const char*>(text) : std::string_view();
}

// libxml2 gives "&amp;" in attributes as "&#38;" where no entity is replaced.
std::string attribute_value(const xmlChar* begin, const xmlChar* end) {
  constexpr std::string_view kEscaped = "&#38;";
  std::string value(reinterpret_cast<const char*>(begin), static_cast<size_t>(end - begin));
  for (size_t at = value.find(kEscaped); at != value.npos; at = value.find(kEscaped, at + 1))
    value.erase(at + 1, kEscaped.size() - 1);
  return value;
}

// libxml2 calls back through C, where no exception may pass.
struct XmlParse {
  XmlEvents& events;
  xmlParserCtxtPtr context = nullptr;
  std::exception_ptr error = nullptr;
  Message fault = "";
  std::vector<XmlAttribute> attributes = {};

  template <typename F>
  static void guarded(void* self, F&& f) {
    auto& parse = *static_cast<XmlParse*>(self);
    if (parse.error) return;
    try {
      f(parse);
    } catch (...) {
      parse.error = std::current_exception();
      xmlStopParser(parse.context);
    }
  }
};

void on_xml_start(void* self, const xmlChar* name, const xmlChar*, const xmlChar*, int,
                  const xmlChar**, int count, int, const xmlChar** attributes) {
  XmlParse::guarded(self, [&](XmlParse& parse) {
    parse.attributes.clear();
    for (int i = 0; i < count; ++i) {
      const xmlChar** fields = attributes + ptrdiff_t{5} * i;  // name, prefix, URI, begin, end
      parse.attributes.push_back({xml_view(fields[0]), attribute_value(fields[3], fields[4])});
    }
    parse.events.start(xml_view(name), parse.attributes);
  });
}

void on_xml_end(void* self, const xmlChar* name, const xmlChar*, const xmlChar*) {
  XmlParse::guarded(self, [&](XmlParse& parse) { parse.events.end(xml_view(name)); });
}

void on_xml_text(void* self, const xmlChar* text, int size_bytes) {
  const std::string_view characters(reinterpret_cast<const char*>(text),
                                    static_cast<size_t>(size_bytes));
  XmlParse::guarded(self, [&](XmlParse& parse) { parse.events.text(characters); });
}

// Its second argument is const in later versions.
template <typename XmlError>
void on_xml_fault(void* self, XmlError* error) {
  XmlParse::guarded(self, [&](XmlParse& parse) {
    if (error->level < XML_ERR_ERROR || !parse.fault.empty()) return;
    std::string_view text = error->message != nullptr ? error->message : "malformed";
    while (text.ends_with('\n')) text.remove_suffix(1);
    parse.fault = message("line {}: {}", error->line, text);
  });
}

xmlSAXHandler make_xml_handler() {
  xmlSAXHandler handler{};
  handler.initialized = XML_SAX2_MAGIC;
  handler.startElementNs = &on_xml_start;
  handler.endElementNs = &on_xml_end;
  handler.characters = handler.ignorableWhitespace = handler.cdataBlock = &on_xml_text;
  handler.serror = &on_xml_fault;
  return handler;
}

}  // namespace

std::string_view value_of(XmlAttributes attributes, std::string_view name) {
  for (const XmlAttribute& attribute : attributes) {
    if (attribute.name == name) return attribute.value;
  }
  return "";
}

Message parse_xml(std::string_view document, XmlEvents& events) {
  static const int initialized = (xmlInitParser(), 0);  // once, in whichever thread comes first
  static_cast<void>(initialized);
  if (document.empty()) return marked("empty");
  if (document.size() > static_cast<size_t>(std::numeric_limits<int>::max()))
    return marked("longer than 2 GiB");
  const std::unique_ptr<xmlParserCtxt, decltype(&xmlFreeParserCtxt)> context(
      xmlCreateMemoryParserCtxt(document.data(), static_cast<int>(document.size())),
      &xmlFreeParserCtxt);
  if (!context) throw std::bad_alloc();
  XmlParse parse{.events = events, .context = context.get()};
  *context->sax = make_xml_handler();
  context->userData = &parse;
  xmlCtxtUseOptions(context.get(),
                    XML_PARSE_RECOVER | XML_PARSE_NOERROR | XML_PARSE_NOWARNING | XML_PARSE_NONET);
  xmlParseDocument(context.get());
  if (parse.error) std::rethrow_exception(parse.error);
  return parse.fault;
}

}  // namespace inkstone
