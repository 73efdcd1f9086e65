// The text of an ODT: OpenDocument 1.3, part 3. Names of elements are taken without their prefixes.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <string>
#include <vector>

#include "base/message.h"
#include "corpus/read/package.h"
#include "corpus/read/paragraph_text.h"
#include "corpus/read/xml_events.h"

namespace inkstone {
namespace {

using Part = ParagraphText::Part;

// What nobody reads in the text: what was deleted, comments, readings above the line, indexes,
// whose words come again, and descriptions of pictures.
constexpr std::string_view kSkippedInOdt[] = {"tracked-changes",
                                              "annotation",
                                              "note-citation",
                                              "ruby-text",
                                              "table-of-content",
                                              "illustration-index",
                                              "table-index",
                                              "object-index",
                                              "alphabetical-index",
                                              "user-index",
                                              "forms",
                                              "scripts",
                                              "styles",
                                              "automatic-styles",
                                              "meta",
                                              "settings",
                                              "desc"};

class OdtContent : public XmlEvents {
 public:
  void start(std::string_view name, XmlAttributes attributes) override {
    if (skipped_ > 0 || is_skipped(name, attributes)) {
      ++skipped_;
      return;
    }
    names_.emplace_back(name);
    if (name == "p" || name == "h") {
      paragraphs_.begin(Part::kParagraph);
      space_at_end_ = false;
    } else if (name == "s") {
      add_spaces(value_of(attributes, "c"));
    } else if (name == "tab") {
      add_verbatim("\t");
    } else if (name == "line-break") {
      add_verbatim("\n");
    } else if (name == "note-body") {
      paragraphs_.begin(Part::kNote);
    } else if (name == "table-row") {
      paragraphs_.begin(Part::kRow);
    } else if (name == "table-cell") {
      paragraphs_.begin(Part::kCell);
    }
  }

  void end(std::string_view name) override {
    if (skipped_ > 0) {
      --skipped_;
      return;
    }
    if (!names_.empty()) names_.pop_back();
    if (name == "p" || name == "h") {
      if (paragraphs_.in_paragraph() && space_at_end_) paragraphs_.paragraph().pop_back();
      space_at_end_ = false;
      paragraphs_.end(Part::kParagraph);
    } else if (name == "note-body") {
      paragraphs_.end(Part::kNote);
    } else if (name == "table-row") {
      paragraphs_.end(Part::kRow);
    } else if (name == "table-cell") {
      paragraphs_.end(Part::kCell);
    }
  }

  // White space is one space, and none where a paragraph begins or ends (section 6.1.2).
  void text(std::string_view characters) override {
    if (skipped_ > 0 || !paragraphs_.in_paragraph()) return;
    std::string& paragraph = paragraphs_.paragraph();
    for (const char c : characters) {
      if (c != ' ' && c != '\t' && c != '\n' && c != '\r') {
        paragraph += c;
        space_at_end_ = false;
      } else if (!paragraph.empty() && !space_at_end_) {
        paragraph += ' ';
        space_at_end_ = true;
      }
    }
  }

  std::string finish() { return paragraphs_.finish(); }

 private:
  bool is_skipped(std::string_view name, XmlAttributes attributes) const {
    if (name == "section") return value_of(attributes, "display") == "none";
    // A picture's title; a field that shows the document's stands in a paragraph.
    if (name == "title") return !names_.empty() && names_.back() == "frame";
    return std::find(std::begin(kSkippedInOdt), std::end(kSkippedInOdt), name) !=
           std::end(kSkippedInOdt);
  }

  void add_verbatim(std::string_view text) {
    paragraphs_.add(text);
    space_at_end_ = false;
  }

  void add_spaces(std::string_view count) {
    constexpr size_t kMost = 1000;
    size_t n = 1;
    std::from_chars(count.data(), count.data() + count.size(), n);
    add_verbatim(std::string(std::min(n, kMost), ' '));
  }

  ParagraphText paragraphs_;
  std::vector<std::string> names_;  // of the elements around
  int skipped_ = 0;                 // depth
  bool space_at_end_ = false;       // of the paragraph, for white space of any length
};

}  // namespace

PackageText odt_text(const Package& package) {
  const std::string* content = package.find("content.xml");
  if (content == nullptr) {
    return {.text = "",
            .why_not = package.why_ended.empty()
                           ? marked("an ODT without content.xml; save it again")
                           : package.why_ended};
  }
  OdtContent events;
  const Message fault = parse_xml(*content, events);
  return text_or_fault(events.finish(), fault);
}

}  // namespace inkstone
