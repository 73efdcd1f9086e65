// A terminal in memory: what a program wrote, as it would be seen.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace inkstone::test {

class FakeTerminal {
 public:
  // What terminals make of characters that they do not agree upon.
  struct Manners {
    bool joins = true;            // several code points of one emoji are one picture
    bool ambiguous_wide = false;  // quotation marks and the like take two columns
  };
  FakeTerminal(int columns, int rows, Manners manners);
  FakeTerminal(int columns, int rows) : FakeTerminal(columns, rows, Manners()) {}

  // Characters, \r, \n (with its return to the first column), ECMA-48's CUU, CUD, CHA, CUP, ED, EL,
  // and DEC's autowrap mode.
  void write(std::string_view text);

  // Everything since the beginning, also what was scrolled away, without blanks at the ends of rows
  // and without empty rows at the end.
  std::string seen() const;
  // Only what is on the terminal now.
  std::string on_screen() const;
  int row() const { return row_; }  // of the cursor, on the screen
  int column() const { return column_; }
  // Rows whose text goes on in the next one by the terminal's own wrapping.
  int wrapped_rows() const;

 private:
  struct Row {
    std::vector<std::string> cells;  // "": the second half of the one before
    bool wraps = false;
  };
  Row& here() { return rows_[static_cast<size_t>(top_ + row_)]; }
  void put(std::string_view character, uint32_t code_point);
  void blank(int column);
  void control(std::string_view sequence);
  void new_row();
  void grow();

  int columns_, height_;
  Manners manners_;
  std::vector<Row> rows_;
  int top_ = 0, row_ = 0, column_ = 0;
  bool pending_ = false, autowrap_ = true;
};

}  // namespace inkstone::test
