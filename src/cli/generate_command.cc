// `inkstone generate`: batch generation.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/generate_options.h"
#include "cli/prompts_file.h"
#include "cli/reading_options.h"
#include "cli/table_options.h"
#include "cli/text_json.h"
#include "cli/training_text.h"
#include "corpus/read/read_text.h"
#include "generate/generate_options.h"
#include "inkstone/copy_index.h"
#include "inkstone/generator.h"

namespace inkstone::cli {

void add_generate_options(CLI::App* c, GenerateArguments& a) {
  add_table_options(c, generate_options().bind(a.options), {"samples", "logprobs"});
  add_seed_option(c, a.seed);
  add_compute_options(c, a.compute);
}

Generator load_generator(const std::string& model, const GenerateArguments& a) {
  return Generator(Model::load(model, load_options(a.compute)),
                   Tokenizer::load(find_tokenizer(model, a.compute.adapter)));
}

namespace {

struct Arguments {
  GenerateArguments generate;
  std::string model, prompt, prompt_file, prompts_file, encoding, output, no_copy_text;
  int64_t parallel = 0, no_copy = 0;
  bool json = false, completion_only = false;
};

std::string_view finish_name(FinishReason reason) {
  switch (reason) {
    case FinishReason::kEndMark: return "end";
    case FinishReason::kStop: return "stop";
    case FinishReason::kLength: return "length";
    case FinishReason::kCancelled: return "cancelled";
  }
  return "?";
}

// A guessed encoding is told.
std::string read_decoded(const std::string& path, const std::string& encoding) {
  ReadNotes notes;
  std::string text = read_text(path, encoding, &notes);
  note_sources(notes.sources);
  return text;
}

PromptsFile read_prompts(const std::string& path, const std::string& encoding) {
  const std::string text = read_decoded(path, encoding);
  PromptsFile file = parse_prompts(text, is_named_json(path));
  if (file.prompts.empty() && file.bad.empty()) {
    fail(ErrorCode::kInvalidData, "'{}' has no prompt: one per line is expected", path);
  }
  return file;
}

PromptsFile chosen_prompts(const Arguments& a) {
  const int given = !a.prompt.empty() + !a.prompt_file.empty() + !a.prompts_file.empty();
  if (given > 1) fail(ErrorCode::kUsage, "give one of --prompt, --prompt-file and --prompts-file");
  if (!a.prompts_file.empty()) return read_prompts(a.prompts_file, a.encoding);
  const bool from_input = a.prompt == "-";
  if (from_input || !a.prompt_file.empty()) {
    return {.prompts = {{0, read_decoded(from_input ? "-" : a.prompt_file, a.encoding)}}};
  }
  return {.prompts = {{0, a.prompt}}};
}

// Of a file of prompts: those that the model can begin from; the others join the bad lines.
void keep_usable(PromptsFile& file, const Generator& generator, const GenerateOptions& options) {
  std::vector<PromptLine> usable;
  for (PromptLine& prompt : file.prompts) {
    try {
      generator.prompt_tokens(prompt.text, options);
      usable.push_back(std::move(prompt));
    } catch (const Error& e) {
      file.bad.push_back({prompt.line, e.message()});
    }
  }
  file.prompts = std::move(usable);
  std::ranges::sort(file.bad, {}, &BadLine::line);
}

void tell_bad_lines(const PromptsFile& file, const std::string& path) {
  for (const BadLine& bad : file.bad) {
    note(message("inkstone: error: '{}', line {}: {}; this line is left out", path, bad.line,
                 bad.why));
  }
  if (file.prompts.empty()) {
    fail(ErrorCode::kInvalidData, "'{}' has no line that gives a prompt", path);
  }
  if (file.object_line == 0) return;
  note(
      message("inkstone: note: '{}': every line is taken as text, line {} too, which is a JSON "
              "object: for JSON lines all must be objects, or the name end in .jsonl",
              path, file.object_line));
}

// Notes about prompts, of which the first few are shown.
class PromptNotes {
 public:
  explicit PromptNotes(const PromptsFile& file) : file_(file) {}

  // what: of "the prompt", or "the prompt of line 3", in front of it.
  void add(size_t prompt, const Message& what) {
    if (++count_ > kMost) return;
    const int64_t line = file_.prompts[prompt].line;
    note(line > 0 ? message("inkstone: note: the prompt of line {} {}", line, what)
                  : message("inkstone: note: the prompt {}", what));
  }
  void finish() const {
    if (count_ > kMost) note(message("inkstone: note: so have {} more", count_ - kMost));
  }

 private:
  static constexpr size_t kMost = 5;
  const PromptsFile& file_;
  size_t count_ = 0;
};

void tell_special_text(const PromptsFile& file, const Tokenizer& tokenizer) {
  PromptNotes notes(file);
  for (size_t i = 0; i < file.prompts.size(); ++i) {
    const auto id = tokenizer.first_special_token(file.prompts[i].text);
    if (!id) continue;
    notes.add(i, message("has the text '{}', which is taken as text and not as the special "
                         "token (--special allow makes it that)",
                         tokenizer.token_bytes(*id)));
  }
  notes.finish();
}

// The library's rule: what follows other bytes than UTF-8 is not held to it.
void tell_other_bytes(const PromptsFile& file) {
  PromptNotes notes(file);
  for (size_t i = 0; i < file.prompts.size(); ++i) {
    if (is_valid_utf8(file.prompts[i].text)) continue;
    notes.add(i,
              marked("is not UTF-8: what is written after it may be any bytes, as with --bytes"));
  }
  notes.finish();
}

void tell_cuts(const PromptsFile& file, const std::vector<Completion>& results, int64_t context) {
  PromptNotes notes(file);
  for (const Completion& c : results) {
    if (c.sample_index > 0 || c.prompt_tokens_kept == c.prompt_tokens) continue;
    notes.add(c.prompt_index,
              message("has {} tokens, more than the model's context of {}: its last {} were "
                      "given to the model, so that there is room to write",
                      c.prompt_tokens, context, c.prompt_tokens_kept));
  }
  notes.finish();
}

// Where the text goes: standard output, or a file that is whole or absent.
class Output {
 public:
  explicit Output(const std::string& path) {
    if (!path.empty()) file_.emplace(path);
  }
  void write(std::string_view text) { file_ ? file_->write(text) : print(text); }
  void commit() {
    if (file_) file_->commit();
  }

 private:
  std::optional<AtomicFile> file_;
};

// A token as it stands in JSON: its text, and its bytes where they are no text by themselves.
Json token_json(const TokenLogProb& t, const Tokenizer& tokenizer) {
  const std::string bytes(tokenizer.token_bytes(t.token));
  Json json = {{"id", t.token}, {"text", replace_invalid_utf8(bytes)}, {"logprob", t.log_prob}};
  if (!is_valid_utf8(bytes)) json["bytes"] = bytes_to_json(bytes);
  return json;
}

Json log_probs_json(const Completion& c, const Tokenizer& tokenizer) {
  Json tokens = Json::array();
  for (size_t i = 0; i < c.likeliest.size(); ++i) {
    Json token = token_json({c.tokens[i], c.log_probs[i]}, tokenizer);
    token["top"] = Json::array();
    for (const TokenLogProb& likely : c.likeliest[i])
      token["top"].push_back(token_json(likely, tokenizer));
    tokens.push_back(std::move(token));
  }
  return tokens;
}

std::string json_line(const Completion& c, const PromptLine& prompt, uint64_t seed,
                      const Tokenizer* log_probs) {
  Json json = {{"prompt", prompt.text},
               {"prompt_index", c.prompt_index},
               {"sample_index", c.sample_index},
               {"text", shown_text(c.text)},
               {"tokens", c.tokens},
               {"log_probs", c.log_probs},
               {"finish", std::string(finish_name(c.finish))},
               {"seed", seed},
               {"prompt_tokens", c.prompt_tokens},
               {"prompt_tokens_kept", c.prompt_tokens_kept}};
  if (prompt.line > 0) json["line"] = prompt.line;
  if (!is_valid_utf8(c.text)) json["bytes"] = bytes_to_json(c.text);
  if (log_probs != nullptr) json["logprobs"] = log_probs_json(c, *log_probs);
  return json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

void print_speed(const std::vector<Completion>& results, double seconds, uint64_t seed) {
  if (!stderr_is_terminal()) return;
  size_t tokens = 0;
  for (const Completion& c : results) tokens += c.tokens.size();
  note(message("[{} tokens, {:.1f} tokens/s, seed {}]", tokens,
               static_cast<double>(tokens) / seconds, seed));
}

void write_results(Output& output, const Arguments& a, const PromptsFile& file,
                   const Tokenizer& tokenizer, const std::vector<Completion>& results,
                   uint64_t seed) {
  const Tokenizer* log_probs = a.generate.options.log_probs > 0 ? &tokenizer : nullptr;
  const std::string& suffix = a.generate.options.suffix;
  for (const Completion& c : results) {
    const PromptLine& prompt = file.prompts[c.prompt_index];
    if (a.json) {
      output.write(json_line(c, prompt, seed, log_probs));
      continue;
    }
    output.write(fmt::format("=== prompt {}, sample {}\n", c.prompt_index + 1, c.sample_index + 1));
    output.write(a.completion_only ? shown_text(c.text) + "\n"
                                   : prompt.text + shown_text(c.text) + suffix + "\n");
  }
}

// The text that is not to be copied: of the run, or of a file.
std::shared_ptr<const CopyIndex> copy_index(const Arguments& a, const Tokenizer& tokenizer,
                                            int64_t vocab_size) {
  if (a.no_copy == 0 && a.no_copy_text.empty()) return nullptr;
  if (a.no_copy == 0) fail(ErrorCode::kUsage, "--no-copy-text goes with --no-copy");
  const TokenText text = a.no_copy_text.empty() ? TokenText(data_of_run(a.model, "--no-copy-text"),
                                                            "train", vocab_size)
                                                : TokenText(a.no_copy_text, {}, tokenizer);
  return std::make_shared<CopyIndex>(text.all(), a.no_copy, tokenizer.end_marks());
}

GenerateOptions chosen_options(const Arguments& a) {
  GenerateOptions options = a.generate.options;
  options.seed = a.generate.seed.value_or(random_seed());
  return options;
}

// A single text is shown while it is written, several when all are done.
std::vector<Completion> write_texts(Generator& generator, const Arguments& a,
                                    const PromptsFile& file, const GenerateOptions& options) {
  std::vector<std::string> prompts;
  for (const PromptLine& prompt : file.prompts) prompts.push_back(prompt.text);
  Output output(a.output);
  const bool stream = prompts.size() == 1 && options.samples == 1 && !a.json;
  if (stream && !a.completion_only) output.write(prompts[0]);
  auto results = generator.generate(
      prompts, options,
      [&](size_t, int64_t, std::string_view text) {
        if (stream) output.write(shown_text(text));
        return !options.stop_requested();
      },
      a.parallel);
  if (stream) {
    output.write((a.completion_only ? "" : options.suffix) + "\n");
  } else {
    write_results(output, a, file, generator.tokenizer(), results, options.seed);
  }
  output.commit();
  return results;
}

int run(const Arguments& a) {
  if (a.generate.options.log_probs > 0 && !a.json)
    fail(ErrorCode::kUsage, "--logprobs are part of what --json writes: give both");
  PromptsFile file = chosen_prompts(a);
  Generator generator = load_generator(a.model, a.generate);
  GenerateOptions options = chosen_options(a);
  options.no_copy = copy_index(a, generator.tokenizer(), generator.model().config().vocab_size);
  if (!a.prompts_file.empty()) {
    keep_usable(file, generator, options);
    tell_bad_lines(file, a.prompts_file);
  } else {
    generator.prompt_tokens(file.prompts.front().text, options);  // refused before a word
  }
  if (options.special == SpecialTokens::kAsText) tell_special_text(file, generator.tokenizer());
  if (options.whole_characters) tell_other_bytes(file);
  const InterruptFlag interrupt;
  options.stop_requested = [&] { return interrupt.raised(); };
  const auto begin = std::chrono::steady_clock::now();
  const auto results = write_texts(generator, a, file, options);
  const std::chrono::duration<double> seconds = std::chrono::steady_clock::now() - begin;
  tell_cuts(file, results, generator.model().config().context);
  print_speed(results, seconds.count(), options.seed);
  if (interrupt.raised()) return kExitInterrupted;
  return file.bad.empty() ? kExitDone : kExitFailed;
}

}  // namespace

void add_generate_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(
      app, selection, "generate", "Write text with a model, until its end mark or a limit",
      marked("  inkstone generate run --prompt 'Once upon a time' --temperature 0.8 --top-k 50\n"
             "  inkstone generate run --prompts-file prompts.txt -n 3 --json > completions.jsonl\n"
             "A prompt longer than the context keeps its last tokens, as many as leave room for\n"
             "--max-tokens (all but one of the context where that is more than half of it)."),
      [a] { return run(*a); });
  c->add_option("MODEL", a->model, "model or run folder")->required();
  c->add_option("--prompt", a->prompt,
                "text to continue; - reads it from standard input; empty: a new document")
      ->transform(text_as_typed());
  c->add_option("--suffix", a->generate.options.suffix,
                "text that comes after what is written: the model fills in what stands between the "
                "prompt and this, if it was trained with --fim-rate")
      ->transform(text_as_typed());
  c->add_option("--prompt-file", a->prompt_file, "file whose whole text is the prompt");
  c->add_option("--prompts-file", a->prompts_file,
                "file with a prompt per line, or JSON lines with \"prompt\" (every line an object, "
                "or the name ends in .jsonl); a bad line is reported and left out");
  c->add_option(
      "--encoding", a->encoding,
      "of the file: such as GB18030; without it a byte order mark tells, or it is guessed");
  const auto options = generate_options().bind(a->generate.options);
  add_table_option(c, options, "samples");
  c->add_option("--parallel", a->parallel,
                "sequences written at once; 0: as many as a gigabyte of keys and values has room "
                "for, 8 to 64; the text does not depend on it")
      ->check(whole_number(0, 4096))
      ->capture_default_str();
  c->add_option("-o,--output", a->output, "write to this file instead of standard output");
  c->add_flag("--completion-only", a->completion_only, "do not repeat the prompt");
  c->add_flag("--json", a->json, "one JSON object per completion");
  add_table_option(c, options, "logprobs");
  c->add_option("--no-copy", a->no_copy,
                "never write more tokens in a row than so many that stand in the training text so; "
                "0: any")
      ->check(whole_number(0, 1'000'000))
      ->capture_default_str();
  c->add_option("--no-copy-text", a->no_copy_text,
                "of --no-copy: the text that is not copied; absent: the training text of the run")
      ->type_name("FILE");
  add_generate_options(c, a->generate);
}

}  // namespace inkstone::cli
