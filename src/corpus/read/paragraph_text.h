// The text of a document of paragraphs, tables and notes, put together as its parser finds them.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace inkstone {

// A paragraph is a line; so is a row of a table, with a tab between its cells, whose own paragraphs
// stay lines. What stands in a paragraph as a paragraph (a text box) follows it. Notes are kept
// apart, for the end.
class ParagraphText {
 public:
  enum class Part { kFlow, kParagraph, kRow, kCell, kNote };

  ParagraphText() { parts_.push_back({Part::kFlow, "", "", false}); }

  void begin(Part part) { parts_.push_back({part, "", "", false}); }
  // Ends the innermost part, which should be this one; else nothing happens.
  void end(Part part);
  // The innermost paragraph ends, and the next one goes on in its line.
  void end_joined();
  // The innermost paragraph ends; without text it is no line.
  void end_if_blank_left_out();

  // Appends to the innermost paragraph; outside of one nothing is text.
  void add(std::string_view text);
  bool in_paragraph() const { return parts_.back().part == Part::kParagraph; }
  std::string& paragraph() { return parts_.back().text; }  // of in_paragraph()

  // Ends what is open. The notes stand behind the text, after a blank line. Ends with one "\n";
  // empty when there is nothing but white space.
  std::string finish();
  // The same without the notes, which are handed out.
  std::string take_notes();

 private:
  struct Open {
    Part part;
    std::string text, after;  // `after` follows the text's line
    bool has_cell;
  };

  std::string& sink();
  void end_paragraph(const Open& closed, std::string_view line_end);

  std::vector<Open> parts_;
  std::string notes_;
};

}  // namespace inkstone
