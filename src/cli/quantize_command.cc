// `inkstone quantize`: a model in fewer bits, as a GGUF file.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/reading_options.h"
#include "corpus/read/read_text.h"
#include "inkstone/quantize.h"

namespace inkstone::cli {
namespace {

struct QuantizeArguments {
  std::string model, output, type = "q4_k_m", importance, eval, adapter;
  int64_t window = 512;
  bool json = false;
  ReadingArguments reading;
};

// Progress of one part of the work, drawn over.
class Progress {
 public:
  explicit Progress(const Message& what) : what_(what) {}

  void show(int64_t done, int64_t all) {
    const double seconds = seconds_now() - begin_;
    const double left = seconds / static_cast<double>(done) * static_cast<double>(all - done);
    line_.show(localized("{}: {:.0f} %, {} left", what_,
                         100 * static_cast<double>(done) / static_cast<double>(all),
                         duration_text(left)));
  }
  std::function<void(int64_t, int64_t)> callback() {
    return [this](int64_t done, int64_t all) { show(done, all); };
  }

 private:
  Message what_;
  double begin_ = seconds_now();
  StatusLine line_;
};

// The tokens of a text file, each document with its end mark.
std::vector<TokenId> tokens_of(const QuantizeArguments& a, const Tokenizer& tokenizer,
                               const std::string& file) {
  std::vector<TokenId> tokens;
  ReadDocuments read = read_documents(file, a.reading.read_options());
  note_sources(read.notes.sources);
  for (const std::string& text : read.documents) {
    const auto ids = tokenizer.encode(text);
    tokens.insert(tokens.end(), ids.begin(), ids.end());
    if (tokenizer.end_of_text()) tokens.push_back(*tokenizer.end_of_text());
  }
  if (tokens.empty()) fail(ErrorCode::kInvalidData, "'{}' has no text", file);
  return tokens;
}

// Tensors and bytes of each type, in the order in which they first appear.
struct Summary {
  struct Of {
    std::string type;
    int64_t tensors = 0, bytes = 0;
  };
  std::vector<Of> types;
  int64_t bytes = 0;

  explicit Summary(const std::vector<QuantizedTensor>& tensors) {
    for (const QuantizedTensor& tensor : tensors) {
      auto at = std::ranges::find(types, tensor.type, &Of::type);
      if (at == types.end()) at = types.insert(types.end(), {tensor.type});
      ++at->tensors;
      at->bytes += tensor.bytes;
      bytes += tensor.bytes;
    }
  }
};

Json comparison_json(const ModelComparison& c) {
  return {{"tokens", c.tokens},
          {"perplexity_before", std::exp(c.loss)},
          {"perplexity", std::exp(c.other_loss)},
          {"kl_divergence", c.divergence},
          {"same_top", c.same_top}};
}

std::string comparison_text(const ModelComparison& c) {
  return localized(
      "perplexity {:.4f}, before {:.4f} ({:+.2f} %), of {} tokens; KL divergence {:.5f} nats; the "
      "same likeliest token in {:.2f} %\n",
      std::exp(c.other_loss), std::exp(c.loss), 100 * (std::exp(c.other_loss - c.loss) - 1),
      c.tokens, c.divergence, 100 * c.same_top);
}

// What the model was before, opened before anything is written: the output may be the same file.
struct TextEvaluation {
  std::vector<TokenId> tokens;
  Model before;

  TextEvaluation(const QuantizeArguments& a, const Tokenizer& tokenizer)
      : tokens(tokens_of(a, tokenizer, a.eval)),
        before(Model::load(a.model, {.runtime = make_runtime(), .adapter = a.adapter})) {
    const int64_t window = std::min(a.window, before.config().context);
    if (static_cast<int64_t>(tokens.size()) < window) {
      fail(ErrorCode::kUsage, "'{}' has {} tokens, expected at least a window of {}", a.eval,
           tokens.size(), window);
    }
  }
  ModelComparison compare(const QuantizeArguments& a) const {
    Progress progress(marked("comparing"));
    return compare_models(before, Model::load(a.output, {.runtime = make_runtime()}), tokens,
                          a.window, progress.callback());
  }
};

std::vector<QuantizedTensor> write(const QuantizeArguments& a, const Tokenizer& tokenizer) {
  QuantizeOptions options{.type = a.type, .adapter = a.adapter, .runtime = make_runtime()};
  options.on_message = [](const Message& text) { note(message("inkstone: note: {}", text)); };
  if (!a.importance.empty()) options.importance = tokens_of(a, tokenizer, a.importance);
  std::optional<Progress> progress;
  const auto showing = [&](const char* what) {
    return [&progress, what](int64_t done, int64_t all) {
      if (!progress) progress.emplace(what);
      progress->show(done, all);
      if (done == all) progress.reset();
    };
  };
  options.on_importance = showing(marked("reading the importance text"));
  options.on_progress = showing(marked("quantizing"));
  return quantize(a.model, a.output, options);
}

void print_summary(const QuantizeArguments& a, const Summary& summary) {
  print(localized("{}: {:.1f} MB\n", a.output, static_cast<double>(summary.bytes) / 1e6));
  for (const Summary::Of& of : summary.types) {
    print(localized("  {:<7} {:>4} tensors {:>9.1f} MB\n", of.type, of.tensors,
                    static_cast<double>(of.bytes) / 1e6));
  }
}

int run_quantize(const QuantizeArguments& a) {
  const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(a.model, a.adapter));
  std::optional<TextEvaluation> evaluation;
  if (!a.eval.empty()) evaluation.emplace(a, tokenizer);
  const auto tensors = write(a, tokenizer);
  const Summary summary(tensors);
  if (!a.json) print_summary(a, summary);
  Json json = {{"output", a.output}, {"type", a.type}, {"bytes", summary.bytes}};
  for (const QuantizedTensor& t : tensors)
    json["tensors"].push_back({{"name", t.name}, {"type", t.type}, {"bytes", t.bytes}});
  if (evaluation) {
    const ModelComparison comparison = evaluation->compare(a);
    if (!a.json) print(comparison_text(comparison));
    json["eval"] = comparison_json(comparison);
  }
  if (a.json) print(json.dump() + "\n");
  return kExitDone;
}

}  // namespace

void add_quantize_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<QuantizeArguments>();
  CLI::App* c = add_command(
      app, selection, "quantize", "Make a GGUF file with weights in fewer bits",
      marked("  inkstone quantize run -o small.gguf --type q4_k_m --eval book.txt\n"
             "  inkstone generate small.gguf --prompt 'In the beginning'"),
      [a] { return run_quantize(*a); });
  c->add_option("MODEL", a->model, "model folder, run folder or .gguf file")->required();
  c->add_option("-o,--output", a->output, "the GGUF file, which llama.cpp reads too")
      ->required()
      ->type_name("FILE");
  c->add_option("--type", a->type,
                "of most matrices, or a mixture by llama.cpp's name; the smaller, the less exact")
      ->check(one_of(quantize_types()))
      ->capture_default_str();
  c->add_option("--importance", a->importance,
                "text like the one the model will read: weights count by how large the numbers are "
                "that they meet there")
      ->type_name("TEXT");
  c->add_option("--eval", a->eval,
                "text on which the model is compared with what it was before: perplexity, KL "
                "divergence, share of equal likeliest tokens")
      ->type_name("TEXT");
  c->add_option("--window", a->window, "of --eval: tokens of a window, whose second half counts")
      ->check(whole_number(4, int64_t{1} << 20))
      ->capture_default_str();
  add_adapter_option(c, a->adapter);
  add_reading_options(c, a->reading);
  c->add_flag("--json", a->json, "print a JSON object");
}

}  // namespace inkstone::cli
