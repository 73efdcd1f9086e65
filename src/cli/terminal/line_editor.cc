#include "cli/terminal/line_editor.h"

#include <unistd.h>

#include <fmt/format.h>

#include <optional>
#include <utility>

#include "cli/terminal/edit_buffer.h"
#include "cli/terminal/history.h"
#include "cli/terminal/keys.h"
#include "cli/terminal/screen.h"
#include "cli/terminal/terminal.h"

namespace inkstone::cli {
namespace {

using Input = LineEditor::Input;
using Event = LineEditor::Event;

constexpr const char* kContinuation = ". ";

// A place in the history, and the text that was there before one went to look.
class Recall {
 public:
  explicit Recall(const History& history) : history_(history), at_(history.size()) {}

  // The text `step` further (-1: older); nullopt: there is none.
  std::optional<std::string> go(int step, const std::string& present) {
    if (step < 0 ? at_ == 0 : at_ == history_.size()) return std::nullopt;
    if (at_ == history_.size()) typed_ = present;
    at_ = step < 0 ? at_ - 1 : at_ + 1;
    return at_ == history_.size() ? typed_ : history_[at_];
  }

 private:
  const History& history_;
  size_t at_;
  std::string typed_;
};

// Ctrl-R: the newest text with what is typed in it, then older ones.
class Search {
 public:
  explicit Search(const History& history) : history_(history), found_(history.size()) {}

  std::string prompt() const { return fmt::format("({}'{}') ", failed_ ? "no " : "", wanted_); }
  std::string found() const { return found_ < history_.size() ? history_[found_] : ""; }
  size_t place() const {
    const size_t at = found().find(wanted_);
    return at == std::string::npos ? 0 : at;
  }

  // False: the key is none of the search's, which is over.
  bool apply(const KeyPress& press) {
    if (press.key == Key::kText || press.key == Key::kPaste) {
      wanted_ += press.text;
      look_before(found_ + 1);
    } else if (press.key == Key::kBackspace) {
      wanted_.resize(wanted_.empty() ? 0 : cluster_before(wanted_, wanted_.size()));
      look_before(history_.size());
    } else if (press.key == Key::kSearch) {
      look_before(found_);
    } else {
      return false;
    }
    return true;
  }

 private:
  void look_before(size_t end) {
    const auto found = history_.find_before(end, wanted_);
    failed_ = !found;
    if (found) found_ = *found;
  }

  const History& history_;
  size_t found_;
  std::string wanted_;
  bool failed_ = false;
};

}  // namespace

// One terminal, and the line that is typed on it.
class LineEditor::OnTerminal {
 public:
  OnTerminal(const Settings& settings, const History& history)
      : history_(history),
        encoding_(*settings.encoding),
        terminal_(settings.interrupted),
        screen_(terminal_.size(),
                [this](std::string_view text) { terminal_.write(encoding_.encode(text)); }) {}

  Input read(const std::string& prompt) {
    prompt_ = prompt;
    recall_.emplace(history_);
    terminal_.take();
    screen_.resize(terminal_.size(), seen());
    while (true) {
      while (const auto press = keys_.next())
        if (const auto input = apply(*press)) return finish(*input);
      if (!terminal_.has_input()) screen_.draw(seen());
      if (const auto input = wait()) return finish(*input);
    }
  }

 private:
  EditedText typed() const { return {prompt_, kContinuation, buffer_.text(), buffer_.cursor()}; }

  // What is typed, or found.
  EditedText seen() {
    if (!search_) return typed();
    search_prompt_ = search_->prompt();
    found_ = search_->found();
    return {search_prompt_, kContinuation, found_, search_->place()};
  }

  // What comes next from the terminal; an event: it ends the line.
  std::optional<Event> wait() {
    std::string bytes;
    switch (terminal_.wait(bytes)) {
      case Terminal::Event::kTyped: keys_.feed(encoding_.decode(bytes)); break;
      case Terminal::Event::kEnd: return Event::kEnd;
      case Terminal::Event::kInterrupted: keys_.drop_unfinished_paste(); return Event::kInterrupted;
      case Terminal::Event::kContinued: screen_.restart(seen()); break;
      case Terminal::Event::kResized: screen_.resize(terminal_.size(), seen()); break;
    }
    return std::nullopt;
  }

  std::optional<Event> apply(const KeyPress& press) {
    if (search_) {
      if (search_->apply(press)) return std::nullopt;
      if (press.key != Key::kCancel && !search_->found().empty()) buffer_.set(search_->found());
      search_.reset();
      if (press.key == Key::kCancel) return std::nullopt;
    }
    if (press.key == Key::kEnter) return Event::kLine;
    if (press.key == Key::kDeleteOrEnd && buffer_.text().empty()) return Event::kEnd;
    if (press.key == Key::kSearch) search_.emplace(history_);
    if (press.key == Key::kClearScreen) screen_.clear(typed());
    if (buffer_.apply(press)) return std::nullopt;
    if (press.key == Key::kUp || press.key == Key::kDown) {
      const auto text = recall_->go(press.key == Key::kUp ? -1 : 1, buffer_.text());
      if (text) buffer_.set(*text);
    }
    return std::nullopt;
  }

  Input finish(Event event) {
    search_.reset();
    screen_.finish(typed());
    Input input{event, buffer_.take()};
    if (encoding_.take_undecodable() && event == Event::kLine) input.event = Event::kUndecodable;
    return input;
  }

  const History& history_;
  Encoding& encoding_;
  Terminal terminal_;
  Screen screen_;
  KeyDecoder keys_;
  EditBuffer buffer_;
  std::optional<Recall> recall_;
  std::optional<Search> search_;
  std::string prompt_, search_prompt_, found_;
};

struct LineEditor::Impl {
  explicit Impl(Settings s) : settings(std::move(s)), history(settings.history) {
    if (Terminal::is_there()) terminal.emplace(settings, history);
  }
  Input read_plain(const std::string& prompt);

  Settings settings;
  History history;
  std::optional<OnTerminal> terminal;
  std::string unread;  // of a pipe, a file, a dumb terminal
};

Input LineEditor::Impl::read_plain(const std::string& prompt) {
  const bool from_person = ::isatty(STDIN_FILENO) == 1;
  if (from_person && ::isatty(STDOUT_FILENO) == 1)
    Terminal::write(settings.encoding->encode(prompt));
  size_t end;
  while ((end = unread.find('\n')) == std::string::npos) {
    const size_t before = unread.size();
    if (!wait_and_read(settings.interrupted, unread)) return {Event::kInterrupted};
    if (unread.size() > before) continue;
    if (unread.empty()) return {Event::kEnd};
    unread += '\n';  // the last line has none
  }
  Input input{Event::kLine, unread.substr(0, end)};
  unread.erase(0, end + 1);
  if (!from_person) return input;
  input.text = settings.encoding->decode(input.text);
  if (settings.encoding->take_undecodable()) input.event = Event::kUndecodable;
  return input;
}

LineEditor::LineEditor(Settings settings) : impl_(std::make_unique<Impl>(std::move(settings))) {}
LineEditor::~LineEditor() = default;

void LineEditor::remember(const std::string& text) { impl_->history.add(text); }

Input LineEditor::read(const std::string& prompt) {
  return impl_->terminal ? impl_->terminal->read(prompt) : impl_->read_plain(prompt);
}

}  // namespace inkstone::cli
