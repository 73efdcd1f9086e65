#include "tmux.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <thread>

namespace inkstone::test {
namespace {

std::string quoted(const std::string& word) {
  std::string text = "'";
  for (const char c : word) text += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return text + "'";
}

// Calls done() again and again for a while; false: it never was.
template <typename Done>
bool comes_true(Done&& done) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(60);
  while (!done()) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return true;
}

}  // namespace

bool Tmux::is_there() { return run_shell("tmux -V", {}).status == 0; }

Tmux::Tmux(const std::string& line, const std::filesystem::path& folder, int columns, int rows)
    : folder_(folder) {
  static int count = 0;
  socket_ = "/tmp/inkstone-" + std::to_string(::getpid()) + "-" + std::to_string(count++) + ".tmux";
  const std::string size = "-x " + std::to_string(columns) + " -y " + std::to_string(rows);
  const std::string state = "XDG_STATE_HOME=" + quoted((folder / "state").string());
  tmux("-f /dev/null new-session -d " + size + " " + quoted(state + " " + line));
}

Tmux::~Tmux() { run_shell("tmux -S " + socket_ + " kill-server; rm -f " + socket_, folder_); }

// The client's own locale is UTF-8 (-u), whatever the program's is.
std::string Tmux::tmux(const std::string& words) const {
  const Outcome outcome = run_shell(
      "unset TMUX; LC_ALL=C.UTF-8 tmux -u -S " + socket_ + " " + words, folder_);
  EXPECT_EQ(outcome.status, 0) << words << ": " << outcome.err;
  return outcome.out;
}

void Tmux::type(const std::string& text) const { tmux("send-keys -l -- " + quoted(text)); }
void Tmux::press(const std::string& keys) const { tmux("send-keys " + keys); }

void Tmux::paste(const std::string& text) const {
  std::ofstream(folder_ / "paste.txt") << text;
  tmux("load-buffer paste.txt");
  tmux("paste-buffer -p");
}

void Tmux::resize(int columns, int rows) const {
  tmux("resize-window -x " + std::to_string(columns) + " -y " + std::to_string(rows));
}

std::string Tmux::screen() const {
  std::string text = tmux("capture-pane -p");
  while (text.ends_with('\n')) text.pop_back();
  return text;
}

std::string Tmux::lines() const { return tmux("capture-pane -p -S -"); }

std::string Tmux::cursor() const {
  std::string at = tmux("display-message -p '#{cursor_x},#{cursor_y}'");
  while (at.ends_with('\n')) at.pop_back();
  return at;
}

void Tmux::expect_end(const std::string& text) const {
  EXPECT_TRUE(comes_true([&] { return screen().ends_with(text); })) << "expected at the end:\n"
                                                                    << text << "\nthe screen:\n"
                                                                    << screen();
}

void Tmux::wait_for(const std::string& text) const {
  ASSERT_TRUE(comes_true([&] { return screen().find(text) != std::string::npos; }))
      << "waited in vain for '" << text << "'; the screen:\n"
      << screen();
}

}  // namespace inkstone::test
