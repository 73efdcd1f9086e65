#include "corpus/read/html_text.h"

#include <libxml/HTMLparser.h>
#include <libxml/parserInternals.h>
#include <libxml/xmlerror.h>
#include <strings.h>

#include <algorithm>
#include <array>
#include <cstring>
#include <exception>
#include <memory>
#include <regex>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr int kDeepest = 10'000;  // libxml2 searches its stack of open elements at each end tag

enum class Layout { kInline, kSkipped, kBlock, kParagraph, kBreak, kCell, kVerbatim };

struct ElementLayout {
  std::string_view name;
  Layout layout;
};

// Sorted by name.
constexpr ElementLayout kLayouts[] = {
    {"address", Layout::kBlock},
    {"article", Layout::kBlock},
    {"aside", Layout::kBlock},
    {"audio", Layout::kSkipped},
    {"blockquote", Layout::kParagraph},
    {"body", Layout::kBlock},
    {"br", Layout::kBreak},
    {"canvas", Layout::kSkipped},
    {"caption", Layout::kBlock},
    {"center", Layout::kBlock},
    {"dd", Layout::kBlock},
    {"details", Layout::kBlock},
    {"div", Layout::kBlock},
    {"dl", Layout::kParagraph},
    {"dt", Layout::kBlock},
    {"fieldset", Layout::kBlock},
    {"figcaption", Layout::kBlock},
    {"figure", Layout::kParagraph},
    {"footer", Layout::kBlock},
    {"form", Layout::kBlock},
    {"h1", Layout::kParagraph},
    {"h2", Layout::kParagraph},
    {"h3", Layout::kParagraph},
    {"h4", Layout::kParagraph},
    {"h5", Layout::kParagraph},
    {"h6", Layout::kParagraph},
    {"head", Layout::kSkipped},
    {"header", Layout::kBlock},
    {"hr", Layout::kBlock},
    {"iframe", Layout::kSkipped},
    {"legend", Layout::kBlock},
    {"li", Layout::kBlock},
    {"main", Layout::kBlock},
    {"nav", Layout::kSkipped},
    {"noscript", Layout::kSkipped},
    {"object", Layout::kSkipped},
    {"ol", Layout::kParagraph},
    {"option", Layout::kBlock},
    {"p", Layout::kParagraph},
    {"pre", Layout::kVerbatim},
    {"rp", Layout::kSkipped},
    {"rt", Layout::kSkipped},
    {"script", Layout::kSkipped},
    {"section", Layout::kBlock},
    {"select", Layout::kSkipped},
    {"style", Layout::kSkipped},
    {"summary", Layout::kBlock},
    {"svg", Layout::kSkipped},
    {"table", Layout::kParagraph},
    {"tbody", Layout::kBlock},
    {"td", Layout::kCell},
    {"template", Layout::kSkipped},
    {"textarea", Layout::kVerbatim},
    {"tfoot", Layout::kBlock},
    {"th", Layout::kCell},
    {"thead", Layout::kBlock},
    {"title", Layout::kSkipped},
    {"tr", Layout::kBlock},
    {"ul", Layout::kParagraph},
    {"video", Layout::kSkipped},
};
static_assert(std::is_sorted(std::begin(kLayouts), std::end(kLayouts),
                             [](const auto& a, const auto& b) { return a.name < b.name; }));

Layout layout_of(std::string_view name) {
  const auto at = std::lower_bound(
      std::begin(kLayouts), std::end(kLayouts), name,
      [](const ElementLayout& element, std::string_view n) { return element.name < n; });
  return at != std::end(kLayouts) && at->name == name ? at->layout : Layout::kInline;
}

bool is_space(char c) { return c == ' ' || c == '\n' || c == '\t' || c == '\r' || c == '\f'; }

// Lays out text: white space and line ends wait until ink follows.
class Layouter {
 public:
  void add_collapsed(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      if (is_space(text[at])) {
        space_ = true;
        ++at;
        continue;
      }
      const auto end = static_cast<size_t>(
          std::find_if(text.begin() + static_cast<ptrdiff_t>(at), text.end(), is_space) -
          text.begin());
      add_separation();
      text_.append(text.substr(at, end - at));
      at = end;
    }
  }

  void add_verbatim(std::string_view text) {
    if (text.empty()) return;
    add_separation();
    text_.append(text);
  }

  // At least so many line ends before what follows.
  void break_lines(int lines) { lines_ = std::max(lines_, lines); }
  // One more line end.
  void add_line() { ++extra_lines_; }
  void start_cell() { cell_ = true; }

  std::string take() {
    while (!text_.empty() && is_space(text_.back())) text_.pop_back();
    if (!text_.empty()) text_ += '\n';
    return std::move(text_);
  }

 private:
  void add_separation() {
    const int lines = std::max(lines_, extra_lines_);
    if (text_.empty()) {
      // A page begins with ink.
    } else if (lines > 0) {
      text_.append(static_cast<size_t>(lines), '\n');
    } else if (cell_) {
      text_ += '\t';
    } else if (space_ && text_.back() != '\n') {
      text_ += ' ';
    }
    space_ = cell_ = false;
    lines_ = extra_lines_ = 0;
  }

  std::string text_;
  bool space_ = false, cell_ = false;
  int lines_ = 0, extra_lines_ = 0;
};

// What libxml2 finds, in order.
class PageReader {
 public:
  void start(std::string_view name) {
    if (++depth_ > kDeepest)
      fail(ErrorCode::kInvalidData, "elements nested more than {} deep", kDeepest);
    const Layout layout = layout_of(name);
    if (layout == Layout::kSkipped) ++skipped_;
    if (layout == Layout::kVerbatim) ++verbatim_;
    if (skipped_ > 0) return;
    if (layout == Layout::kBreak) layouter_.add_line();
    if (layout == Layout::kCell) layouter_.start_cell();
    separate(layout);
  }

  void end(std::string_view name) {
    --depth_;
    const Layout layout = layout_of(name);
    if (skipped_ == 0) separate(layout);
    if (layout == Layout::kSkipped) skipped_ = std::max(0, skipped_ - 1);
    if (layout == Layout::kVerbatim) verbatim_ = std::max(0, verbatim_ - 1);
  }

  void add(std::string_view text) {
    if (skipped_ > 0) return;
    if (verbatim_ > 0) {
      layouter_.add_verbatim(text);
    } else {
      layouter_.add_collapsed(text);
    }
  }

  std::string take() { return layouter_.take(); }

 private:
  void separate(Layout layout) {
    if (layout == Layout::kBlock) layouter_.break_lines(1);
    if (layout == Layout::kParagraph || layout == Layout::kVerbatim) layouter_.break_lines(2);
  }

  Layouter layouter_;
  int depth_ = 0, skipped_ = 0, verbatim_ = 0;
};

// libxml2 calls back through C, where no exception may pass: the first one ends the parsing.
struct Parse {
  PageReader page;
  htmlParserCtxtPtr context = nullptr;
  std::exception_ptr error;

  template <typename F>
  static void guarded(void* self, F&& f) {
    auto& parse = *static_cast<Parse*>(self);
    if (parse.error) return;
    try {
      f(parse.page);
    } catch (...) {
      parse.error = std::current_exception();
      xmlStopParser(parse.context);
    }
  }
};

std::string_view view_of(const xmlChar* text) { return reinterpret_cast<const char*>(text); }

void on_start(void* self, const xmlChar* name, const xmlChar**) {
  Parse::guarded(self, [&](PageReader& page) { page.start(view_of(name)); });
}
void on_end(void* self, const xmlChar* name) {
  Parse::guarded(self, [&](PageReader& page) { page.end(view_of(name)); });
}
void on_text(void* self, const xmlChar* text, int size_bytes) {
  const std::string_view characters(reinterpret_cast<const char*>(text),
                                    static_cast<size_t>(size_bytes));
  Parse::guarded(self, [&](PageReader& page) { page.add(characters); });
}
void on_structured_error(void*, xmlErrorPtr) {
}  // errors of pages are for browsers, and nothing is printed

htmlSAXHandler make_handler() {
  htmlSAXHandler handler{};
  handler.startElement = &on_start;
  handler.endElement = &on_end;
  handler.characters = handler.ignorableWhitespace = handler.cdataBlock = &on_text;
  handler.serror = &on_structured_error;
  handler.initialized = XML_SAX2_MAGIC;
  return handler;
}

}  // namespace

std::string html_text(std::string_view page) {
  static const int initialized = (xmlInitParser(), 0);  // once, in whichever thread comes first
  static_cast<void>(initialized);
  // libxml2 ends a page at a NUL; browsers read U+FFFD or nothing.
  std::string without_nul;
  if (page.find('\0') != page.npos) {
    std::copy_if(page.begin(), page.end(), std::back_inserter(without_nul),
                 [](char c) { return c != '\0'; });
    page = without_nul;
  }
  Parse parse;
  const std::unique_ptr<htmlParserCtxt, decltype(&htmlFreeParserCtxt)> context(
      htmlCreateMemoryParserCtxt(page.empty() ? " " : page.data(),
                                 page.empty() ? 1 : static_cast<int>(page.size())),
      &htmlFreeParserCtxt);
  if (!context) throw std::bad_alloc();
  *context->sax = make_handler();
  parse.context = context.get();
  context->userData = &parse;
  htmlCtxtUseOptions(context.get(), HTML_PARSE_RECOVER | HTML_PARSE_NOERROR | HTML_PARSE_NOWARNING |
                                        HTML_PARSE_NONET | HTML_PARSE_IGNORE_ENC);
  xmlSwitchEncoding(context.get(), XML_CHAR_ENCODING_UTF8);
  htmlParseDocument(context.get());
  if (parse.error) std::rethrow_exception(parse.error);
  return parse.page.take();
}

std::string html_declared_encoding(std::string_view page) {
  constexpr size_t kDeclared_bytes = 4096;
  static const std::regex kCharset(
      R"((?:<meta[^>]{0,200}charset|<\?xml[^>]{0,200}encoding)\s*=\s*["']?\s*([A-Za-z0-9_:.\-]{1,40}))",
      std::regex::icase | std::regex::optimize);
  page = page.substr(0, kDeclared_bytes);
  std::match_results<std::string_view::const_iterator> match;
  return std::regex_search(page.begin(), page.end(), match, kCharset) ? match[1].str() : "";
}

bool looks_like_html(std::string_view head) {
  for (;;) {
    while (!head.empty() && is_space(head.front())) head.remove_prefix(1);
    const std::string_view close = head.starts_with("<!--")    ? "-->"
                                   : head.starts_with("<?xml") ? "?>"
                                                               : "";
    if (close.empty()) break;
    const size_t end = head.find(close);
    if (end == head.npos) return false;
    head.remove_prefix(end + close.size());
  }
  for (const std::string_view start : {"<!doctype html", "<html"}) {
    if (head.size() > start.size() && strncasecmp(head.data(), start.data(), start.size()) == 0 &&
        std::string_view(" \t\r\n>").find(head[start.size()]) != std::string_view::npos) {
      return true;
    }
  }
  return false;
}

}  // namespace inkstone
