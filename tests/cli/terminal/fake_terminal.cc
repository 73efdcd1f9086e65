#include "fake_terminal.h"

#include <algorithm>
#include <cstdlib>
#include <stdexcept>

#include "base/utf8.h"
#include "cli/terminal/clusters.h"

namespace inkstone::test {
namespace {

constexpr std::string_view kJoiner = "\u200D";

std::string row_text(const std::vector<std::string>& cells) {
  std::string text;
  for (const std::string& cell : cells) text += cell;
  text.erase(text.find_last_not_of(' ') + 1);
  return text;
}

bool is_modifier(uint32_t c) { return (c >= 0x1F3FB && c <= 0x1F3FF) || c == 0xFE0F; }

}  // namespace

FakeTerminal::FakeTerminal(int columns, int rows, Manners manners)
    : columns_(columns), height_(rows), manners_(manners) {
  grow();
}

void FakeTerminal::grow() {
  while (rows_.size() < static_cast<size_t>(top_ + height_))
    rows_.push_back({std::vector<std::string>(static_cast<size_t>(columns_), " ")});
}

void FakeTerminal::new_row() {
  if (++row_ < height_) return;
  row_ = height_ - 1;
  ++top_;
  grow();
}

// Half a wide character is none.
void FakeTerminal::blank(int column) {
  auto& cells = here().cells;
  const auto at = static_cast<size_t>(column);
  if (cells[at].empty() && at > 0) cells[at - 1] = " ";
  if (at + 1 < cells.size() && cells[at + 1].empty()) cells[at + 1] = " ";
  cells[at] = " ";
}

void FakeTerminal::put(std::string_view character, uint32_t code_point) {
  using Kind = cli::Cluster::Kind;
  const cli::Cluster alone = cli::clusters_of(character).at(0);
  int width = alone.columns + (alone.kind == Kind::kAmbiguous && manners_.ambiguous_wide ? 1 : 0);
  const int before = pending_ ? column_ : column_ - 1;
  if (before >= 0) {
    size_t last = static_cast<size_t>(before);
    if (here().cells[last].empty()) --last;
    std::string& text = here().cells[last];
    const bool joined = text.ends_with(kJoiner) || is_modifier(code_point);
    if (width == 0 || (manners_.joins && joined)) {
      text += character;
      return;
    }
  }
  if (width == 0) return;
  if (autowrap_ && (pending_ || column_ + width > columns_)) {
    here().wraps = true;
    new_row();
    column_ = 0;
  }
  pending_ = false;
  column_ = std::min(column_, columns_ - width);
  for (int i = 0; i < width; ++i) blank(column_ + i);
  here().cells[static_cast<size_t>(column_)] = character;
  if (width == 2) here().cells[static_cast<size_t>(column_ + 1)].clear();
  column_ += width;
  if (column_ < columns_) return;
  column_ = columns_ - 1;
  pending_ = autowrap_;
}

void FakeTerminal::control(std::string_view sequence) {
  const char last = sequence.back();
  const std::string_view parameter = sequence.substr(0, sequence.size() - 1);
  const int count = std::max(1, std::atoi(std::string(parameter).c_str()));
  const auto clear = [this](Row& row, int from) {
    row.wraps = false;
    for (int i = from; i < columns_; ++i) row.cells[static_cast<size_t>(i)] = " ";
  };
  if (last == 'h' || last == 'l') {
    if (parameter == "?7") autowrap_ = last == 'h';
  } else if (last == 'A') {
    row_ = std::max(0, row_ - count);
  } else if (last == 'B') {
    row_ = std::min(height_ - 1, row_ + count);
  } else if (last == 'G') {
    column_ = std::min(count, columns_) - 1;
  } else if (last == 'H') {
    row_ = column_ = 0;
  } else if (last == 'K') {
    blank(column_);
    clear(here(), column_);
  } else if (last == 'J') {
    if (parameter != "2") blank(column_);
    for (int row = parameter == "2" ? 0 : row_; row < height_; ++row)
      clear(rows_[static_cast<size_t>(top_ + row)], parameter != "2" && row == row_ ? column_ : 0);
  } else {
    throw std::runtime_error("an unknown sequence: " + std::string(sequence));
  }
  if (last != 'h' && last != 'l') pending_ = false;
}

void FakeTerminal::write(std::string_view text) {
  while (!text.empty()) {
    const Utf8Step step = decode_utf8(text, 0);
    size_t size = static_cast<size_t>(step.size_bytes);
    if (text[0] == '\r' || text[0] == '\n') {
      if (text[0] == '\n') new_row();
      column_ = 0;
      pending_ = false;
    } else if (text.starts_with("\x1b[")) {
      const size_t end = text.find_first_of("ABCDGHJKhl", 2);
      size = end + 1;
      control(text.substr(2, size - 2));
    } else {
      put(text.substr(0, size), step.code_point);
    }
    text.remove_prefix(size);
  }
}

std::string FakeTerminal::seen() const {
  std::string text;
  for (const Row& row : rows_) text += row_text(row.cells) + "\n";
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string FakeTerminal::on_screen() const {
  std::string text;
  for (size_t i = static_cast<size_t>(top_); i < rows_.size(); ++i)
    text += row_text(rows_[i].cells) + "\n";
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

int FakeTerminal::wrapped_rows() const {
  return static_cast<int>(std::ranges::count_if(rows_, [](const Row& row) { return row.wraps; }));
}

}  // namespace inkstone::test
