// `inkstone chat`: the user types, the model goes on.
#include <fmt/format.h>

#include <charconv>
#include <cstdlib>

#include "base/error.h"
#include "base/file.h"
#include "cli/command.h"
#include "cli/conversation_file.h"
#include "cli/generate_options.h"
#include "cli/line_editor.h"
#include "cli/text_json.h"
#include "inkstone/generator.h"

namespace inkstone::cli {
namespace {

constexpr std::string_view kHelp =
    "Type text: the model goes on from it. A line that ends with \\ continues on the next one.\n"
    "  /retry            write the last answer again, differently\n"
    "  /undo             take back your last text and its answer\n"
    "  /set NAME VALUE   change temperature, top-k, top-p, min-p, repetition-penalty, max-tokens, "
    "seed or stop\n"
    "  /settings         show them\n"
    "  /save FILE        save the conversation        /load FILE   bring it back\n"
    "  /clear            begin anew                   /quit        leave (or Ctrl-D)\n"
    "Ctrl-C stops an answer.";

struct Arguments {
  GenerateArguments generate;
  std::string model, user_prefix, user_suffix;
};

double parse_number(const std::string& name, const std::string& text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    fail(ErrorCode::kUsage, "{} is '{}', expected a number", name, text);
  }
  return value;
}

int64_t parse_integer(const std::string& name, const std::string& text) {
  int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < 0) {
    fail(ErrorCode::kUsage, "{} is '{}', expected a whole number of 0 or more", name, text);
  }
  return value;
}

// The first word, and what follows the spaces behind it.
std::pair<std::string, std::string> split_word(const std::string& text) {
  const size_t space = text.find(' '), rest = text.find_first_not_of(' ', space);
  return {text.substr(0, space),
          rest == std::string::npos || space == std::string::npos ? "" : text.substr(rest)};
}

// "NAME VALUE" applied to a copy, so that a bad value changes nothing.
GenerateOptions with_setting(GenerateOptions o, const std::string& name, const std::string& value) {
  SamplingOptions& s = o.sampling;
  if (name.empty())
    fail(ErrorCode::kUsage, "/set needs a name and a value, such as /set temperature 0.7");
  if (name == "temperature") {
    s.temperature = parse_number(name, value);
  } else if (name == "top-k") {
    s.top_k = parse_integer(name, value);
  } else if (name == "top-p") {
    s.top_p = parse_number(name, value);
  } else if (name == "min-p") {
    s.min_p = parse_number(name, value);
  } else if (name == "repetition-penalty") {
    s.repetition_penalty = parse_number(name, value);
  } else if (name == "max-tokens") {
    o.max_tokens = parse_integer(name, value);
  } else if (name == "seed") {
    o.seed = static_cast<uint64_t>(parse_integer(name, value));
  } else if (name == "stop") {
    o.stop = value.empty() ? std::vector<std::string>{} : std::vector<std::string>{value};
  } else {
    fail(ErrorCode::kUsage, "there is no setting '{}'; /help lists them", name);
  }
  validate(s);
  return o;
}

void save_conversation(const std::string& path, const std::vector<Conversation::Turn>& turns) {
  if (path.empty()) fail(ErrorCode::kUsage, "/save needs a file name");
  write_file(path, format_conversation(turns));
}

std::vector<Conversation::Turn> load_conversation(const std::string& path) {
  if (path.empty()) fail(ErrorCode::kUsage, "/load needs a file name");
  const std::string text = read_file(path, uint64_t{1} << 30);
  return with_context("reading '" + path + "'", [&] { return parse_conversation(text); });
}

std::filesystem::path history_file() {
  const char *state = std::getenv("XDG_STATE_HOME"), *home = std::getenv("HOME");
  std::filesystem::path folder;
  if (state != nullptr && *state != '\0') {
    folder = std::filesystem::path(state) / "inkstone";
  } else if (home != nullptr && *home != '\0') {
    folder = std::filesystem::path(home) / ".local/state/inkstone";
  } else {
    return {};
  }
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  return error ? std::filesystem::path() : folder / "history";  // chatting works without a history
}

class Chat {
 public:
  explicit Chat(const Arguments& a)
      : arguments_(a),
        generator_(load_generator(a.model, a.generate)),
        conversation_(generator_),
        options_(a.generate.options),
        interactive_(stdin_is_terminal() && stdout_is_terminal()),
        editor_(interactive_ ? history_file() : std::filesystem::path(), interrupt_) {
    options_.seed = a.generate.seed.value_or(random_seed());
    options_.special = special_tokens(a.generate.special);
  }

  int run() {
    if (interactive_) print(fmt::format("{}\n", kHelp));
    while (const auto text = read()) {
      if (text->empty()) continue;
      try {
        if (!handle(*text)) break;
      } catch (const Error& e) {
        note(std::string("error: ") + e.what());  // the conversation goes on
      }
    }
    return kExitDone;
  }

 private:
  // A line, or several joined by backslashes.
  std::optional<std::string> read() {
    std::string text;
    while (true) {
      const auto line = editor_.read(text.empty() ? "> " : ". ");
      if (!line) return text.empty() ? std::nullopt : std::optional(text);
      if (editor_.interrupted()) {
        note("(Ctrl-D or /quit leaves)");
        return "";
      }
      text += *line;
      if (text.empty() || text.back() != '\\') return text;
      text.back() = '\n';
    }
  }

  // False: leave.
  bool handle(const std::string& text) {
    if (text.front() != '/') {
      answer([&](const OnText& show) {
        return conversation_.reply(arguments_.user_prefix + text + arguments_.user_suffix, options_,
                                   show);
      });
      return true;
    }
    const auto [command, rest] = split_word(text);
    if (command == "/quit" || command == "/exit") return false;
    run_command(command, rest);
    return true;
  }

  void run_command(const std::string& command, const std::string& rest) {
    if (command == "/help") {
      print(fmt::format("{}\n", kHelp));
    } else if (command == "/retry") {
      answer([&](const OnText& show) { return conversation_.retry(options_, show); });
    } else if (command == "/undo") {
      note(conversation_.undo() ? "(taken back)" : "(there is nothing to take back)");
    } else if (command == "/clear") {
      conversation_.clear();
      note("(a new conversation)");
    } else if (command == "/set") {
      const auto [name, value] = split_word(rest);
      options_ = with_setting(options_, name, value);
    } else if (command == "/settings") {
      show_settings();
    } else if (command == "/save") {
      save_conversation(rest, conversation_.turns());
      note("(saved)");
    } else if (command == "/load") {
      conversation_.restore(load_conversation(rest));
      for (const auto& turn : conversation_.turns()) {
        print(shown_text(turn.user + turn.reply) + "\n");
      }
    } else {
      fail(ErrorCode::kUsage, "there is no command '{}'; /help lists them", command);
    }
  }

  void show_settings() const {
    const SamplingOptions& s = options_.sampling;
    std::string text = fmt::format(
        "temperature {}, top-k {}, top-p {}, min-p {}, repetition-penalty {}", s.temperature,
        s.top_k, s.top_p, s.min_p, s.repetition_penalty);
    text += fmt::format(", max-tokens {}, seed {}", options_.max_tokens, options_.seed);
    for (const std::string& stop : options_.stop) text += ", stop '" + stop + "'";
    if (options_.keep_stop && !options_.stop.empty()) text += ", which is kept";
    if (!options_.whole_characters) text += ", any bytes";
    print(text + "\n");
  }

  template <typename Write>
  void answer(Write&& write) {
    const Completion completion = write([&](size_t, int64_t, std::string_view text) {
      print(shown_text(text));
      return !interrupt_.raised();
    });
    print("\n");
    tell_cut(completion);
    if (completion.finish != FinishReason::kCancelled) return;
    // Here, not when an answer begins: a Ctrl-C that was quicker than that means it.
    interrupt_.reset();
    note("(stopped)");
  }

  // Once: from then on it is so for every answer.
  void tell_cut(const Completion& c) {
    if (cut_is_told_ || c.prompt_tokens_kept == c.prompt_tokens) return;
    cut_is_told_ = true;
    note(
        fmt::format("(the conversation has {} tokens, more than the model's context of {}: it sees "
                    "the last {}, and from now on never the whole)",
                    c.prompt_tokens, generator_.model().config().context, c.prompt_tokens_kept));
  }

  const Arguments& arguments_;
  Generator generator_;
  Conversation conversation_;
  GenerateOptions options_;
  bool interactive_;
  bool cut_is_told_ = false;
  InterruptFlag interrupt_{InterruptFlag::Catch::kCtrlCOnly};
  LineEditor editor_;
};

}  // namespace

void add_chat_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  a->generate.options.sampling.temperature = 0.8;
  a->generate.options.max_tokens = 200;
  CLI::App* c = add_command(
      app, selection, "chat", "Write together with a model: you type, it goes on",
      "  inkstone chat run\n"
      "  inkstone chat tuned --user-prefix 'Q: ' --user-suffix '\n  A:' --stop 'Q:'",
      [a] { return Chat(*a).run(); });
  c->add_option("MODEL", a->model, "model or run folder")->required();
  c->add_option("--user-prefix", a->user_prefix,
                "put before what you type, for models trained on dialogues");
  c->add_option("--user-suffix", a->user_suffix, "put after what you type");
  add_generate_options(c, a->generate);
  add_special_option(c, a->generate.special, "what you type");
}

}  // namespace inkstone::cli
