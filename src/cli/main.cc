// inkstone: parses the command line, runs one command, maps errors to exit statuses.
#include <algorithm>
#include <csignal>
#include <cstdlib>
#include <exception>
#include <memory>
#include <new>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "base/error.h"
#include "cli/command.h"
#include "cli/help_format.h"
#include "cli/language_choice.h"
#include "cli/terminal/encoding.h"

namespace inkstone::cli {
namespace {

int report(const Error& e) {
  note(message("inkstone: error: {}", e.message()));
  return e.code() == ErrorCode::kUsage ? kExitUsage : kExitFailed;
}

// What CLI11 would report as a missing subcommand, said better. nullopt if the words begin with a
// command.
std::optional<Message> command_error(const CLI::App& app, const std::vector<std::string>& words) {
  std::string known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (!words.empty() && command->get_name() == words[0]) return std::nullopt;
    known += (known.empty() ? "" : ", ") + command->get_name();
  }
  if (words.empty()) return message("no command given, expected one of {}", known);
  const std::string& word = words[0];
  if (word == "-h" || word == "--help" || word == "--version") return std::nullopt;
  if (word.starts_with('-')) {
    return message("'{}' stands where a command is expected: options come after the command", word);
  }
  return message("there is no command '{}', expected one of {}", word, known);
}

int fail_usage(const Message& what) {
  note(message("inkstone: error: {}", what));
  note(marked("Run `inkstone --help`, or `inkstone COMMAND --help`, for what is expected."));
  return kExitUsage;
}

void add_commands(CLI::App& app, Selection& selection) {
  app.set_version_flag("--version", "inkstone " INKSTONE_VERSION);
  add_language_option(app, selection);
  app.require_subcommand(1);
  app.formatter(std::make_shared<HelpFormatter>());
  app.footer(translated(marked("`inkstone COMMAND --help` explains a command, with an example.")));
  for (const auto add :
       {add_tokenizer_command, add_prepare_command, add_train_command, add_finetune_command,
        add_generate_command, add_chat_command, add_score_command, add_logits_command,
         add_eval_command, add_memorised_command, add_compare_command, add_sweep_command,
         add_quantize_command, add_merge_command, add_convert_command, add_info_command,
         add_bench_command}) {
    add(app, selection);
  }
}

int run(std::vector<std::string> words) {
  use_words(words);
  set_language(language_of([](const char* name) { return std::getenv(name); }));
  const std::string language = take_language(words);
  if (!language.empty()) set_language(language);
  CLI::App app(marked("Inkstone: GPT-2, whole, in one native program."), "inkstone");
  Selection selection;
  selection.language = language;
  add_commands(app, selection);
  if (const auto error = command_error(app, words)) return fail_usage(*error);
  try {
    std::ranges::reverse(words);  // as CLI11 takes them
    app.parse(words);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return fail_usage(refusal(e));
    std::ostringstream text;  // --help, --version
    app.exit(e, text, text);
    print(text.str());
    return kExitDone;
  }
  use_threads(selection.threads);
  return selection.run();
}

}  // namespace
}  // namespace inkstone::cli

int main(int argc, char** argv) {
  using namespace inkstone;
  cli::use_locale();
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of file sizes is then an error as a full disk is
  try {
    return cli::run({argv + 1, argv + argc});
  } catch (const Error& e) {
    return cli::report(e);
  } catch (const cli::BrokenPipe&) {
    return cli::kExitFailed;  // the reader has left: nothing to say
  } catch (const std::bad_alloc&) {
    cli::note(marked("inkstone: error: not enough memory"));
  } catch (const std::exception& e) {
    cli::note(message("inkstone: error: {}", e.what()));
  }
  return cli::kExitFailed;
}
