// The text of a DOCX: ECMA-376, part 1, WordprocessingML. Names of elements are taken without their
// prefixes, so that the strict and the transitional form are one.
#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>
#include <utility>
#include <vector>

#include "base/utf8.h"
#include "corpus/read/package.h"
#include "corpus/read/paragraph_text.h"
#include "corpus/read/xml_events.h"

namespace inkstone {
namespace {

using Part = ParagraphText::Part;

// What nobody reads: deleted or moved away (tracked changes), properties, readings above the line.
constexpr std::string_view kSkippedInWord[] = {"del",     "moveFrom", "rPr",  "tblPr",
                                               "tblPrEx", "tblGrid",  "trPr", "tcPr",
                                               "sectPr",  "sdtEndPr", "rt",   "rubyPr"};

bool is_skipped_in_word(std::string_view name) {
  return std::find(std::begin(kSkippedInWord), std::end(kSkippedInWord), name) !=
         std::end(kSkippedInWord);
}

struct NoteReference {
  bool is_endnote;
  std::string id;
};

// A part of the document: its body, or its notes.
class WordPart : public XmlEvents {
 public:
  void start(std::string_view name, XmlAttributes attributes) override {
    if (root_.empty()) root_ = name;
    if (skipped_ > 0) {
      ++skipped_;
    } else if (properties_ > 0) {
      ++properties_;
      start_property(name, attributes);
    } else if (name == "pPr" || name == "sdtPr") {
      properties_ = 1;
    } else if (is_skipped_in_word(name) || !chosen(name) || is_contents(name)) {
      skipped_ = 1;
    } else {
      start_content(name, attributes);
    }
  }

  void end(std::string_view name) override {
    if (skipped_ > 0) {
      --skipped_;
    } else if (properties_ > 0) {
      --properties_;
    } else {
      end_content(name);
    }
  }

  void text(std::string_view characters) override {
    if (skipped_ > 0 || properties_ > 0) return;
    if (in_instruction_ && !fields_.empty()) fields_.back().instruction += characters;
    if (in_text_) add(characters);
  }

  std::string_view root() const { return root_; }
  ParagraphText& paragraphs() { return paragraphs_; }
  const std::vector<NoteReference>& references() const { return references_; }
  const std::map<std::string, std::string>& notes() const { return notes_; }

 private:
  // A field spans paragraphs: its instruction, then what is shown.
  struct Field {
    std::string instruction = "";
    bool is_shown = false;
  };

  struct OpenParagraph {
    bool joins_next = false;  // its mark is deleted
    bool left_out = false;    // something of it was, so that it is no line where nothing is left
  };

  // Of a paragraph, whether its mark is deleted; of a content control, whether it is a table of
  // contents.
  void start_property(std::string_view name, XmlAttributes attributes) {
    if ((name == "del" || name == "moveFrom") && !open_.empty()) open_.back().joins_next = true;
    if (name == "docPartGallery" && !controls_.empty() &&
        value_of(attributes, "val") == "Table of Contents")
      controls_.back() = true;
  }

  // Of the forms in which one thing is there, the first is taken.
  bool chosen(std::string_view name) {
    if (name == "AlternateContent") choices_.push_back(false);
    if ((name != "Choice" && name != "Fallback") || choices_.empty()) return true;
    const bool is_first = !choices_.back();
    choices_.back() = true;
    return is_first;
  }

  bool is_contents(std::string_view name) const {
    return name == "sdtContent" && !controls_.empty() && controls_.back();
  }

  void start_content(std::string_view name, XmlAttributes attributes) {
    if (name == "p") {
      paragraphs_.begin(Part::kParagraph);
      open_.push_back({.joins_next = false, .left_out = in_contents_field()});
    } else if (name == "t") {
      in_text_ = true;
    } else if (name == "tab" || name == "ptab") {
      add("\t");
    } else if (name == "br" || name == "cr") {
      add("\n");
    } else if (name == "noBreakHyphen") {
      add("\u2011");
    } else if (name == "sym") {
      add_symbol(value_of(attributes, "char"));
    } else if (name == "tr") {
      paragraphs_.begin(Part::kRow);
    } else if (name == "tc") {
      paragraphs_.begin(Part::kCell);
    } else if (name == "sdt") {
      controls_.push_back(false);
    } else if (name == "footnoteReference" || name == "endnoteReference") {
      references_.push_back({name == "endnoteReference", std::string(value_of(attributes, "id"))});
    } else if (name == "footnote" || name == "endnote") {
      start_note(attributes);
    } else {
      start_field(name, attributes);
    }
  }

  void start_field(std::string_view name, XmlAttributes attributes) {
    if (name == "instrText") in_instruction_ = true;
    if (name != "fldChar") return;
    const std::string_view type = value_of(attributes, "fldCharType");
    if (type == "begin") fields_.emplace_back();
    if (fields_.empty()) return;
    if (type == "separate") fields_.back().is_shown = true;
    if (type == "end") fields_.pop_back();
  }

  // "separator" and the like are lines that Word draws.
  void start_note(XmlAttributes attributes) {
    const std::string_view type = value_of(attributes, "type");
    if (!type.empty() && type != "normal") {
      skipped_ = 1;
      return;
    }
    note_id_ = value_of(attributes, "id");
    paragraphs_.begin(Part::kNote);
  }

  void end_content(std::string_view name) {
    if (name == "p") {
      end_paragraph();
    } else if (name == "t") {
      in_text_ = false;
    } else if (name == "instrText") {
      in_instruction_ = false;
    } else if (name == "tr") {
      paragraphs_.end(Part::kRow);
    } else if (name == "tc") {
      paragraphs_.end(Part::kCell);
    } else if (name == "sdt" && !controls_.empty()) {
      controls_.pop_back();
    } else if (name == "AlternateContent" && !choices_.empty()) {
      choices_.pop_back();
    } else if (name == "footnote" || name == "endnote") {
      paragraphs_.end(Part::kNote);
      notes_[note_id_] = paragraphs_.take_notes();
    }
  }

  void end_paragraph() {
    if (open_.empty()) return;
    const OpenParagraph closed = open_.back();
    open_.pop_back();
    if (closed.joins_next) return paragraphs_.end_joined();
    if (closed.left_out) return paragraphs_.end_if_blank_left_out();
    paragraphs_.end(Part::kParagraph);
  }

  // What is shown of a table of contents: titles that come again, and pages.
  bool in_contents_field() const {
    return std::any_of(fields_.begin(), fields_.end(), [](const Field& field) {
      const std::string_view text = field.instruction;
      const size_t ink = std::min(text.find_first_not_of(' '), text.size());
      return field.is_shown && text.substr(ink).starts_with("TOC");
    });
  }

  void add(std::string_view text) {
    if (!in_contents_field()) return paragraphs_.add(text);
    if (!open_.empty()) open_.back().left_out = true;
  }

  // A character of a symbol font has a private number, which tells nothing.
  void add_symbol(std::string_view hex) {
    uint32_t c = 0;
    if (std::from_chars(hex.data(), hex.data() + hex.size(), c, 16).ec != std::errc()) return;
    if (c < 0x20 || c > 0xFFFD || (c >= 0xD800 && c < 0xF900)) return;
    std::string text;
    append_utf8(text, c);
    add(text);
  }

  ParagraphText paragraphs_;
  std::string root_;
  int skipped_ = 0, properties_ = 0;  // depth
  bool in_text_ = false, in_instruction_ = false;
  std::vector<OpenParagraph> open_;
  std::vector<bool> choices_;   // of each AlternateContent around: one was taken
  std::vector<bool> controls_;  // of each sdt around: it is a table of contents
  std::vector<Field> fields_;
  std::vector<NoteReference> references_;
  std::string note_id_;
  std::map<std::string, std::string> notes_;
};

// The target of the first relationship of a type.
class Relationships : public XmlEvents {
 public:
  explicit Relationships(std::string_view type) : type_(type) {}
  void start(std::string_view name, XmlAttributes attributes) override {
    if (name != "Relationship" || !target_.empty()) return;
    if (value_of(attributes, "Type").ends_with(type_)) target_ = value_of(attributes, "Target");
  }
  void end(std::string_view) override {}
  const std::string& target() const { return target_; }

 private:
  std::string_view type_;
  std::string target_;
};

// The name of the part that `part` ("" for the package) has a relationship of this type to.
std::string related_part(const Package& package, const std::string& part, std::string_view type,
                         const char* usual) {
  const size_t name = part.rfind('/') == part.npos ? 0 : part.rfind('/') + 1;
  const std::string* xml = package.find(part.substr(0, name) + "_rels/" + part.substr(name) +
                                        ".rels");
  if (xml == nullptr) return usual;
  Relationships relationships(type);
  parse_xml(*xml, relationships);
  return relationships.target().empty() ? usual : member_name(part, relationships.target());
}

// The notes of a part by their ids.
std::map<std::string, std::string> notes_of(const Package& package, const std::string& part) {
  const std::string* xml = package.find(part);
  if (xml == nullptr) return {};
  WordPart notes;
  parse_xml(*xml, notes);
  return notes.notes();
}

std::string_view without_outer_blanks(std::string_view text) {
  const size_t begin = text.find_first_not_of(" \t\n");
  if (begin == text.npos) return "";
  return text.substr(begin, text.find_last_not_of(" \t\n") + 1 - begin);
}

// In the order in which the text refers to them.
std::string notes_text(const Package& package, const std::string& document,
                       const std::vector<NoteReference>& references) {
  if (references.empty()) return "";
  const auto footnotes = notes_of(
      package, related_part(package, document, "/footnotes", "word/footnotes.xml"));
  const auto endnotes = notes_of(package,
                                 related_part(package, document, "/endnotes", "word/endnotes.xml"));
  std::string text;
  for (const NoteReference& reference : references) {
    const auto& notes = reference.is_endnote ? endnotes : footnotes;
    const auto found = notes.find(reference.id);
    if (found != notes.end()) text.append(without_outer_blanks(found->second)).append("\n");
  }
  return text;
}

}  // namespace

PackageText docx_text(const Package& package) {
  const std::string part = related_part(package, "", "/officeDocument", "word/document.xml");
  const std::string* document = package.find(part);
  if (document == nullptr) return {};
  WordPart body;
  const Message fault = parse_xml(*document, body);
  if (body.root() != "document") return {};
  std::string text = body.paragraphs().finish();
  const std::string notes = notes_text(package, part, body.references());
  if (!notes.empty()) text.append(text.empty() ? "" : "\n").append(notes);
  return text_or_fault(std::move(text), fault);
}

}  // namespace inkstone
