// inkstone: parses the command line, runs one command, maps errors to exit statuses.
#include <clocale>
#include <csignal>
#include <exception>
#include <new>

#include "base/error.h"
#include "base/threads.h"
#include "cli/command.h"

namespace inkstone::cli {
namespace {

int report(const Error& e) {
  note(std::string("inkstone: error: ") + e.what());
  return e.code() == ErrorCode::kUsage ? kExitUsage : kExitFailed;
}

int run(int argc, char** argv) {
  CLI::App app("Inkstone: GPT-2, whole, in one native program.", "inkstone");
  app.set_version_flag("--version", "inkstone " INKSTONE_VERSION);
  app.require_subcommand(1);
  app.footer("`inkstone COMMAND --help` explains a command, with an example.");
  Selection selection;
  for (const auto add : {add_tokenizer_command, add_prepare_command, add_train_command, add_finetune_command,
                         add_generate_command, add_chat_command, add_score_command, add_logits_command,
                         add_eval_command, add_info_command, add_bench_command}) {
    add(app, selection);
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    if (e.get_exit_code() == 0) return app.exit(e);  // --help, --version
    note(std::string("inkstone: error: ") + e.what());
    note("Run `inkstone --help`, or `inkstone COMMAND --help`, for what is expected.");
    return kExitUsage;
  }
  set_thread_count(selection.threads);
  return selection.run();
}

}  // namespace
}  // namespace inkstone::cli

int main(int argc, char** argv) {
  using namespace inkstone;
  std::setlocale(LC_CTYPE, "");
  std::signal(SIGPIPE, SIG_IGN);
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
