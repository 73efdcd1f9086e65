// inkstone: parses the command line, runs one command, maps errors to exit statuses.
#include <csignal>
#include <exception>
#include <new>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "cli/command.h"
#include "cli/terminal/encoding.h"

namespace inkstone::cli {
namespace {

int report(const Error& e) {
  note(std::string("inkstone: error: ") + e.what());
  return e.code() == ErrorCode::kUsage ? kExitUsage : kExitFailed;
}

// What CLI11 would report as a missing subcommand, said better. nullopt if the words begin with a
// command.
std::optional<std::string> command_error(const CLI::App& app, int argc, char** argv) {
  std::string known;
  for (const CLI::App* command : app.get_subcommands([](const CLI::App*) { return true; })) {
    if (argc > 1 && command->get_name() == argv[1]) return std::nullopt;
    known += (known.empty() ? "" : ", ") + command->get_name();
  }
  if (argc < 2) return "no command given, expected one of " + known;
  const std::string_view word = argv[1];
  if (word == "-h" || word == "--help" || word == "--version") return std::nullopt;
  if (word.starts_with('-')) {
    return fmt::format("'{}' stands where a command is expected: options come after the command",
                       word);
  }
  return fmt::format("there is no command '{}', expected one of {}", word, known);
}

int fail_usage(std::string_view what) {
  note(fmt::format("inkstone: error: {}", what));
  note("Run `inkstone --help`, or `inkstone COMMAND --help`, for what is expected.");
  return kExitUsage;
}

int run(int argc, char** argv) {
  CLI::App app("Inkstone: GPT-2, whole, in one native program.", "inkstone");
  app.set_version_flag("--version", "inkstone " INKSTONE_VERSION);
  app.require_subcommand(1);
  app.footer("`inkstone COMMAND --help` explains a command, with an example.");
  Selection selection;
  for (const auto add :
       {add_tokenizer_command, add_prepare_command, add_train_command, add_finetune_command,
        add_generate_command, add_chat_command, add_score_command, add_logits_command,
        add_eval_command, add_info_command, add_bench_command}) {
    add(app, selection);
  }
  if (const auto error = command_error(app, argc, argv)) return fail_usage(*error);
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() != 0) return fail_usage(e.what());
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
    return cli::run(argc, argv);
  } catch (const Error& e) {
    return cli::report(e);
  } catch (const cli::BrokenPipe&) {
    return cli::kExitFailed;  // the reader has left: nothing to say
  } catch (const std::bad_alloc&) {
    cli::note("inkstone: error: not enough memory");
  } catch (const std::exception& e) {
    cli::note(std::string("inkstone: error: ") + e.what());
  }
  return cli::kExitFailed;
}
