#include "cli/command.h"

#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstdio>
#include <iostream>
#include <iterator>
#include <limits>
#include <memory>
#include <random>

#include "base/error.h"
#include "base/file.h"
#include "base/utf8.h"
#include "cli/help_format.h"
#include "cli/table_options.h"
#include "cli/terminal/columns.h"
#include "cli/terminal/encoding.h"
#include "tokenizer/special_tokens.h"

namespace inkstone::cli {
namespace {

// A list that is cut has lost tokens.
void require_closed_lists(std::string_view text) {
  const auto opened = std::ranges::count(text, '['), closed = std::ranges::count(text, ']');
  if (opened == closed) return;
  fail(ErrorCode::kInvalidData, "found {} '[' and {} ']', expected as many: is the list cut?",
       opened, closed);
}

int threads_of_command = 0;

volatile std::sig_atomic_t interrupted = 0, second_ends = 1;

void on_signal(int signal) {
  if (interrupted && second_ends) {
    ::signal(signal, SIG_DFL);
    ::raise(signal);
  }
  interrupted = 1;
}

// Null: it is UTF-8, or one that ICU does not know, and text goes out as it is.
Encoding* terminal_encoding() {
  static const std::unique_ptr<Encoding> encoding = []() -> std::unique_ptr<Encoding> {
    const std::string name = locale_encoding();
    if (name == "UTF-8") return nullptr;
    try {
      return std::make_unique<Encoding>(name);
    } catch (const Error&) {
      return nullptr;
    }
  }();
  return encoding.get();
}

std::vector<std::string> typed_words;

// From UTF-8. Bytes that are none, as names of files may have, are in the encoding already.
std::string converted(Encoding& encoding, std::string_view text) {
  std::string shown;
  for (size_t at = 0, end = 0; at < text.size(); at = end) {
    const bool valid = decode_utf8(text, at).ok;
    while (end < text.size()) {
      const Utf8Step step = decode_utf8(text, end);
      if (step.ok != valid) break;
      end += static_cast<size_t>(step.size_bytes);
    }
    const std::string_view part = text.substr(at, end - at);
    shown += valid ? encoding.encode(part) : std::string(part);
  }
  return shown;
}

// In the terminal's encoding; the words of the command are in it already.
std::string for_terminal(std::string_view text) {
  Encoding* encoding = terminal_encoding();
  if (encoding == nullptr) return std::string(text);
  std::string shown;
  for (;;) {
    std::string_view typed;
    size_t at = text.size();
    for (const std::string& word : typed_words) {
      const size_t found = text.find(word);
      if (found < at) at = found, typed = word;
    }
    shown += converted(*encoding, text.substr(0, at)) + std::string(typed);
    text.remove_prefix(at + typed.size());
    if (typed.empty()) return shown;
  }
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
  command->group(group_of_commands());
  command->footer(localized("Example:\n{}", Message(example)));
  add_language_option(*command, selection);
  command->add_option("--threads", selection.threads, "threads to use; 0: one per processor")
      ->check(whole_number(0, 4096))
      ->type_name("N");
  command->callback([&selection, run = std::move(run)] { selection.run = run; });
  return command;
}

void add_language_option(CLI::App& app, Selection& selection) {
  app.add_option("--lang", selection.language, "language of what is said (as the environment says)")
      ->check(one_of(languages()));
}

void use_threads(int count) { threads_of_command = count; }

Runtime make_runtime(const std::string& device) {
  return Runtime({.device = device, .threads = threads_of_command});
}

void add_seed_option(CLI::App* command, std::optional<uint64_t>& seed) {
  command->add_option("--seed", seed, "the same seed writes the same text; random without it")
      ->check(whole_number(0, std::numeric_limits<int64_t>::max()))
      ->type_name("N");
}

void add_cache_option(CLI::App* command, std::string& cache) {
  command
      ->add_option(
          "--cache", cache,
          "type in which keys and values are held: f32, f16, bf16, q8_0; auto: that of the "
          "arithmetic")
      ->check(one_of(cache_names()))
      ->capture_default_str();
}

void add_compute_options(CLI::App* command, ComputeArguments& a) {
  command->add_option("--dtype", a.dtype, "type of the arithmetic: f32 or bf16")
      ->check(one_of({"f32", "bf16"}))
      ->capture_default_str();
  command
      ->add_option("--weights", a.weights,
                   "type in which weights are held: f32, bf16, q8_0, ...; auto: as they are "
                   "stored, but float32 as bf16 with --dtype bf16")
      ->check(one_of(weight_names()))
      ->capture_default_str();
  add_cache_option(command, a.cache);
  command->add_option("--device", a.device, "cpu or cuda")->capture_default_str();
  add_adapter_option(command, a.adapter);
}

void add_adapter_option(CLI::App* command, std::string& adapter) {
  command
      ->add_option("--adapter", adapter,
                   "LoRA adapter (a folder of PEFT's format) that is merged into MODEL's weights as "
                   "they are loaded")
      ->type_name("DIR");
}

LoadOptions load_options(const ComputeArguments& a) {
  return {.runtime = make_runtime(a.device),
          .compute = a.dtype == "bf16" ? ComputeType::kBF16 : ComputeType::kF32,
          .weights = a.weights,
          .cache = a.cache,
          .adapter = a.adapter,
          .on_message = [](const Message& text) { note(message("inkstone: note: {}", text)); }};
}

void add_special_option(CLI::App* command, SpecialTokens& special, const char* what) {
  add_table_option(command, {.info = {.name = "special", .help = what},
                             .value = bind_choice(special, kSpecialTokensNames)});
}

std::vector<TokenId> parse_token_ids(std::string_view text) {
  require_closed_lists(text);
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
  std::string shown;
  if (stdout_is_terminal()) text = shown = for_terminal(text);
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

void note(const Message& text) {
  std::string line = text.shown();
  if (stderr_is_terminal()) line = for_terminal(line);
  std::fwrite(line.data(), 1, line.size(), stderr);
  std::fputc('\n', stderr);
}

void use_words(const std::vector<std::string>& words) {
  const auto is_beyond_ascii = [](char c) { return static_cast<unsigned char>(c) >= 0x80; };
  for (const std::string& word : words) {
    const std::string value = word.starts_with('-') ? word.substr(word.find('=') + 1) : word;
    if (std::ranges::any_of(value, is_beyond_ascii)) typed_words.push_back(value);
  }
}

std::string typed_text(const std::string& word) {
  if (terminal_encoding() == nullptr) return word;
  Encoding encoding(locale_encoding());
  std::string text = encoding.decode(word);
  if (encoding.encode(text) != word) return word;
  std::erase(typed_words, word);
  return text;
}

bool take_unshown() {
  Encoding* encoding = terminal_encoding();
  return encoding != nullptr && encoding->take_unencodable();
}

bool stdout_is_terminal() { return ::isatty(STDOUT_FILENO) == 1; }
bool stderr_is_terminal() { return ::isatty(STDERR_FILENO) == 1; }
bool stdin_is_terminal() { return ::isatty(STDIN_FILENO) == 1; }

void StatusLine::show(const std::string& text) {
  if (!stderr_is_terminal()) return;
  const std::string line = "\r\033[K" + for_terminal(within_columns(text, terminal_width() - 1));
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
  if (s >= 3600) return localized("{}h{:02}m", s / 3600, s / 60 % 60);
  if (s >= 60) return localized("{}m{:02}s", s / 60, s % 60);
  return localized("{}s", s);
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
