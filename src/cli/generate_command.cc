// `inkstone generate`: batch generation.
#include <fmt/format.h>

#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/generate_options.h"
#include "inkstone/generator.h"

namespace inkstone::cli {

void add_generate_options(CLI::App* c, GenerateArguments& a) {
  SamplingOptions& s = a.options.sampling;
  c->add_option("--max-tokens", a.options.max_tokens, "most tokens to write")
      ->check(whole_number(0))
      ->capture_default_str();
  c->add_option("--temperature", s.temperature, "0: always the most probable token")
      ->capture_default_str();
  c->add_option("--top-k", s.top_k, "only the k most probable; 0: all")->capture_default_str();
  c->add_option("--top-p", s.top_p, "only the most probable that together have this probability")
      ->capture_default_str();
  c->add_option("--min-p", s.min_p, "none below this part of the largest probability")
      ->capture_default_str();
  c->add_option("--repetition-penalty", s.repetition_penalty,
                "above 1: tokens that occurred become less probable")
      ->capture_default_str();
  c->add_option("--repetition-window", s.repetition_window,
                "how many last tokens it looks at; 0: all")
      ->capture_default_str();
  c->add_option("--stop", a.options.stop, "end before this text; may be given several times")
      ->take_all();
  c->add_flag("--ignore-eos", a.options.ignore_end_of_text, "write on past the end mark");
  add_seed_option(c, a.seed);
  add_compute_options(c, a.compute);
}

Generator load_generator(const std::string& model, const GenerateArguments& a) {
  const auto folder = find_model_folder(model);
  return Generator(Model::load(folder, load_options(a.compute)), Tokenizer::load(folder));
}

namespace {

struct Arguments {
  GenerateArguments generate;
  std::string model, prompt, prompt_file, prompts_file, output;
  int64_t parallel = 8;
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

// A line is a prompt; a line that is a JSON object has it under "prompt", a JSON string is it.
std::vector<std::string> read_prompts(const std::string& path) {
  std::vector<std::string> prompts;
  std::istringstream lines(read_input(path));
  int64_t number = 0;
  for (std::string line; std::getline(lines, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (line.empty()) continue;
    if (line.front() != '{' && line.front() != '"') {
      prompts.push_back(line);
      continue;
    }
    with_context(fmt::format("'{}', line {}", path, number), [&] {
      const Json json = parse_json(line);
      prompts.push_back(json.is_string() ? json.get<std::string>()
                                         : required(get_string(json, "prompt"), "prompt"));
    });
  }
  if (prompts.empty())
    fail(ErrorCode::kInvalidData, "'{}' has no prompt: one per line is expected", path);
  return prompts;
}

std::vector<std::string> chosen_prompts(const Arguments& a) {
  const int given = !a.prompt.empty() + !a.prompt_file.empty() + !a.prompts_file.empty();
  if (given > 1) fail(ErrorCode::kUsage, "give one of --prompt, --prompt-file and --prompts-file");
  if (!a.prompts_file.empty()) return read_prompts(a.prompts_file);
  if (!a.prompt_file.empty()) return {read_input(a.prompt_file)};
  if (a.prompt == "-") return {read_input("-")};
  return {a.prompt};
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

std::string json_line(const Completion& c, const std::string& prompt, uint64_t seed) {
  return Json{{"prompt", prompt},
              {"prompt_index", c.prompt_index},
              {"sample_index", c.sample_index},
              {"text", c.text},
              {"tokens", c.tokens},
              {"log_probs", c.log_probs},
              {"finish", std::string(finish_name(c.finish))},
              {"seed", seed}}
             .dump(-1, ' ', false, Json::error_handler_t::replace) +
         "\n";
}

void print_speed(const std::vector<Completion>& results, double seconds, uint64_t seed) {
  if (!stderr_is_terminal()) return;
  size_t tokens = 0;
  for (const Completion& c : results) tokens += c.tokens.size();
  note(fmt::format("[{} tokens, {:.1f} tokens/s, seed {}]", tokens,
                   static_cast<double>(tokens) / seconds, seed));
}

int run(const Arguments& a) {
  const auto prompts = chosen_prompts(a);
  validate(a.generate.options.sampling);
  Generator generator = load_generator(a.model, a.generate);
  GenerateOptions options = a.generate.options;
  options.seed = a.generate.seed.value_or(random_seed());
  Output output(a.output);
  const InterruptFlag interrupt;
  options.stop_requested = [&] { return interrupt.raised(); };
  const bool stream = prompts.size() == 1 && options.samples == 1 && !a.json;
  if (stream && !a.completion_only) output.write(prompts[0]);
  const auto begin = std::chrono::steady_clock::now();
  const auto results = generator.generate(
      prompts, options,
      [&](size_t, int64_t, std::string_view text) {
        if (stream) output.write(text);
        return !interrupt.raised();
      },
      a.parallel);
  const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin)
                             .count();
  if (stream) output.write("\n");
  for (const Completion& c : results) {
    if (stream) break;
    const std::string& prompt = prompts[c.prompt_index];
    if (a.json) {
      output.write(json_line(c, prompt, options.seed));
    } else {
      output.write(
          fmt::format("=== prompt {}, sample {}\n", c.prompt_index + 1, c.sample_index + 1));
      output.write((a.completion_only ? "" : prompt) + c.text + "\n");
    }
  }
  output.commit();
  print_speed(results, seconds, options.seed);
  return interrupt.raised() ? kExitInterrupted : kExitDone;
}

}  // namespace

void add_generate_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(
      app, selection, "generate", "Write text with a model, until its end mark or a limit",
      "  inkstone generate run --prompt 'Once upon a time' --temperature 0.8 --top-k 50\n"
      "  inkstone generate run --prompts-file prompts.txt -n 3 --json > completions.jsonl",
      [a] { return run(*a); });
  c->add_option("MODEL", a->model, "model or run folder")->required();
  c->add_option("--prompt", a->prompt,
                "text to continue; - reads it from standard input; empty: a new document");
  c->add_option("--prompt-file", a->prompt_file, "file whose whole text is the prompt");
  c->add_option("--prompts-file", a->prompts_file,
                "file with a prompt per line, or JSON lines with \"prompt\"");
  c->add_option("-n,--samples", a->generate.options.samples, "continuations of each prompt")
      ->check(whole_number(1, 1'000'000))
      ->capture_default_str();
  c->add_option("--parallel", a->parallel,
                "sequences written at once; the text does not depend on it")
      ->check(whole_number(1, 4096))
      ->capture_default_str();
  c->add_option("-o,--output", a->output, "write to this file instead of standard output");
  c->add_flag("--completion-only", a->completion_only, "do not repeat the prompt");
  c->add_flag("--json", a->json, "one JSON object per completion");
  add_generate_options(c, a->generate);
}

}  // namespace inkstone::cli
