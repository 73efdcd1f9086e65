#include "cli/terminal/screen.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>

#include "base/utf8.h"

namespace inkstone::cli {
namespace {

using Cell = Screen::Cell;
using Frame = Screen::Frame;
using Place = Screen::Place;

constexpr std::string_view kClearRow = "\x1b[K", kClearBelow = "\x1b[J",
                           kClearAll = "\x1b[H\x1b[2J";
constexpr std::string_view kWrapOff = "\x1b[?7l", kWrapOn = "\x1b[?7h";
constexpr std::string_view kTab = "    ";
constexpr int kFewestColumns = 8;

std::string to_column(int column) { return fmt::format("\x1b[{}G", column + 1); }

TerminalSize usable(TerminalSize size) {
  return {std::max(size.columns, kFewestColumns), std::max(size.rows, 1)};
}

// C0, DEL and C1, which terminals obey.
bool is_control(std::string_view text) {
  const uint32_t c = decode_utf8(text, 0).code_point;
  return c < 0x20 || (c >= 0x7F && c < 0xA0);
}

Cell cell_of(std::string_view part, const Cluster& cluster) {
  if (part == "\n") return {.text = {}, .ends_line = true};
  if (part == "\t")
    return {std::string(kTab), static_cast<int>(kTab.size()), Cluster::Kind::kUnsure};
  if (is_control(part)) {
    if (part.size() > 1) return {std::string(kReplacementCharacter), 1, Cluster::Kind::kUnsure};
    return {fmt::format("^{}", static_cast<char>(part[0] ^ 0x40)), 2, Cluster::Kind::kUnsure};
  }
  if (cluster.columns == 0) return {};  // nothing to be seen
  return {std::string(part), cluster.columns, cluster.kind};
}

void append_cells(std::vector<Cell>& cells, std::string_view text) {
  for (const Cluster& cluster : clusters_of(text))
    cells.push_back(cell_of(text.substr(cluster.begin, cluster.size), cluster));
}

// Where what stands behind a cell begins.
Place behind(const Cell& cell, int columns) {
  const int column = cell.place.column + cell.columns;
  return cell.ends_line || column >= columns ? Place{cell.place.row + 1, 0}
                                             : Place{cell.place.row, column};
}

// Gives cells their places, as a terminal wraps them. A row is never filled by one whose width is
// unsure: there, terminals do not agree on what a mark belongs to either.
void lay_out(Frame& frame, int columns) {
  Place at;
  for (Cell& cell : frame.cells) {
    const int spare = cell.kind == Cluster::Kind::kUnsure ? 1 : 0;
    cell.columns = std::min(cell.columns, columns - spare);
    if (at.column + cell.columns + spare > columns) at = {at.row + 1, 0};
    cell.place = at;
    at = cell.ends_line ? Place{at.row + 1, 0} : Place{at.row, at.column + cell.columns};
  }
  frame.end = frame.cells.empty() ? Place{} : behind(frame.cells.back(), columns);
  frame.cursor = frame.cursor_cell < frame.cells.size() ? frame.cells[frame.cursor_cell].place
                                                        : frame.end;
}

}  // namespace

Screen::Screen(TerminalSize size, std::function<void(std::string_view)> write)
    : size_(usable(size)), write_(std::move(write)) {}

Frame Screen::frame_of(const EditedText& edited) const {
  Frame frame;
  append_cells(frame.cells, edited.prompt);
  for (const Cluster& cluster : clusters_of(edited.text)) {
    if (cluster.begin == edited.cursor) frame.cursor_cell = frame.cells.size();
    frame.cells.push_back(cell_of(edited.text.substr(cluster.begin, cluster.size), cluster));
    if (frame.cells.back().ends_line) append_cells(frame.cells, edited.continuation);
  }
  if (edited.cursor >= edited.text.size()) frame.cursor_cell = frame.cells.size();
  lay_out(frame, size_.columns);
  return frame;
}

// Leaves the rows around the cursor, moving no more than it must.
void Screen::cut_to_rows(Frame& frame) {
  const int rows = frame.end.row + 1;
  first_row_ = std::clamp(first_row_, std::max(0, frame.cursor.row - size_.rows + 1),
                          frame.cursor.row);
  first_row_ = std::min(first_row_, std::max(0, rows - size_.rows));
  const int end_row = first_row_ + size_.rows;
  const auto first = std::ranges::find_if(
      frame.cells, [&](const Cell& cell) { return cell.place.row >= first_row_; });
  auto last = std::ranges::find_if(frame.cells,
                                   [&](const Cell& cell) { return cell.place.row >= end_row; });
  frame.is_cut = end_row < rows;
  if (frame.is_cut && last != first && std::prev(last)->ends_line) --last;
  frame.cursor_cell -= std::min(frame.cursor_cell,
                                static_cast<size_t>(first - frame.cells.begin()));
  frame.cells = {first, last};
  for (Cell& cell : frame.cells) cell.place.row -= first_row_;
  frame.cursor.row -= first_row_;
  frame.end.row -= first_row_;
}

void Screen::draw(const EditedText& edited) {
  Frame frame = frame_of(edited);
  const int before = first_row_;
  cut_to_rows(frame);
  if (first_row_ != before) erase();
  show(std::move(frame));
}

void Screen::show(Frame frame) {
  const auto [differs, shown] = std::ranges::mismatch(frame.cells, shown_.cells);
  const bool changed = differs != frame.cells.end() || shown != shown_.cells.end();
  const Place from = differs == frame.cells.begin() ? Place{}
                                                    : behind(*std::prev(differs), size_.columns);
  std::string out;
  if (changed && from.row < size_.rows) {  // else all rows are full and stay so
    move(out, from);
    for (auto cell = differs; cell != frame.cells.end(); ++cell) write_cell(out, *cell);
    if (frame.is_cut) {
      if (!wraps_) out += kClearRow;
    } else {
      if (at_.row < frame.end.row) wrap(out);
      if (shown != shown_.cells.end()) out += kClearBelow;
    }
  }
  move(out, frame.cursor);
  shown_ = std::move(frame);
  if (!out.empty()) write_(out);
}

void Screen::write_cell(std::string& out, const Cell& cell) {
  if (at_.row < cell.place.row) {  // it has no room in its row
    if (!wraps_) out += kClearRow;
    if (cell.kind == Cluster::Kind::kUnsure) wrap(out);
  }
  if (cell.ends_line) {
    if (at_.row == cell.place.row) end_line(out);
    return;
  }
  if (cell.text.empty()) return;
  at_ = {cell.place.row, cell.place.column + cell.columns};
  wraps_ = at_.column == size_.columns;
  if (cell.kind == Cluster::Kind::kUnsure) {
    // Whatever the terminal makes of it, it takes its own columns and no others.
    out += fmt::format("{}{}{}{}{}{}", kClearRow, kWrapOff, cell.text, kWrapOn,
                       to_column(at_.column), kClearRow);
    return;
  }
  out += cell.text;
  if (cell.kind == Cluster::Kind::kAmbiguous && !wraps_) out += to_column(at_.column);
}

void Screen::end_line(std::string& out) {
  if (!wraps_) out += kClearRow;
  out += "\n";
  at_ = {at_.row + 1, 0};
  wraps_ = false;
}

// Into the next row by the terminal's own wrapping: a blank goes there, and will be written over.
void Screen::wrap(std::string& out) {
  out += std::string(static_cast<size_t>(size_.columns - at_.column), ' ') + " \r";
  at_ = {at_.row + 1, 0};
  wraps_ = false;
}

void Screen::move(std::string& out, Place to) {
  to.column = std::min(to.column, size_.columns - 1);
  if (to.row < at_.row) out += fmt::format("\x1b[{}A", at_.row - to.row);
  if (to.row > at_.row) out += fmt::format("\x1b[{}B", to.row - at_.row);
  if (wraps_ || to.column != at_.column) out += to_column(to.column);
  at_ = to;
  wraps_ = false;
}

// What is shown disappears; the cursor is where it began.
void Screen::erase() {
  std::string out;
  move(out, {});
  write_(out + "\r" + std::string(kClearBelow));
  forget();
}

void Screen::forget() {
  shown_ = {};
  at_ = {};
  wraps_ = false;
}

void Screen::finish(const EditedText& edited) {
  if (first_row_ > 0 || shown_.is_cut) erase();
  EditedText whole = edited;
  whole.cursor = whole.text.size();
  show(frame_of(whole));
  if (at_.column > 0) write_("\n");
  forget();
  first_row_ = 0;
}

void Screen::resize(TerminalSize size, const EditedText& edited) {
  const TerminalSize before = std::exchange(size_, usable(size));
  if (size_ == before) return draw(edited);
  lay_out(shown_, size_.columns);
  at_ = shown_.cursor;
  erase();
  draw(edited);
}

void Screen::restart(const EditedText& edited) {
  write_(fmt::format("\r{}", kClearBelow));
  forget();
  draw(edited);
}

void Screen::clear(const EditedText& edited) {
  write_(kClearAll);
  forget();
  draw(edited);
}

}  // namespace inkstone::cli
