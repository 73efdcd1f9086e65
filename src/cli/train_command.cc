// `inkstone train` and `inkstone finetune`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <limits>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "corpus/load/batch_loader.h"
#include "formats/hf_config.h"
#include "inkstone/generator.h"
#include "inkstone/trainer.h"
#include "train/options.h"

namespace inkstone::cli {
namespace {

struct Arguments {
  TrainOptions options;
  std::vector<std::string> data;
  std::string run, init, resume, model, schedule = "cosine", dtype = "f32", device = "cpu";
  int64_t steps = 0, layers = 0, heads = 0, width = 0, context = 0;
  double min_lr = -1;
  int64_t warmup = -1;
  bool fall_back = false, json = false, finetune = false;
};

// A preset by the amount of text: more parameters than the text can teach only memorise it.
std::string preset_for(int64_t tokens) {
  if (tokens < 200'000) return "gpt-micro";
  if (tokens < 3'000'000) return "gpt-mini";
  if (tokens < 100'000'000) return "gpt-baby";
  return "gpt2";
}

int64_t training_tokens(const Arguments& a) {
  int64_t tokens = 0;
  for (const std::string& folder : a.data) tokens += TokenStream(folder, "train").count();
  return tokens;
}

ModelConfig chosen_model(const Arguments& a) {
  std::string name = a.model;
  const bool sizes_given = a.layers > 0 || a.heads > 0 || a.width > 0 || a.context > 0;
  const bool all_sizes_given = a.layers > 0 && a.heads > 0 && a.width > 0 && a.context > 0;
  if (name.empty()) {
    const int64_t tokens = training_tokens(a);
    name = preset_for(tokens);
    if (!all_sizes_given) {
      note(fmt::format("no --model given: {} suits {} training tokens{}", name, tokens,
                       sizes_given ? ", with the sizes that you gave" : ""));
    }
  }
  const auto base = preset(name);
  if (!base) {
    fail(ErrorCode::kUsage, "--model is '{}', expected one of {}", name,
         fmt::join(preset_names(), ", "));
  }
  ModelConfig config = *base;
  if (a.layers > 0) config.layers = a.layers;
  if (a.width > 0) config.width = a.width;
  if (a.heads > 0) config.heads = a.heads;
  if (a.context > 0) config.context = a.context;
  return config;
}

// Fine-tuning: about three epochs, but at least 20 steps.
int64_t finetune_steps(const Arguments& a) {
  const int64_t tokens = training_tokens(a);
  const int64_t context = a.context > 0
                              ? a.context
                              : read_hf_config(find_model_folder(a.init) / "config.json").context;
  const int64_t per_step = a.options.batch * a.options.accumulate *
                           std::min(context, std::max<int64_t>(1, tokens - 1));
  return std::max<int64_t>(20, 3 * tokens / per_step);
}

TrainOptions resolve(const Arguments& a) {
  TrainOptions o = a.options;
  o.data.assign(a.data.begin(), a.data.end());
  o.run = a.run;
  o.init = a.init;
  o.schedule = parse_schedule(a.schedule);
  o.runtime = make_runtime(a.device);
  o.compute = a.dtype == "bf16" ? ComputeType::kBF16 : ComputeType::kF32;
  if (a.steps > 0) o.steps = a.steps;
  if (a.finetune && a.steps == 0) o.steps = finetune_steps(a);
  o.min_lr = a.min_lr >= 0 ? a.min_lr : o.lr / 10;
  o.warmup = a.warmup >= 0 ? a.warmup : std::min<int64_t>(100, o.steps / 10);
  // The model has its own: this one is the training window.
  if (!o.init.empty()) o.context = a.context;
  validate(o);
  if (o.init.empty()) o.model = chosen_model(a);
  return o;
}

std::string step_text(const StepReport& r) {
  std::string text = fmt::format("step {}/{}  loss {:.4f}", r.step, r.steps, r.loss);
  if (r.val_loss) text += fmt::format("  val loss {:.4f}", *r.val_loss);
  for (const auto& [name, loss] : r.val_losses) text += fmt::format("  {} {:.4f}", name, loss);
  return text + fmt::format("  lr {:.2e}  {:.0f} tokens/s  {:.0f} % of GEMM peak  {} left", r.lr,
                            r.tokens_per_s, 100 * r.gemm_fraction, duration_text(r.seconds_left));
}

Json step_json(const StepReport& r) {
  Json json = {{"event", "step"},
               {"step", r.step},
               {"steps", r.steps},
               {"loss", r.loss},
               {"lr", r.lr},
               {"grad_norm", r.grad_norm},
               {"tokens_per_s", r.tokens_per_s},
               {"elapsed_s", r.elapsed_s},
               {"gemm_fraction", r.gemm_fraction}};
  if (r.val_loss) json["val_loss"] = *r.val_loss;
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
  if (r.best_val_loss) json["best_val_loss"] = *r.best_val_loss;
  return json;
}

// Shows a run's events: people get a status line and a line per evaluation, machines JSON lines.
class Display {
 public:
  Display(bool json, std::string data) : json_(json), data_(std::move(data)) {}

  TrainObserver observer() {
    TrainObserver o;
    o.on_message = [this](const std::string& text) {
      if (!json_) permanent(text);
    };
    o.on_step = [this](const StepReport& r) { on_step(r); };
    o.on_sample = [this](int64_t step, const std::string& text) {
      if (json_) return print_json({{"event", "sample"}, {"step", step}, {"text", text}});
      permanent(fmt::format("--- sample at step {}\n{}\n---", step, text));
    };
    o.on_checkpoint = [this](const std::filesystem::path& path, bool best) {
      if (json_) print_json({{"event", "checkpoint"}, {"path", path.string()}, {"best", best}});
    };
    o.stop_requested = [this] { return interrupt_.raised() || reader_has_left_; };
    o.make_sample = [this](const Model& model, const std::string& prompt) {
      return sample(model, prompt);
    };
    return o;
  }

  // After the run. Returns the exit status.
  int finish(const TrainResult& result, const std::string& run) {
    const bool stopped = result.end == TrainResult::End::kStopped;
    if (json_) print_json(end_json(result));
    if (json_ && !stopped) return kExitDone;
    const std::string quoted = shell_quoted(run);
    if (stopped) {
      permanent(fmt::format(
          "stopped after step {}; everything is saved. Go on with:\n  inkstone train --resume {}",
          result.step, quoted));
      return kExitInterrupted;
    }
    if (result.end == TrainResult::End::kEarlyStop) {
      permanent(fmt::format("stopped early at step {}: the validation loss no longer falls",
                            result.step));
    }
    if (result.best_val_loss) {
      permanent(fmt::format("best validation loss {:.4f} nats per token, at step {}",
                            *result.best_val_loss, result.best_step));
    }
    permanent(fmt::format(
        "The model is in {0}. Next:\n  inkstone generate {0} --prompt 'Once'\n  inkstone chat {0}\n"
        "  inkstone train --resume {0} --steps {1}",
        quoted, result.step * 2));
    return kExitDone;
  }

 private:
  void permanent(const std::string& text) {
    status_.clear();
    note(text);
  }

  // A reader that left ends the run as Ctrl-C does: with a checkpoint.
  void print_json(const Json& json) {
    try {
      if (!reader_has_left_)
        print(json.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n");
    } catch (const BrokenPipe&) {
      reader_has_left_ = true;
    }
  }

  void on_step(const StepReport& r) {
    if (json_) return print_json(step_json(r));
    if (r.val_loss || r.step == r.steps || !stderr_is_terminal()) {
      permanent(step_text(r));
    } else {
      status_.show(step_text(r));
    }
  }

  std::string sample(const Model& model, const std::string& prompt) const {
    Generator generator(model, Tokenizer::load(data_));
    GenerateOptions options;
    options.max_tokens = 100;
    options.sampling.temperature = 0.8;
    return prompt + generator.generate(std::vector<std::string>{prompt}, options).front().text;
  }

  bool json_;
  std::string data_;
  bool reader_has_left_ = false;
  StatusLine status_;
  InterruptFlag interrupt_;
};

// A data folder of a run, for its tokenizer; empty if it cannot be told: resume() then says what is
// wrong.
std::string data_of_run(const std::filesystem::path& run) {
  const std::filesystem::path description = run / "run.json";
  if (!std::filesystem::exists(description)) return {};
  const Json json = read_json(description);
  if (!json.contains("options")) return {};
  const auto folders = data_folders_from_json(json["options"]);
  return folders.empty() ? "" : folders.front().string();
}

int run_train(const Arguments& a) {
  const TrainOptions options = resolve(a);
  Display display(a.json, a.data.front());
  return display.finish(train(options, display.observer()), a.run);
}

int run_resume(const Arguments& a) {
  Display display(a.json, data_of_run(a.resume));
  ResumeOptions options{.run = a.resume,
                        .fall_back = a.fall_back,
                        .steps = std::nullopt,
                        .threads = make_runtime().threads()};
  if (a.steps > 0) options.steps = a.steps;
  return display.finish(resume(options, display.observer()), a.resume);
}

void add_optimiser_options(CLI::App* c, Arguments& a) {
  TrainOptions& o = a.options;
  c->add_option("--lr", o.lr, "largest learning rate")->capture_default_str();
  c->add_option("--min-lr", a.min_lr, "learning rate at the end (a tenth of --lr)");
  c->add_option("--schedule", a.schedule, "after the warm-up")
      ->check(CLI::IsMember({"cosine", "linear", "constant", "wsd"}))
      ->capture_default_str();
  c->add_option("--warmup", a.warmup, "steps of linear warm-up (100, or a tenth of --steps)")
      ->check(whole_number(0));
  c->add_option("--decay-fraction", o.decay_fraction, "of wsd: the part of the steps that decays")
      ->capture_default_str();
  c->add_option("--weight-decay", o.weight_decay, "of matrices")->capture_default_str();
  c->add_option("--beta1", o.beta1, "AdamW's decay of the mean gradient")->capture_default_str();
  c->add_option("--beta2", o.beta2, "AdamW's decay of the mean squared gradient")
      ->capture_default_str();
  c->add_option("--clip", o.clip, "largest gradient norm; 0: no clipping")->capture_default_str();
  c->add_option("--dropout", o.dropout, "probability that an activation is dropped")
      ->capture_default_str();
  c->add_option("--mask-rate", o.mask_rate,
                "probability that an input token is replaced by a random one")
      ->capture_default_str();
}

void add_report_options(CLI::App* c, Arguments& a) {
  TrainOptions& o = a.options;
  c->add_option("--eval-every", o.eval_every, "steps between validations; 0: only at the end")
      ->check(whole_number(0))
      ->capture_default_str();
  c->add_option("--eval-tokens", o.eval_tokens,
                "validation tokens per evaluation; 0: all, at most 2^20")
      ->check(whole_number(0))
      ->capture_default_str();
  c->add_option("--sample-every", o.sample_every, "steps between samples; 0: never")
      ->check(whole_number(0))
      ->capture_default_str();
  c->add_option("--sample-prompt", o.sample_prompt, "text that the samples continue");
  c->add_option("--save-every", o.save_every, "steps between checkpoints")
      ->check(whole_number(1))
      ->capture_default_str();
  c->add_option("--keep", o.keep, "latest checkpoints kept, besides the best")
      ->check(whole_number(1))
      ->capture_default_str();
  c->add_option("--patience", o.patience,
                "stop after so many evaluations without improvement; 0: never")
      ->check(whole_number(0))
      ->capture_default_str();
  c->add_option("--log-every", o.log_every, "steps between reports")
      ->check(whole_number(1))
      ->capture_default_str();
  c->add_flag("--json", a.json, "print JSON lines");
}

// Returns --data, which takes one folder each time: a positional argument may follow it.
CLI::Option* add_data_options(CLI::App* c, Arguments& a) {
  CLI::Option* data = c->add_option("--data", a.data,
                                    "folder that `inkstone prepare` wrote; can be repeated");
  data->type_name("DIR")->allow_extra_args(false);
  c->add_option("--weights", a.options.weights,
                "with several --data: the part of the windows of each, as 0.7,0.3 (every token "
                "equally often)")
      ->delimiter(',')
      ->type_name("W,W,...")
      ->allow_extra_args(false);
  c->add_flag("--align-documents", a.options.align_documents,
              "begin training windows where documents begin");
  return data;
}

// What `train` and `finetune` share.
void add_training_options(CLI::App* c, Arguments& a) {
  TrainOptions& o = a.options;
  c->add_option("--steps", a.steps,
                a.finetune ? "optimiser steps (three epochs, at least 20)"
                           : fmt::format("optimiser steps ({})", o.steps))
      ->check(whole_number(1))
      ->type_name("N");
  c->add_option("--batch", o.batch, "sequences per micro-batch")
      ->check(whole_number(1))
      ->capture_default_str();
  c->add_option("--accumulate", o.accumulate, "micro-batches per step")
      ->check(whole_number(1))
      ->capture_default_str();
  add_optimiser_options(c, a);
  c->add_option("--dtype", a.dtype, "f32, or bf16: mixed precision with float32 master weights")
      ->check(CLI::IsMember({"f32", "bf16"}))
      ->capture_default_str();
  c->add_option("--device", a.device, "cpu or cuda")->capture_default_str();
  c->add_option("--seed", o.seed, "of the initial weights, the order of the data and dropout")
      ->check(whole_number(0, std::numeric_limits<int64_t>::max()))
      ->capture_default_str();
  add_report_options(c, a);
}

// With --resume, what the run was started with holds; only these may come along.
void refuse_with_resume(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || name == "resume" || name == "fall-back" || name == "steps" ||
        name == "json" || name == "threads") {
      continue;
    }
    fail(ErrorCode::kUsage,
         "--{} cannot be changed with --resume: the run goes on as it began. Start a new run with "
         "--init for that",
         name);
  }
}

int run_train_command(const Arguments& a, const CLI::App& command) {
  if (!a.resume.empty()) {
    refuse_with_resume(command);
    return run_resume(a);
  }
  if (a.fall_back) fail(ErrorCode::kUsage, "--fall-back goes with --resume");
  if (a.data.empty())
    fail(ErrorCode::kUsage, "--data DIR is missing: a folder that `inkstone prepare` wrote");
  if (a.run.empty()) fail(ErrorCode::kUsage, "-o RUN is missing: the folder for the run");
  if (!a.init.empty() && (!a.model.empty() || a.layers > 0 || a.heads > 0 || a.width > 0)) {
    fail(ErrorCode::kUsage,
         "--init brings its own model: --model, --layers, --heads and --width have no meaning with "
         "it; leave them out");
  }
  return run_train(a);
}

}  // namespace

void add_train_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(
      app, selection, "train", "Train a GPT-2, from scratch, from a model, or from a checkpoint",
      "  inkstone train --data data -o run\n"
      "  inkstone train --data data -o run --model gpt-baby --steps 5000 --dropout 0.2\n"
      "  inkstone train --resume run",
      [] { return kExitDone; });
  add_data_options(c, *a);
  c->add_option("-o,--output", a->run, "folder for the run; must be absent or empty")
      ->type_name("RUN");
  c->add_option("--resume", a->resume, "run folder to go on with")->type_name("RUN");
  c->add_flag("--fall-back", a->fall_back,
              "with --resume: use the newest intact checkpoint if the last is damaged");
  c->add_option("--init", a->init, "model folder to start from");
  c->add_option("--model", a->model,
                fmt::format("shape by name: {}", fmt::join(preset_names(), ", ")));
  c->add_option("--layers", a->layers)->check(CLI::Range(1, 1000));
  c->add_option("--heads", a->heads)->check(CLI::Range(1, 1024));
  c->add_option("--width", a->width)->check(CLI::Range(1, 65536));
  c->add_option("--context", a->context)->check(CLI::Range(1, 1 << 20));
  add_training_options(c, *a);
  c->callback([a, c, &selection] { selection.run = [a, c] { return run_train_command(*a, *c); }; });
}

void add_finetune_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<Arguments>();
  a->finetune = true;
  a->options.lr = 3e-5;
  a->options.batch = 8;
  a->options.dropout = 0.1;
  a->options.eval_every = 20;
  a->options.save_every = 100;
  a->options.patience = 5;
  CLI::App* c = add_command(
      app, selection, "finetune", "Train a model further on other text, at a small learning rate",
      "  inkstone finetune gpt2 --data letters -o tuned\n\n"
      "The data must be prepared with the model's own tokenizer: prepare --tokenizer MODEL.",
      [a] { return run_train(*a); });
  c->add_option("MODEL", a->init, "model or run folder")->required();
  add_data_options(c, *a)->required();
  c->add_option("-o,--output", a->run, "folder for the run; must be absent or empty")
      ->required()
      ->type_name("RUN");
  c->add_option("--context", a->context, "training window; 0: the model's context")
      ->check(whole_number(0, 1 << 20))
      ->capture_default_str();
  add_training_options(c, *a);
}

}  // namespace inkstone::cli
