// The text of an HTML page.
#pragma once

#include <string>
#include <string_view>

namespace inkstone {

// What a reader of the page sees, about as the HTML standard's innerText gives it. Left out with
// what they contain: head, script, style, noscript, template, nav, embedded objects, and the
// readings above the line of East Asian text (rt, which innerText keeps). Block
// elements stand in lines of their own, paragraphs, headings and tables with a blank line around
// them; <br> ends a line, a tab stands between the cells of a table row. White space collapses to
// one space, but in <pre> and <textarea> it stays. Entities are decoded. `page` must be valid
// UTF-8. Throws kInvalidData when elements are nested too deep.
std::string html_text(std::string_view page);

// The encoding that a <meta> element or an XML declaration among the first bytes declares, as a
// name that ICU knows; "" if none does.
std::string html_declared_encoding(std::string_view page);

// True if the text begins as an HTML page does: <!doctype html> or <html>, after white space,
// comments and an XML declaration.
bool looks_like_html(std::string_view head);

}  // namespace inkstone
