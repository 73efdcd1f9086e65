// Shows a text that is being edited on a terminal of rows and columns.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/terminal/clusters.h"

namespace inkstone::cli {

struct TerminalSize {
  int columns = 80, rows = 24;
  bool operator==(const TerminalSize&) const = default;
};

// What is to be seen. The text may have several lines; the first begins with `prompt`, the others
// with `continuation`.
struct EditedText {
  std::string_view prompt, continuation, text;
  size_t cursor = 0;  // in text, at the beginning of a cluster or its end
};

// Keeps account of what it drew, and draws only what has changed. All clusters get the columns of
// clusters.h, on every terminal: behind those that terminals do not agree upon, the cursor is set
// to its column. A line that is too long goes on in the next row by the terminal's own wrapping, so
// that copied text has no breaks; of a text with more rows than the terminal, those around the
// cursor are shown. The sequences are those of ECMA-48 and DEC's autowrap mode; a line feed also
// returns to the first column, as the system does for terminals.
class Screen {
 public:
  // `write` takes what goes to the terminal, in UTF-8.
  Screen(TerminalSize size, std::function<void(std::string_view)> write);

  void draw(const EditedText& edited);
  // Shows the text whole, and leaves the cursor in the first column of the row behind it.
  void finish(const EditedText& edited);
  // The terminal has another size now, and has wrapped what it shows anew, as those of today do.
  void resize(TerminalSize size, const EditedText& edited);
  // Others have written to the terminal: draws anew, in the row that the cursor is in.
  void restart(const EditedText& edited);
  // Empties the terminal, and draws at its top.
  void clear(const EditedText& edited);

  // A place in what was drawn, counted from its beginning.
  struct Place {
    int row = 0, column = 0;
    bool operator==(const Place&) const = default;
  };
  // What is written at once: a cluster, or the end of a line.
  struct Cell {
    std::string text;
    int columns = 0;
    Cluster::Kind kind = Cluster::Kind::kPlain;
    bool ends_line = false;
    Place place = {};
    bool operator==(const Cell&) const = default;
  };
  struct Frame {
    std::vector<Cell> cells;
    size_t cursor_cell = 0;  // cells.size(): behind the last
    Place cursor = {}, end = {};
    bool is_cut = false;  // more rows follow, which are not shown
  };

 private:
  Frame frame_of(const EditedText& edited) const;
  void cut_to_rows(Frame& frame);
  void erase();
  void forget();
  void show(Frame frame);
  void write_cell(std::string& out, const Cell& cell);
  void end_line(std::string& out);
  void wrap(std::string& out);
  void move(std::string& out, Place to);

  TerminalSize size_;
  std::function<void(std::string_view)> write_;
  Frame shown_;
  Place at_;            // where the terminal's cursor is
  bool wraps_ = false;  // it is behind the last column, and the next character begins a row
  int first_row_ = 0;   // of the whole text, that is shown
};

}  // namespace inkstone::cli
