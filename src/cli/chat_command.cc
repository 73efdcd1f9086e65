// `inkstone chat`: the user types, the model goes on.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstdlib>
#include <set>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "cli/chat_input.h"
#include "cli/command.h"
#include "cli/conversation_file.h"
#include "cli/generate_options.h"
#include "cli/terminal/encoding.h"
#include "cli/terminal/line_editor.h"
#include "cli/text_json.h"
#include "generate/generate_options.h"
#include "inkstone/generator.h"
#include "inkstone/turns.h"

namespace inkstone::cli {
namespace {

// No wider than 40 columns.
constexpr std::string_view kHelp = marked(
    R"(Type text, and the model goes on.
A line that ends with \ goes on below.
""" begins a text of several lines, and
""" at the end of a line ends it.
/retry           another answer
/undo            take back your last
                 text and its answer
/set NAME VALUE  NAME: temperature,
                 top-k, top-p, min-p,
                 repetition-penalty,
                 max-tokens, seed, stop
/settings        show them
/save FILE       keep the conversation;
                 to FILE.txt: as text
/load FILE       bring it back
/clear           begin anew
/help            show this
/quit            leave (or Ctrl-D)
Ctrl-C stops an answer.
)");

struct ChatArguments {
  GenerateArguments generate;
  std::string model, user_prefix, user_suffix, turns;
};

// How turns are written: as --template says, else as the model's files do, unless the user puts
// texts around what is typed.
std::optional<TurnTemplate> template_of(const ChatArguments& a, const Tokenizer& tokenizer) {
  if (a.turns == "none") return std::nullopt;
  if (!a.turns.empty()) return load_turn_template(a.turns);
  const bool has_texts = !a.user_prefix.empty() || !a.user_suffix.empty();
  if (has_texts || tokenizer.turn_template() == nullptr) return std::nullopt;
  return *tokenizer.turn_template();
}

std::optional<TurnTemplate> turns_of(const ChatArguments& a, const Tokenizer& tokenizer) {
  auto turns = template_of(a, tokenizer);
  if (turns && a.generate.options.special == SpecialTokens::kAllow) {
    fail(ErrorCode::kUsage,
         "--special allow: the template of the turns has the special tokens, and what is typed is "
         "text; leave it out, or write turns as they stand (--template none)");
  }
  return turns;
}

// Of the table of options, those that /set takes and /settings shows.
constexpr std::string_view kSettings[] = {"temperature",        "top-k",     "top-p", "min-p",
                                          "repetition-penalty", "max-tokens"};

uint64_t parse_seed(const std::string& text) {
  int64_t value = 0;
  set_number({.info = {.name = "seed"}, .range = WholeRange(), .value = &value}, text);
  return static_cast<uint64_t>(value);
}

// "NAME VALUE" applied to a copy, so that a bad value changes nothing.
GenerateOptions with_setting(GenerateOptions o, const std::string& name_and_value) {
  const auto [typed_name, typed_value] = split_word(name_and_value);
  const std::string name = in_plain_letters(typed_name), value = in_plain_letters(typed_value);
  if (name.empty())
    fail(ErrorCode::kUsage, "/set needs a name and a value, such as /set temperature 0.7");
  const auto options = generate_options().bind(o);
  if (std::ranges::find(kSettings, name) != std::end(kSettings)) {
    set_number(*find_option(options, name), value);
  } else if (name == "seed") {
    o.seed = parse_seed(value);
  } else if (name == "stop") {
    o.stop.clear();
    if (!typed_value.empty()) o.stop.push_back(typed_value);
  } else {
    fail(ErrorCode::kUsage, "there is no setting '{}'; /help lists them", typed_name);
  }
  return o;
}

std::string setting_text(const BoundOption& option) {
  if (auto* const* whole = std::get_if<int64_t*>(&option.value))
    return fmt::format("{} {}, ", option.info.name, **whole);
  return fmt::format("{} {}, ", option.info.name, *std::get<double*>(option.value));
}

bool is_plain_text_name(const std::filesystem::path& file) {
  return in_plain_letters(file.extension().string()) == ".txt";
}

std::string replaced(std::string text, const std::string& part, const std::string& by) {
  if (part.empty()) return text;
  for (size_t at = text.find(part); at != text.npos; at = text.find(part, at + by.size()))
    text.replace(at, part.size(), by);
  return text;
}

std::vector<Conversation::Turn> load_conversation(const std::filesystem::path& file) {
  const std::string text = read_file(file, uint64_t{1} << 30);
  return with_context(message("reading '{}'", file.string()),
                      [&] { return parse_conversation(text); });
}

bool is_conversation(const std::filesystem::path& file) {
  try {
    load_conversation(file);
    return true;
  } catch (const Error&) {
    return false;
  }
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
  explicit Chat(const ChatArguments& a)
      : arguments_(a),
        generator_(load_generator(a.model, a.generate)),
        turns_(turns_of(a, generator_.tokenizer())),
        conversation_(generator_, turns_),
        options_(a.generate.options),
        interactive_(stdin_is_terminal() && stdout_is_terminal()),
        encoding_(stdin_is_terminal() || stdout_is_terminal() ? locale_encoding() : "UTF-8"),
        editor_({.history = interactive_ ? history_file() : std::filesystem::path(),
                 .interrupted = [this] { return interrupt_.raised(); },
                 .encoding = &encoding_}) {
    options_.seed = a.generate.seed.value_or(random_seed());
  }

  int run() {
    if (interactive_) greet();
    while (const auto text = read()) {
      try {
        if (!handle(*text)) break;
      } catch (const Error& e) {
        tell(message("error: {}", e.message()));  // the conversation goes on
      }
      tell_unencodable();
    }
    return kExitDone;
  }

 private:
  void greet() {
    say(translated(kHelp));
    if (turns_ && arguments_.turns.empty()) {
      tell(marked("(turns are written as the model learnt them; --template none: as they stand)"));
    }
    if (const auto locale = missing_locale()) {
      tell(
          message("(the locale {} is not installed: this terminal is taken to be UTF-8)", *locale));
    }
  }

  // nullopt: leave. An empty one: what was typed was dropped.
  std::optional<TypedText> read() {
    TypedText text;
    for (bool begun = false;; begun = true) {
      const LineEditor::Input input = editor_.read(begun ? ". " : "> ");
      switch (input.event) {
        case LineEditor::Event::kEnd: return begun ? std::optional(text) : std::nullopt;
        case LineEditor::Event::kInterrupted:
          interrupt_.reset();
          tell(marked("(Ctrl-D or /quit leaves)"));
          return TypedText();
        case LineEditor::Event::kUndecodable:
          tell(
              message("error: some of that is not {}, and it was not sent: set LC_ALL to a "
                      "locale with this terminal's encoding, such as zh_CN.GBK",
                      encoding_.name()));
          return TypedText();
        case LineEditor::Event::kLine: text.add(input.text);
      }
      if (!text.is_whole()) continue;
      editor_.remember(text.typed());
      return text;
    }
  }

  // False: leave.
  bool handle(const TypedText& typed) {
    const std::string text = typed.meaning();
    if (text.empty()) return true;
    const auto command = typed.is_quoted() ? std::nullopt : parse_command(text);
    if (!command) {
      answer([&](const OnText& show) {
        return conversation_.reply(arguments_.user_prefix + text + arguments_.user_suffix, options_,
                                   show);
      });
      return true;
    }
    if (command->name == "quit" || command->name == "exit") return false;
    run_command(*command);
    return true;
  }

  void run_command(const ChatCommand& command) {
    const std::string& name = command.name;
    if (name == "help") {
      say(translated(kHelp));
    } else if (name == "retry") {
      answer([&](const OnText& show) { return conversation_.retry(options_, show); });
    } else if (name == "undo") {
      tell(conversation_.undo() ? marked("(taken back)")
                                : marked("(there is nothing to take back)"));
    } else if (name == "clear") {
      conversation_.clear();
      tell(marked("(a new conversation)"));
    } else if (name == "set") {
      options_ = with_setting(options_, command.rest);
    } else if (name == "settings") {
      show_settings();
    } else if (name == "save") {
      with_file("save", command.rest, [&](const auto& file) { save(file); });
    } else if (name == "load") {
      with_file("load", command.rest,
                [&](const auto& file) { conversation_.restore(load_conversation(file)); });
      say(plain_conversation(conversation_.turns()));
    } else {
      fail(ErrorCode::kUsage, "there is no command '/{}'; /help lists them", name);
    }
  }

  // The name of a file is typed in the terminal's encoding, and so are the names on the disk.
  template <typename Use>
  void with_file(std::string_view command, const std::string& typed, Use&& use) {
    if (typed.empty()) fail(ErrorCode::kUsage, "/{} needs a file name", command);
    if (!stdin_is_terminal()) return use(std::filesystem::path(typed));
    try {
      use(std::filesystem::path(encoding_.encode(typed)));
    } catch (const Error& e) {
      const auto shown = [&](const std::string& text) {
        return replaced(text, encoding_.encode(typed), typed);
      };
      throw Error(e.code(), Message(shown(e.message().english()), shown(e.message().shown())));
    }
  }

  // A file that is neither a conversation nor of this one's making is not written over: a book may
  // have that name.
  void save(const std::filesystem::path& file) {
    if (std::filesystem::exists(file) && !saved_.contains(file) && !is_conversation(file)) {
      fail(ErrorCode::kUsage,
           "'{}' is there already and is no saved conversation: give another name", file.string());
    }
    const auto& turns = conversation_.turns();
    write_file(file,
               is_plain_text_name(file) ? plain_conversation(turns) : format_conversation(turns));
    saved_.insert(file);
    tell(marked("(saved)"));
  }

  void show_settings() {
    // By the names that /set takes.
    std::string text;
    const auto options = generate_options().bind(options_);
    for (const std::string_view name : kSettings) text += setting_text(*find_option(options, name));
    text += fmt::format("seed {}", options_.seed);
    for (const std::string& stop : options_.stop) text += ", stop '" + stop + "'";
    if (options_.keep_stop && !options_.stop.empty()) text += translated(marked(", which is kept"));
    if (!options_.whole_characters) text += translated(marked(", any bytes"));
    say(text + "\n");
  }

  template <typename Write>
  void answer(Write&& write) {
    const Completion completion = write([&](size_t, int64_t, std::string_view text) {
      say(shown_text(text));
      return !interrupt_.raised();
    });
    say("\n");
    tell_cut(completion);
    if (completion.finish != FinishReason::kCancelled) return;
    // Here, not when an answer begins: a Ctrl-C that was quicker than that means it.
    interrupt_.reset();
    tell(marked("(stopped)"));
  }

  // Once: from then on it is so for every answer.
  void tell_cut(const Completion& c) {
    if (cut_is_told_ || c.prompt_tokens_kept == c.prompt_tokens) return;
    cut_is_told_ = true;
    tell(
        message("(the conversation has {} tokens, more than the model's context of {}: it sees "
                "the last {}, and from now on never the whole)",
                c.prompt_tokens, generator_.model().config().context, c.prompt_tokens_kept));
  }

  static void say(std::string_view text) { print(text); }
  static void tell(const Message& text) { note(text); }

  // Once.
  void tell_unencodable() {
    const bool typed = encoding_.take_unencodable(), written = take_unshown();
    if ((!typed && !written) || std::exchange(lack_is_told_, true)) return;
    tell(message("({} lacks some of these characters: they are shown as ?)", encoding_.name()));
  }

  const ChatArguments& arguments_;
  Generator generator_;
  std::optional<TurnTemplate> turns_;
  Conversation conversation_;
  GenerateOptions options_;
  bool interactive_;
  bool cut_is_told_ = false, lack_is_told_ = false;
  std::set<std::filesystem::path> saved_;
  InterruptFlag interrupt_{InterruptFlag::Catch::kCtrlCOnly};
  Encoding encoding_;
  LineEditor editor_;
};

}  // namespace

void add_chat_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<ChatArguments>();
  a->generate.options.sampling.temperature = 0.8;
  a->generate.options.max_tokens = 200;
  CLI::App* c = add_command(
      app, selection, "chat", "Write together with a model: you type, it goes on",
      marked("  inkstone chat run\n"
             "  inkstone chat tuned --user-prefix 'Q: ' --user-suffix '\n  A:' --stop 'Q:'"),
      [a] { return Chat(*a).run(); });
  c->add_option("MODEL", a->model, "model or run folder")->required();
  c->add_option("--template", a->turns,
                localized("how turns are written: {}, a file, or none: as they stand (as the "
                          "model's turn_template.json says)",
                          fmt::join(turn_template_names(), ", ")))
      ->type_name("NAME|FILE|none");
  c->add_option("--user-prefix", a->user_prefix,
                "put before what you type, for models trained on dialogues")
      ->transform(text_as_typed());
  c->add_option("--user-suffix", a->user_suffix, "put after what you type")
      ->transform(text_as_typed());
  add_generate_options(c, a->generate);
}

}  // namespace inkstone::cli
