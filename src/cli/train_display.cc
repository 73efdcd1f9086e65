#include "cli/train_display.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <optional>

#include "base/message.h"
#include "cli/text_json.h"
#include "inkstone/generator.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

// " (1.9021 per character, 1.0131 bits per byte)": a loss by what vocabularies share.
std::string per_text(std::optional<double> nats_per_character,
                     std::optional<double> bits_per_byte) {
  if (!nats_per_character || !bits_per_byte) return "";
  return localized(" ({:.4f} per character, {:.4f} bits per byte)", *nats_per_character,
                   *bits_per_byte);
}

std::string step_text(const StepReport& r) {
  std::string text = localized("step {}/{}  loss {:.4f}", r.step, r.steps, r.loss);
  if (r.val_loss) {
    text += localized("  val loss {:.4f}", *r.val_loss) +
            per_text(r.val_nats_per_character, r.val_bits_per_byte);
  }
  for (const auto& [name, loss] : r.val_losses) text += fmt::format("  {} {:.4f}", name, loss);
  return text + localized("  lr {:.2e}  {:.0f} tokens/s  {:.0f} % of GEMM peak  {} left", r.lr,
                          r.tokens_per_s, 100 * r.gemm_fraction, duration_text(r.seconds_left));
}

// A key for what is known.
void add_if_known(Json& json, const char* key, std::optional<double> value) {
  if (value) json[key] = *value;
}

Json step_json(const StepReport& r) {
  Json json = {{"event", "step"},          {"step", r.step},
               {"steps", r.steps},         {"tokens", r.tokens},
               {"loss", r.loss},           {"lr", r.lr},
               {"grad_norm", r.grad_norm}, {"tokens_per_s", r.tokens_per_s},
               {"elapsed_s", r.elapsed_s}, {"gemm_fraction", r.gemm_fraction}};
  add_if_known(json, "val_loss", r.val_loss);
  if (r.val_loss) json["val_tokens"] = r.val_tokens;
  add_if_known(json, "val_nats_per_character", r.val_nats_per_character);
  add_if_known(json, "val_bits_per_byte", r.val_bits_per_byte);
  for (const auto& [name, loss] : r.val_losses) json["val_loss_" + name] = loss;
  return json;
}

Json end_json(const TrainResult& r) {
  Json json = {{"event", "end"},
               {"step", r.step},
               {"best_step", r.best_step},
               {"checkpoint", r.last_checkpoint.string()},
               {"reason", r.end == TrainResult::End::kDone      ? "done"
                          : r.end == TrainResult::End::kStopped ? "stopped"
                                                                : "early stop"}};
  add_if_known(json, "best_val_loss", r.best_val_loss);
  add_if_known(json, "best_val_nats_per_character", r.best_val_nats_per_character);
  add_if_known(json, "best_val_bits_per_byte", r.best_val_bits_per_byte);
  return json;
}

std::string sample(const Model& model, const Tokenizer& tokenizer, const std::string& prompt) {
  if (prompt.empty() && !tokenizer.begin_of_text()) {
    return translated(marked(
        "(no token begins a text in this vocabulary: --sample-prompt gives a sample its start)"));
  }
  Generator generator(model, tokenizer);
  GenerateOptions options;
  options.max_tokens = 100;
  options.sampling.temperature = 0.8;
  return prompt +
         shown_text(generator.generate(std::vector<std::string>{prompt}, options).front().text);
}

// " --prompt 'In the beginning'"; nothing if there are no words.
std::string prompt_option(const std::string& words) {
  if (words.empty()) return "";
  // "--prompt -x" would be taken for two options.
  return (words.starts_with('-') ? " --prompt=" : " --prompt ") + shell_quoted(words);
}

Message next_commands(const TrainResult& result, const fs::path& run) {
  return message(
      "The model is in {0}. Next:\n  inkstone generate {0}{1}\n  inkstone chat {0}\n"
      "  inkstone train --resume {0} --steps {2}",
      shell_quoted(run.string()), prompt_option(result.first_words), result.step * 2);
}

}  // namespace

TrainObserver TrainDisplay::observer() {
  TrainObserver o;
  o.on_message = [this](const Message& text) { say(text); };
  o.on_records = [this](const RecordFacts& r) {
    event({{"event", "records"},
           {"data", r.name},
           {"records", r.records},
           {"windows", r.windows},
           {"context", r.context},
           {"inputs", r.inputs},
           {"trained_tokens", r.trained_tokens},
           {"prompts_cut", r.prompts_cut},
           {"completions_cut", r.completions_cut},
           {"untrained", r.untrained}});
  };
  o.on_step = [this](const StepReport& r) { on_step(r); };
  o.on_sample = [this](int64_t step, const std::string& text) {
    event({{"event", "sample"}, {"step", step}, {"text", text}});
    say(message("--- sample at step {}\n{}\n---", step, text));
  };
  o.on_checkpoint = [this](const fs::path& path, bool best) {
    event({{"event", "checkpoint"}, {"path", path.string()}, {"best", best}});
  };
  o.stop_requested = [this] { return stop_requested(); };
  o.make_sample = sample;
  return o;
}

void TrainDisplay::say(const Message& text) {
  if (json_) return;
  status_.clear();
  note(text);
}

void TrainDisplay::event(const Json& json) {
  if (!json_ || reader_has_left_) return;
  try {
    print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
  } catch (const BrokenPipe&) {
    reader_has_left_ = true;
  }
}

void TrainDisplay::on_step(const StepReport& r) {
  if (json_) return event(step_json(r));
  if (r.val_loss || r.step == r.steps || !stderr_is_terminal()) {
    say(step_text(r));
  } else {
    status_.show(step_text(r));
  }
}

int TrainDisplay::finish(const TrainResult& result, const fs::path& run) {
  const bool stopped = result.end == TrainResult::End::kStopped;
  event(end_json(result));
  if (stopped) {
    status_.clear();
    note(message(
        "stopped after step {}; everything is saved. Go on with:\n  inkstone train --resume {}",
        result.step, shell_quoted(run.string())));
    return stop_requested() ? kExitInterrupted : kExitDone;  // else it was --stop-at
  }
  if (result.end == TrainResult::End::kEarlyStop) {
    say(message("stopped early at step {}: the validation loss no longer falls", result.step));
  }
  if (result.best_val_loss) {
    say(message("best validation loss {:.4f} nats per token{}, at step {}", *result.best_val_loss,
                per_text(result.best_val_nats_per_character, result.best_val_bits_per_byte),
                result.best_step));
  }
  say(next_commands(result, run));
  return kExitDone;
}

int TrainDisplay::interrupted(const fs::path& run) {
  status_.clear();
  note(message("interrupted; go on with the same command, or with:\n  inkstone train --resume {}",
               shell_quoted(run.string())));
  return kExitInterrupted;
}

}  // namespace inkstone::cli
