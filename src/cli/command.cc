#include "cli/command.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <limits>
#include <random>

#include "base/error.h"
#include "base/file.h"

namespace inkstone::cli {
namespace {

int threads_of_command = 0;

volatile std::sig_atomic_t interrupted = 0, second_ends = 1;

void on_signal(int signal) {
  if (interrupted && second_ends) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  interrupted = 1;
}

size_t terminal_width() {
  struct winsize size {};
  return ::ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : 80;
}

}  // namespace

CLI::App* add_command(CLI::App& parent, Selection& selection, const std::string& name,
                      const std::string& description, const std::string& example,
                      std::function<int()> run) {
  CLI::App* command = parent.add_subcommand(name, description);
  command->footer("Example:\n" + example);
  command->add_option("--threads", selection.threads, "threads to use; 0: one per processor")
      ->check(whole_number(0, 4096))
      ->type_name("N");
  command->callback([&selection, run = std::move(run)] { selection.run = run; });
  return command;
}

void use_threads(int count) { threads_of_command = count; }

Runtime make_runtime(const std::string& device) {
  return Runtime({.device = device, .threads = threads_of_command});
}

CLI::Validator whole_number(int64_t low, int64_t high) {
  const bool bounded = high < int64_t{1} << 40;
  const std::string range = bounded ? fmt::format("from {} to {}", low, high)
                                    : fmt::format("of {} or more", low);
  const auto check = [low, high, range](const std::string& text) {
    int64_t value = 0;
    const char* end = text.data() + text.size();
    const auto [at, error] = std::from_chars(text.data(), end, value);
    if (error == std::errc() && at == end && value >= low && value <= high) return std::string();
    return fmt::format("found '{}', expected a whole number {}", text, range);
  };
  return CLI::Validator([check](std::string& text) { return check(text); }, "");
}

void add_seed_option(CLI::App* command, std::optional<uint64_t>& seed) {
  command->add_option("--seed", seed, "the same seed writes the same text; random without it")
      ->check(whole_number(0, std::numeric_limits<int64_t>::max()))
      ->type_name("N");
}

void add_compute_options(CLI::App* command, ComputeArguments& a) {
  command->add_option("--dtype", a.dtype, "type of the arithmetic: f32 or bf16")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  command->add_option("--device", a.device, "cpu or cuda")->capture_default_str();
}

LoadOptions load_options(const ComputeArguments& a) {
  return {.runtime = make_runtime(a.device),
          .compute = a.dtype == "bf16" ? ComputeType::kBF16 : ComputeType::kF32,
          .on_message = [](const std::string& text) { note("inkstone: note: " + text); }};
}

void add_special_option(CLI::App* command, std::string& special, const std::string& where) {
  command
      ->add_option("--special", special,
                   "the text of a special token, such as <|endoftext|>, in " + where +
                       ": taken as text, allowed as the token, or refused")
      ->check(CLI::IsMember({"text", "allow", "refuse"}))
      ->capture_default_str();
}

SpecialTokens special_tokens(const std::string& special) {
  if (special == "allow") return SpecialTokens::kAllow;
  return special == "refuse" ? SpecialTokens::kRefuse : SpecialTokens::kAsText;
}

std::vector<TokenId> parse_token_ids(std::string_view text) {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < text.size();) {
    if (std::string_view(" \t\r\n,[]").find(text[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    TokenId id = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), id);
    if (error != std::errc() || id < 0) {
      fail(ErrorCode::kInvalidData, "at byte {}: found '{}', expected a token id", i,
           text.substr(i, 10));
    }
    ids.push_back(id);
    i = static_cast<size_t>(end - text.data());
  }
  return ids;
}

void print(std::string_view text) {
  std::fflush(stdout);  // what others wrote comes first
  while (!text.empty()) {
    const ssize_t n = ::write(STDOUT_FILENO, text.data(), text.size());
    if (n >= 0) {
      text.remove_prefix(static_cast<size_t>(n));
    } else if (errno == EPIPE) {
      throw BrokenPipe{};
    } else if (errno != EINTR) {
      fail(ErrorCode::kInputOutput, "cannot write to standard output: {}", errno_text(errno));
    }
  }
}

void note(std::string_view text) {
  std::fwrite(text.data(), 1, text.size(), stderr);
  std::fputc('\n', stderr);
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }
bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

void StatusLine::show(const std::string& text) {
  if (!stderr_is_terminal()) return;
  const std::string line = "\r\033[K" + text.substr(0, terminal_width() - 1);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fflush(stderr);
  shown_ = true;
}

void StatusLine::clear() {
  if (!shown_) return;
  std::fputs("\r\033[K", stderr);
  std::fflush(stderr);
  shown_ = false;
}

InterruptFlag::InterruptFlag(Catch which) {
  interrupted = 0;
  second_ends = which == Catch::kAll;
  struct sigaction action {};
  action.sa_handler = on_signal;  // without SA_RESTART: Ctrl-C must end the waiting for a line
  for (const int signal : {SIGINT, SIGTERM, SIGHUP}) {
    struct sigaction before {};
    ::sigaction(signal, nullptr, &before);
    if (before.sa_handler == SIG_IGN || (which == Catch::kCtrlCOnly && signal != SIGINT)) continue;
    ::sigaction(signal, &action, nullptr);
    caught_.push_back(signal);
  }
}

InterruptFlag::~InterruptFlag() {
  for (const int signal : caught_) ::signal(signal, SIG_DFL);
}

bool InterruptFlag::raised() const { return interrupted != 0; }
void InterruptFlag::reset() { interrupted = 0; }

std::string duration_text(double seconds) {
  const auto s = static_cast<int64_t>(seconds + 0.5);
  if (s >= 3600) return fmt::format("{}h{:02}m", s / 3600, s / 60 % 60);
  if (s >= 60) return fmt::format("{}m{:02}s", s / 60, s % 60);
  return fmt::format("{}s", s);
}

std::string shell_quoted(const std::string& word) {
  constexpr std::string_view kPlain =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-./:,+=@%";
  if (!word.empty() && word.find_first_not_of(kPlain) == std::string::npos) return word;
  std::string quoted = "'";
  for (const char c : word) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string read_input(const std::string& path) {
  if (path != "-") return read_file(path);
  return std::string(std::istreambuf_iterator<char>(std::cin), {});
}

uint64_t random_seed() {
  std::random_device device;
  return ((uint64_t{device()} << 32) | device()) >> 11;
}

}  // namespace inkstone::cli
