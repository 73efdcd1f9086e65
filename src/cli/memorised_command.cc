// `inkstone memorised`: what a model has learnt by heart.
#include <fmt/format.h>

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/memorised.h"
#include "cli/reading_options.h"

namespace inkstone::cli {
namespace {

struct MemorisedArguments {
  ComputeArguments compute;
  ReadingArguments reading;
  MemorisedOptions options;
  std::string model, text, held_out;
  std::optional<uint64_t> seed;
  bool json = false;
};

struct Texts {
  TokenText training, held_out;
};

Texts find_texts(const MemorisedArguments& a, const Generator& generator) {
  if (a.text.empty()) {
    if (!a.held_out.empty())
      fail(ErrorCode::kUsage, "--held-out goes with --text: a run has validation text of its own");
    const auto folders = data_of_run(a.model, "--text");
    const int64_t ids = generator.model().config().vocab_size;
    return {TokenText(folders, "train", ids), TokenText(folders, "val", ids)};
  }
  const ReadOptions read = a.reading.read_options();
  Texts texts{TokenText(a.text, read, generator.tokenizer()), {}};
  if (!a.held_out.empty()) texts.held_out = TokenText(a.held_out, read, generator.tokenizer());
  return texts;
}

int64_t median(std::vector<int64_t> values) {
  if (values.empty()) return 0;
  std::ranges::sort(values);
  return values[values.size() / 2];
}

int64_t largest(const std::vector<int64_t>& values) {
  return values.empty() ? 0 : *std::ranges::max_element(values);
}

double mean(const std::vector<int64_t>& values) {
  const int64_t sum = std::accumulate(values.begin(), values.end(), int64_t{0});
  return values.empty() ? 0 : static_cast<double>(sum) / static_cast<double>(values.size());
}

int64_t whole(const CopiedParts& parts, int64_t continuation) {
  return std::ranges::count(parts.equal_tokens, continuation);
}

Json parts_json(const CopiedParts& parts) {
  return {{"count", parts.bytes.size()},
          {"median_bytes", median(parts.bytes)},
          {"longest_bytes", largest(parts.bytes)},
          {"median_tokens", median(parts.tokens)},
          {"longest_tokens", largest(parts.tokens)},
          {"longest_text", replace_invalid_utf8(parts.longest)}};
}

Json continued_json(const CopiedParts& parts, int64_t continuation) {
  Json json = parts_json(parts);
  json["word_for_word"] = whole(parts, continuation);
  json["mean_equal_tokens"] = mean(parts.equal_tokens);
  return json;
}

Json report_json(const MemorisedReport& r) {
  return {{"training_tokens", r.training_tokens},
          {"held_out_tokens", r.held_out_tokens},
          {"samples", parts_json(r.samples)},
          {"held_out", parts_json(r.held_out)},
          {"continuation_tokens", r.continuation},
          {"continued", continued_json(r.continued, r.continuation)},
          {"continued_held_out", continued_json(r.continued_held_out, r.continuation)}};
}

void print_parts(const char* what, const CopiedParts& parts) {
  if (parts.bytes.empty()) return;
  print(localized("  {:>4} {}: median {} bytes ({} tokens), longest {} bytes ({} tokens)\n",
                  parts.bytes.size(), translated(what), median(parts.bytes), median(parts.tokens),
                  largest(parts.bytes), largest(parts.tokens)));
}

void print_continued(const char* what, const CopiedParts& parts, int64_t continuation) {
  if (parts.equal_tokens.empty()) return;
  print(localized("  {}: {} of {} to the end, {:.1f} tokens on average\n", translated(what),
                  whole(parts, continuation), parts.equal_tokens.size(), mean(parts.equal_tokens)));
}

void print_longest(const CopiedParts& parts) {
  if (parts.longest.empty()) return;
  print(localized("The longest part of a sample that stands in the training text: {}\n",
                  Json(parts.longest).dump(-1, ' ', false, Json::error_handler_t::replace)));
}

void print_report(const MemorisedReport& r) {
  print(localized("training text of {} tokens, held-out text of {}\n", r.training_tokens,
                  r.held_out_tokens));
  print(localized("The longest part that stands in the training text word for word:\n"));
  print_parts(marked("samples"), r.samples);
  print_parts(marked("passages of held-out text"), r.held_out);
  print_parts(marked("continuations of training text"), r.continued);
  print_parts(marked("continuations of held-out text"), r.continued_held_out);
  print(localized("Continued as the text itself goes on, of {} tokens:\n", r.continuation));
  print_continued(marked("places of the training text"), r.continued, r.continuation);
  print_continued(marked("places of held-out text"), r.continued_held_out, r.continuation);
  print_longest(r.samples);
}

int run_memorised(const MemorisedArguments& a) {
  Generator generator(Model::load(a.model, load_options(a.compute)),
                      Tokenizer::load(find_tokenizer(a.model, a.compute.adapter)));
  const Texts texts = find_texts(a, generator);
  MemorisedOptions options = a.options;
  options.seed = a.seed.value_or(options.seed);
  StatusLine line;
  const MemorisedReport report = measure_memorised(
      generator, texts.training, texts.held_out, options, [&](int64_t done, int64_t all) {
        line.show(localized("searching the training text: {:.0f} %",
                            100 * static_cast<double>(done) / static_cast<double>(all)));
      });
  line.clear();
  if (texts.held_out.count() == 0)
    note(marked("inkstone: note: there is no held-out text to compare with"));
  if (a.json) {
    print(report_json(report).dump() + "\n");
  } else {
    print_report(report);
  }
  return kExitDone;
}

}  // namespace

void add_memorised_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<MemorisedArguments>();
  CLI::App* c = add_command(
      app, selection, "memorised", "How much of what a model writes stands in its training text",
      marked("  inkstone memorised run\n"
             "  inkstone memorised model --text book.txt --held-out other.txt\n"
             "Compares with held-out text, which shares some passages with any other text: what\n"
             "counts is how far above it the samples are."),
      [a] { return run_memorised(*a); });
  c->add_option("MODEL", a->model, "model or run folder")->required();
  c->add_option("--text", a->text, "the training text; absent: the data of the run")
      ->type_name("FILE");
  c->add_option("--held-out", a->held_out, "like it, and not trained on")->type_name("FILE");
  c->add_option("--samples", a->options.samples, "texts that are written from nothing")
      ->check(whole_number(1, 100'000))
      ->capture_default_str();
  c->add_option("--sample-tokens", a->options.sample_tokens, "most tokens of a sample")
      ->check(whole_number(1, 1'000'000))
      ->capture_default_str();
  c->add_option("--places", a->options.places, "places of either text that are continued")
      ->check(whole_number(1, 100'000))
      ->capture_default_str();
  c->add_option("--prefix", a->options.prefix, "tokens of a place that the model is given")
      ->check(whole_number(1, 1'000'000))
      ->capture_default_str();
  c->add_option("--continuation", a->options.continuation,
                "tokens that it writes there, always the most probable one")
      ->check(whole_number(1, 1'000'000))
      ->capture_default_str();
  add_seed_option(c, a->seed);
  add_compute_options(c, a->compute);
  add_reading_options(c, a->reading);
  c->add_flag("--json", a->json, "print a JSON object");
}

}  // namespace inkstone::cli
