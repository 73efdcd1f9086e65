#include "cli/terminal/edit_buffer.h"

#include <algorithm>
#include <utility>

#include "cli/terminal/clusters.h"

namespace inkstone::cli {
namespace {

int width_of(std::string_view text) {
  int columns = 0;
  for (const Cluster& cluster : clusters_of(text)) columns += cluster.columns;
  return columns;
}

// The last place in a line that has no more columns than these before it.
size_t place_at(std::string_view line, int columns) {
  for (const Cluster& cluster : clusters_of(line)) {
    columns -= cluster.columns;
    if (columns < 0) return cluster.begin;
  }
  return line.size();
}

}  // namespace

void EditBuffer::set(std::string text) {
  text_ = std::move(text);
  cursor_ = text_.size();
}

std::string EditBuffer::take() {
  cursor_ = 0;
  return std::exchange(text_, {});
}

bool EditBuffer::apply(const KeyPress& press) {
  switch (press.key) {
    case Key::kText:
    case Key::kPaste: insert(press.text); return true;
    case Key::kNewLine: insert("\n"); return true;
    case Key::kLeft: cursor_ = cluster_before(text_, cursor_); return true;
    case Key::kRight: cursor_ = cluster_behind(text_, cursor_); return true;
    case Key::kWordLeft: go_to(word_before(text_, cursor_)); return true;
    case Key::kWordRight: go_to(word_behind(text_, cursor_)); return true;
    case Key::kHome: cursor_ = line_begin(); return true;
    case Key::kEnd: cursor_ = line_end(); return true;
    case Key::kUp: return to_line_above();
    case Key::kDown: return to_line_below();
    case Key::kBackspace: erase(cluster_before(text_, cursor_), cursor_); return true;
    case Key::kDelete:
    case Key::kDeleteOrEnd: erase(cursor_, cluster_behind(text_, cursor_)); return true;
    case Key::kKillToHome: kill(line_begin(), cursor_); return true;
    case Key::kKillToEnd: kill(cursor_, line_end()); return true;
    case Key::kKillWordLeft: kill(word_before(text_, cursor_), cursor_); return true;
    case Key::kKillWordRight: kill(cursor_, word_behind(text_, cursor_)); return true;
    case Key::kYank: insert(killed_); return true;
    case Key::kTranspose: transpose(); return true;
    case Key::kEnter:
    case Key::kClearScreen:
    case Key::kSearch:
    case Key::kCancel: return false;
  }
  return false;
}

void EditBuffer::go_to(size_t at) { cursor_ = at == 0 ? 0 : cluster_behind(text_, at - 1); }

// What is inserted may join what stands around it: a mark, the second half of an emoji.
void EditBuffer::insert(std::string_view text) {
  text_.insert(cursor_, text);
  go_to(cursor_ + text.size());
}

// What stood apart may stand together afterwards.
void EditBuffer::erase(size_t begin, size_t end) {
  text_.erase(begin, end - begin);
  go_to(begin);
}

void EditBuffer::kill(size_t begin, size_t end) {
  if (begin == end) return;
  killed_ = text_.substr(begin, end - begin);
  erase(begin, end);
}

// The cluster before the cursor moves behind the one at it; at the end, the last two change places.
void EditBuffer::transpose() {
  const size_t second = cursor_ == text_.size() ? cluster_before(text_, cursor_) : cursor_;
  const size_t first = cluster_before(text_, second), end = cluster_behind(text_, second);
  if (first == second) return;
  text_ = text_.substr(0, first) + text_.substr(second, end - second) +
          text_.substr(first, second - first) + text_.substr(end);
  go_to(end);
}

size_t EditBuffer::line_begin() const {
  return cursor_ == 0 ? 0 : text_.rfind('\n', cursor_ - 1) + 1;
}

size_t EditBuffer::line_end() const { return std::min(text_.find('\n', cursor_), text_.size()); }

bool EditBuffer::to_line_above() {
  const size_t begin = line_begin();
  if (begin == 0) return false;
  const int columns = width_of(std::string_view(text_).substr(begin, cursor_ - begin));
  cursor_ = begin - 1;
  const size_t above = line_begin();
  cursor_ = above + place_at(std::string_view(text_).substr(above, begin - 1 - above), columns);
  return true;
}

bool EditBuffer::to_line_below() {
  const size_t begin = line_begin(), end = line_end();
  if (end == text_.size()) return false;
  const int columns = width_of(std::string_view(text_).substr(begin, cursor_ - begin));
  cursor_ = end + 1;
  const size_t below = cursor_;
  cursor_ = below + place_at(std::string_view(text_).substr(below, line_end() - below), columns);
  return true;
}

}  // namespace inkstone::cli
