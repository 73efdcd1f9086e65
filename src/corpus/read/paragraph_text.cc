#include "corpus/read/paragraph_text.h"

#include <utility>

namespace inkstone {
namespace {

constexpr std::string_view kLineEnds = "\n";

void strip_end(std::string& text, std::string_view characters) {
  text.erase(text.find_last_not_of(characters) + 1);
}

}  // namespace

// Where what has ended goes.
std::string& ParagraphText::sink() {
  Open& outer = parts_.back();
  return outer.part == Part::kParagraph ? outer.after : outer.text;
}

void ParagraphText::end_paragraph(const Open& closed, std::string_view line_end) {
  sink().append(closed.text).append(line_end).append(closed.after);
}

void ParagraphText::end(Part part) {
  if (parts_.size() == 1 || parts_.back().part != part) return;
  Open closed = std::move(parts_.back());
  parts_.pop_back();
  switch (part) {
    case Part::kParagraph: return end_paragraph(closed, "\n");
    case Part::kCell: {
      strip_end(closed.text, kLineEnds);
      const bool in_row = parts_.back().part == Part::kRow;
      if (in_row && std::exchange(parts_.back().has_cell, true)) parts_.back().text += '\t';
      sink().append(closed.text).append(in_row ? "" : "\n");
      return;
    }
    case Part::kRow:
      strip_end(closed.text, "\t\n");
      if (!closed.text.empty()) sink().append(closed.text).append("\n");
      return;
    case Part::kNote: notes_ += closed.text; return;
    case Part::kFlow: sink() += closed.text; return;
  }
}

void ParagraphText::end_joined() {
  if (!in_paragraph()) return;
  const Open closed = std::move(parts_.back());
  parts_.pop_back();
  end_paragraph(closed, "");
}

void ParagraphText::end_if_blank_left_out() {
  if (!in_paragraph()) return;
  if (!parts_.back().text.empty()) return end(Part::kParagraph);
  const Open closed = std::move(parts_.back());
  parts_.pop_back();
  end_paragraph(closed, "");
}

void ParagraphText::add(std::string_view text) {
  if (in_paragraph()) parts_.back().text += text;
}

std::string ParagraphText::take_notes() { return std::exchange(notes_, {}); }

std::string ParagraphText::finish() {
  while (parts_.size() > 1) end(parts_.back().part);
  std::string text = std::exchange(parts_.back().text, {});
  strip_end(text, kLineEnds);
  strip_end(notes_, kLineEnds);
  if (!notes_.empty()) text.append(text.empty() ? "" : "\n\n").append(notes_);
  text.erase(0, text.find_first_not_of('\n'));
  return text.empty() ? text : text + "\n";
}

}  // namespace inkstone
