// What the commands of the command line share.
#pragma once

#include <CLI/CLI.hpp>

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cli/validators.h"
#include "inkstone/error.h"
#include "inkstone/message.h"
#include "inkstone/model.h"

namespace inkstone::cli {

// Exit statuses: the contract of docs/command_line.md.
inline constexpr int kExitDone = 0, kExitFailed = 1, kExitUsage = 2, kExitInterrupted = 130;

// The command that was chosen; main() runs it after parsing and setting the threads.
struct Selection {
  std::function<int()> run;
  int threads = 0;       // 0: all processors
  std::string language;  // what --lang said; empty: nothing
};

// Adds a subcommand with --threads and --lang, and an example under its help text. `run` returns an
// exit status.
CLI::App* add_command(CLI::App& parent, Selection& selection, const std::string& name,
                      const std::string& description, const std::string& example,
                      std::function<int()> run);

// --lang for the help text: main() has taken it away before CLI11 reads the words.
void add_language_option(CLI::App& app, Selection& selection);

// --seed: 0 or more; absent: `seed` stays empty.
void add_seed_option(CLI::App* command, std::optional<uint64_t>& seed);

// The runtime of the command that runs: this device, and the threads of --threads.
Runtime make_runtime(const std::string& device = "cpu");
void use_threads(int count);  // what --threads said

// Where and in which types a model computes, and with which adapter: --device, --dtype, --weights,
// --cache and --adapter of the commands that use a model.
struct ComputeArguments {
  std::string dtype = "f32", weights = "auto", cache = "auto", device = "cpu", adapter;
};
void add_compute_options(CLI::App* command, ComputeArguments& arguments);
LoadOptions load_options(const ComputeArguments& arguments);
void add_cache_option(CLI::App* command, std::string& cache);
void add_adapter_option(CLI::App* command, std::string& adapter);

// Token ids separated by white space, commas or brackets: "1 2 3", "[1, 2, 3]". Throws
// kInvalidData.
std::vector<TokenId> parse_token_ids(std::string_view text);

// --special text|allow|refuse. `what`: its help text, marked().
void add_special_option(CLI::App* command, SpecialTokens& special, const char* what);

// One function per command, each in its own file.
void add_tokenizer_command(CLI::App& app, Selection& selection);
void add_prepare_command(CLI::App& app, Selection& selection);
void add_train_command(CLI::App& app, Selection& selection);
void add_finetune_command(CLI::App& app, Selection& selection);
void add_generate_command(CLI::App& app, Selection& selection);
void add_chat_command(CLI::App& app, Selection& selection);
void add_score_command(CLI::App& app, Selection& selection);
void add_logits_command(CLI::App& app, Selection& selection);
void add_eval_command(CLI::App& app, Selection& selection);
void add_memorised_command(CLI::App& app, Selection& selection);
void add_compare_command(CLI::App& app, Selection& selection);
void add_sweep_command(CLI::App& app, Selection& selection);
void add_info_command(CLI::App& app, Selection& selection);
void add_quantize_command(CLI::App& app, Selection& selection);
void add_merge_command(CLI::App& app, Selection& selection);
void add_convert_command(CLI::App& app, Selection& selection);
void add_bench_command(CLI::App& app, Selection& selection);

// Writes to standard output at once; a signal in between does no harm. Throws kInputOutput; a
// closed pipe throws BrokenPipe, which main() takes quietly. A terminal gets its own encoding, all
// else the bytes as they are; of valid UTF-8 what the terminal lacks is '?'.
void print(std::string_view text);
struct BrokenPipe {};

// A line on standard error, in the language that is set; to a terminal as print().
void note(const Message& text);

// The words of the command, which a terminal showed as they are: print() and note() show them so.
void use_words(const std::vector<std::string>& words);

// What a word of the command says, as UTF-8: it is typed in the locale's encoding. Bytes that are
// none of its characters stay as they are.
std::string typed_text(const std::string& word);

// Whether print() or note() met characters that the terminal lacks since the last call.
bool take_unshown();

bool stdout_is_terminal();
bool stderr_is_terminal();
bool stdin_is_terminal();

// A line on standard error that is drawn over while it changes; on anything but a terminal nothing
// is shown.
class StatusLine {
 public:
  ~StatusLine() { clear(); }
  void show(const std::string& text);
  void clear();

 private:
  bool shown_ = false;
};

// Ctrl-C, SIGTERM and the end of the terminal (SIGHUP): while one lives, the first signal only sets
// the flag; a second one ends the program at once. A signal that the parent had ignored (nohup, a
// background job) stays ignored. kCtrlCOnly: neither ends the program, and the other signals are
// not caught. At most one lives at a time.
class InterruptFlag {
 public:
  enum class Catch { kAll, kCtrlCOnly };
  explicit InterruptFlag(Catch which = Catch::kAll);
  ~InterruptFlag();
  InterruptFlag(const InterruptFlag&) = delete;
  InterruptFlag& operator=(const InterruptFlag&) = delete;
  bool raised() const;
  void reset();

 private:
  std::vector<int> caught_;
};

// "1h02m", "3m20s", "12s".
std::string duration_text(double seconds);

// A word as a shell takes it: quoted where it must be.
std::string shell_quoted(const std::string& word);

// All of standard input, or of a file; "-" is standard input.
std::string read_input(const std::string& path);

// A random seed from the system, for runs without --seed; below 2^53 so that every JSON reader
// keeps it.
uint64_t random_seed();

}  // namespace inkstone::cli
