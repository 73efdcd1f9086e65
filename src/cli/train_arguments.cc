#include "cli/train_arguments.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <utility>

#include "base/error.h"
#include "cli/command.h"
#include "cli/table_options.h"
#include "train/training_options.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

constexpr int64_t kMostMinutes = 10'000'000;  // 19 years

// A preset by the amount of text: more parameters than the text can teach only memorise it.
std::string preset_for(int64_t tokens) {
  if (tokens < 200'000) return "gpt-micro";
  if (tokens < 3'000'000) return "gpt-mini";
  if (tokens < 100'000'000) return "gpt-baby";
  return "gpt2";
}

ModelConfig model_by_name(const std::string& name) {
  const auto config = preset(name);
  if (config) return *config;
  fail(ErrorCode::kUsage, "--model is '{}', expected one of {}", name,
       fmt::join(preset_names(), ", "));
}

ModelConfig chosen_model(const TrainArguments& a, const std::vector<fs::path>& data) {
  if (!a.model.empty()) return model_by_name(a.model);
  const bool sizes_given = a.layers > 0 || a.heads > 0 || a.width > 0 || a.context > 0;
  const bool all_sizes_given = a.layers > 0 && a.heads > 0 && a.width > 0 && a.context > 0;
  const int64_t tokens = count_training_tokens(data);
  const std::string name = preset_for(tokens);
  if (!all_sizes_given) {
    note(sizes_given ? message("no --model given: {} suits {} training tokens, with the sizes that "
                               "you gave",
                               name, tokens)
                     : message("no --model given: {} suits {} training tokens", name, tokens));
  }
  return model_by_name(name);
}

// The sizes that were given in place of the model's.
ModelConfig with_sizes(ModelConfig config, const TrainArguments& a) {
  if (a.layers > 0) config.layers = a.layers;
  if (a.width > 0) config.width = a.width;
  if (a.heads > 0) config.heads = a.heads;
  if (a.context > 0) config.context = a.context;
  return config;
}

bool is_given(const CLI::App& command, const char* option) { return command.count(option) > 0; }

// Muon's own defaults, where nothing was given. A trained model keeps its small rate.
void set_muons_defaults(TrainOptions& o, const TrainArguments& a, const CLI::App& command) {
  const auto unless_given = [&](const char* option, auto& value, auto own) {
    if (a.init.empty() && !is_given(command, option)) value = own;
  };
  unless_given("--lr", o.lr, 8e-3);
  unless_given("--beta1", o.beta1, 0.8);
  unless_given("--schedule", o.schedule, Schedule::kWsd);
  unless_given("--decay-fraction", o.decay_fraction, 0.6);
}

// The learning rates that follow from the largest.
void set_lower_rates(TrainOptions& o, const CLI::App& command) {
  if (!is_given(command, "--muon-lr")) o.muon_lr = 2.5 * o.lr;
  if (!is_given(command, "--min-lr")) o.min_lr = o.lr / 10;
}

void set_finetunes_lr(TrainOptions& o, const TrainArguments& a, const CLI::App& command) {
  if (!a.finetune || is_given(command, "--lr")) return;
  o.lr = finetune_lr(o);
  set_lower_rates(o, command);
}

int64_t default_warmup(int64_t steps) { return std::min<int64_t>(100, steps / 10); }

// What the arguments say by themselves, but the model's shape.
TrainOptions plain_options(const TrainArguments& a, const CLI::App& command,
                           const std::vector<fs::path>& data) {
  TrainOptions o = a.options;
  o.data = data;
  o.run = a.run;
  o.init = a.init;
  o.init_adapter = a.adapter;
  if (o.optimizer == OptimizerKind::kMuon) set_muons_defaults(o, a, command);
  set_lower_rates(o, command);
  o.runtime = make_runtime(a.device);
  // The model has its own: this one is the training window.
  if (!a.finetune && !o.init.empty()) o.context = a.context;
  if (!is_given(command, "--warmup")) o.warmup = default_warmup(o.steps);
  return o;
}

// What the recipe says where nothing else was given.
TrainOptions with_recipe(TrainOptions o, const Recipe& r, const TrainArguments& a,
                         const CLI::App& command) {
  const auto unless_given = [&](const char* option, auto& value, auto recommended) {
    if (!is_given(command, option)) value = recommended;
  };
  if (o.init.empty() && a.model.empty()) o.model = with_sizes(r.model, a);
  unless_given("--dropout", o.dropout, r.dropout);
  if (!o.init.empty()) return o;  // a trained model is treated with more care
  unless_given("--batch", o.batch, r.batch);
  unless_given("--optimizer", o.optimizer, r.optimizer);
  if (o.optimizer != r.optimizer) return o;  // the recipe's rates are its optimiser's
  unless_given("--lr", o.lr, r.lr);
  unless_given("--muon-lr", o.muon_lr, o.lr * (r.muon_lr / r.lr));
  unless_given("--min-lr", o.min_lr, std::min(o.lr, r.min_lr));
  unless_given("--beta1", o.beta1, r.beta1);
  unless_given("--weight-decay", o.weight_decay, r.weight_decay);
  unless_given("--schedule", o.schedule, r.schedule);
  unless_given("--decay-fraction", o.decay_fraction, r.decay_fraction);
  return o;
}

TrainOptions options_for_time(const TrainArguments& a, const CLI::App& command,
                              const std::vector<fs::path>& data, const TrainObserver& observer) {
  TrainOptions plain = plain_options(a, command, data);
  if (a.finetune && !is_given(command, "--batch")) plain.batch = finetune_batch(plain);
  if (!a.model.empty()) plain.model = with_sizes(chosen_model(a, data), a);
  const TimeRequest request = {
      .seconds = 60 * a.minutes,
      .options = [&](const Recipe& r) { return with_recipe(plain, r, a, command); },
      .choose_model = a.init.empty() && a.model.empty()};
  TrainOptions o = fit_to_time(request, observer);
  set_finetunes_lr(o, a, command);
  const auto if_given = [&](const char* option, int64_t& value, int64_t given) {
    if (is_given(command, option)) value = given;
  };
  if_given("--warmup", o.warmup, a.options.warmup);
  if_given("--eval-every", o.eval_every, a.options.eval_every);
  if_given("--eval-tokens", o.eval_tokens, a.options.eval_tokens);
  if_given("--save-every", o.save_every, a.options.save_every);
  if_given("--log-every", o.log_every, a.options.log_every);
  if_given("--patience", o.patience, a.options.patience);
  return o;
}

// --data takes one folder each time: a positional argument may follow it.
void add_data_options(CLI::App* c, TrainArguments& a) {
  CLI::Option* data = c->add_option(
      "--data", a.data,
      "in place of TEXT: folder that `inkstone prepare` wrote, or another run, whose "
      "vocabulary and shards are taken; can be repeated");
  data->type_name("DIR")->allow_extra_args(false)->group(marked("Data"));
}

// What `train` and `finetune` share.
void add_training_options(CLI::App* c, TrainArguments& a) {
  c->add_option("--stop-at", a.stop_at,
                "stop after this step with everything saved; the same command goes on")
      ->check(whole_number(1))
      ->type_name("STEP");
  c->add_flag(
      "--find-lr", a.find_lr,
      "try ever larger learning rates for 200 steps (--steps), say which one suits, and leave "
      "nothing behind");
  c->add_option("--minutes", a.minutes,
                a.finetune
                    ? marked("in place of --steps: as many as this machine does in so many minutes")
                    : marked("choose the model and its training by what this machine does in so "
                             "many minutes; --steps and the sizes can then be left out"))
      ->check(positive_number(kMostMinutes))
      ->type_name("N");
  c->add_option("--device", a.device, "cpu or cuda")->capture_default_str();
  c->add_flag("--json", a.json, "print JSON lines");
  c->add_flag("--plan", a.plan,
              "do not train: a few steps are tried, and what memory and time all would take is "
              "said; TEXT is made into shards first");
  c->add_flag("--verify-resume", a.verify_resume,
              "do not train: ten steps at once, and stopped in the middle and resumed, are "
              "compared to the byte");
  const auto options = training_options().bind(a.options);
  set_defaults_of(c->get_name(), options);
  add_table_options(c, options);
}

// TEXT, and what it is made into before training.
void add_text_options(CLI::App* c, TrainArguments& a) {
  c->add_option("TEXT", a.texts,
                "whatever prepare reads: files, folders, 'patterns*', @lists, or - for standard "
                "input; its shards are made in RUN/data");
  if (!a.finetune) {
    c->add_option("--tokenizer", a.tokenizer,
                  "of TEXT: folder or tokenizer.json (a vocabulary is learnt, in RUN/tokenizer)");
    c->add_option("--vocab-size", a.vocab_size,
                  "of the vocabulary that is learnt: at most so many tokens (by the text and the "
                  "time)")
        ->check(whole_number(257, 10'000'000))
        ->type_name("N");
  }
  c->add_option("--val-fraction", a.val_fraction,
                "of TEXT: the part that validates and is never trained on")
      ->check(number_from(0, 0.9))
      ->capture_default_str();
  add_reading_options(c, a.reading);
  add_records_options(c, a.reading);
  add_writing_options(c, a.clean);
}

// More tokens than this make a small model slow before they teach it anything: docs/performance.md.
int64_t vocabulary_for(double minutes) {
  constexpr double kTokens = 6144, kMinutes = 1.5;
  const double size = kTokens * std::pow(minutes / kMinutes, 0.25);
  return 256 * static_cast<int64_t>(std::clamp(size, 1024.0, 50176.0) / 256);
}

void check_with_init(const TrainArguments& a) {
  if (!a.model.empty() || a.layers > 0 || a.heads > 0 || a.width > 0) {
    fail(ErrorCode::kUsage,
         "--init brings its own model: --model, --layers, --heads and --width have no meaning with "
         "it; leave them out");
  }
  if (!a.tokenizer.empty() || a.vocab_size > 0) {
    fail(ErrorCode::kUsage,
         "--init brings its own vocabulary: leave out --tokenizer and --vocab-size");
  }
}

}  // namespace

void add_train_options(CLI::App* c, TrainArguments& a) {
  add_text_options(c, a);
  add_data_options(c, a);
  c->add_option("-o,--output", a.run, "folder for the run; the same command again goes on with it")
      ->type_name("RUN");
  c->add_option("--resume", a.resume, "run folder to go on with")->type_name("RUN");
  c->add_flag("--fall-back", a.fall_back,
              "with --resume: use the newest intact checkpoint if the last is damaged");
  c->add_option("--init", a.init, "model folder to start from");
  add_adapter_option(c, a.adapter);
  c->add_option("--model", a.model,
                localized("shape by name: {}", fmt::join(preset_names(), ", ")));
  c->add_option("--layers", a.layers, "layers, in place of the shape's")
      ->check(whole_number(1, 1000));
  c->add_option("--heads", a.heads, "attention heads, in place of the shape's")
      ->check(whole_number(1, 1024));
  c->add_option("--width", a.width, "width, in place of the shape's; a multiple of the heads")
      ->check(whole_number(1, 65536));
  c->add_option("--context", a.context, "tokens that the model sees, in place of the shape's")
      ->check(whole_number(1, 1 << 20));
  add_training_options(c, a);
}

void add_finetune_options(CLI::App* c, TrainArguments& a) {
  c->add_option("MODEL", a.init, "model or run folder")->required();
  add_adapter_option(c, a.adapter);
  add_text_options(c, a);
  add_data_options(c, a);
  c->add_option("-o,--output", a.run, "folder for the run; the same command again goes on with it")
      ->required()
      ->type_name("RUN");
  add_training_options(c, a);
}

void refuse_with_resume(const CLI::App& command) {
  for (const CLI::Option* option : command.get_options()) {
    const std::string name = option->get_single_name();
    if (option->count() == 0 || name == "resume" || name == "fall-back" || name == "steps" ||
        name == "data" || name == "json" || name == "threads" || name == "stop-at") {
      continue;
    }
    fail(ErrorCode::kUsage,
         "{} cannot be changed with --resume: the run goes on as it began. Start a new run with "
         "--init for that",
         name == "TEXT" ? name : "--" + name);
  }
}

// An option that means nothing beside the others was meant otherwise.
void refuse_without_effect(const TrainArguments& a, const CLI::App& command,
                           const TrainOptions& options) {
  if (a.minutes > 0) return;  // the recipe decides what has a meaning
  TrainOptions copy = options;
  for (const BoundOption& option : training_options().bind(copy)) {
    const std::string name = fmt::format("--{}", option.info.name);
    if (option.in_effect || command.get_option_no_throw(name) == nullptr ||
        !is_given(command, name.c_str()))
      continue;
    fail(ErrorCode::kUsage,
         "{} means nothing beside the other options: give the one that it belongs to, too (--help "
         "says which), or leave it out",
         name);
  }
}

void check_arguments(const TrainArguments& a, const CLI::App& command) {
  if (a.plan + a.verify_resume + a.find_lr > 1) {
    fail(ErrorCode::kUsage,
         "--plan, --verify-resume and --find-lr each stand in place of training: give one of them");
  }
  if (a.fall_back) fail(ErrorCode::kUsage, "--fall-back goes with --resume");
  if (a.texts.empty() && a.data.empty()) {
    fail(ErrorCode::kUsage,
         "there is nothing to train on: give TEXT, or --data DIR, which `inkstone prepare` wrote");
  }
  if (!a.texts.empty() && !a.data.empty()) {
    fail(ErrorCode::kUsage,
         "TEXT '{}' and --data '{}' are both given: --data stands in place of TEXT; give one of "
         "them",
         a.texts.front(), a.data.front());
  }
  if (!a.adapter.empty() && a.init.empty())
    fail(ErrorCode::kUsage, "--adapter goes with --init: it is merged into the model there");
  if (a.run.empty()) fail(ErrorCode::kUsage, "-o RUN is missing: the folder for the run");
  if (a.minutes > 0 && is_given(command, "--steps"))
    fail(ErrorCode::kUsage, "--minutes chooses the steps: leave out --steps, or --minutes");
  if (a.texts.empty() && (!a.tokenizer.empty() || a.vocab_size > 0)) {
    fail(ErrorCode::kUsage,
         "--tokenizer and --vocab-size are for TEXT: the data of --data has its vocabulary");
  }
  if (!a.tokenizer.empty() && a.vocab_size > 0)
    fail(ErrorCode::kUsage, "--vocab-size has no meaning with --tokenizer: leave one of them out");
  if (!a.finetune && !a.init.empty()) check_with_init(a);
  // What is wrong with the options is said before a text is read for minutes.
  TrainOptions o = plain_options(a, command, {fs::path(a.run) / "data"});
  if (a.minutes > 0 || a.finetune) o.warmup = 0;  // of steps that are not known yet
  o.weights.clear();                              // of folders that are not known yet
  validate(o);
  refuse_without_effect(a, command, o);
  if (!a.model.empty()) validate(with_sizes(model_by_name(a.model), a));
}

TextRun text_run(const TrainArguments& a) {
  TextRun t{.run = a.run,
            .texts = a.texts,
            .tokenizer = a.tokenizer,
            .vocab_size = a.vocab_size,
            .val_fraction = a.val_fraction,
            .read = a.reading.read_options(),
            .turns = a.reading.turn_template(),
            .clean = a.clean};
  if (!a.init.empty()) t.tokenizer = find_tokenizer(a.init, a.adapter).string();
  if (t.vocab_size == 0)
    t.vocab_size = a.minutes > 0 ? vocabulary_for(a.minutes) : TokenizerTrainOptions{}.vocab_size;
  return t;
}

TrainOptions train_options(const TrainArguments& a, const CLI::App& command,
                           const std::vector<fs::path>& data, const TrainObserver& observer) {
  if (a.minutes > 0) return options_for_time(a, command, data, observer);
  TrainOptions o = plain_options(a, command, data);
  if (a.finetune && !is_given(command, "--batch")) o.batch = finetune_batch(o);
  if (a.finetune && !is_given(command, "--steps")) {
    o.steps = finetune_steps(o);
    if (!is_given(command, "--warmup")) o.warmup = default_warmup(o.steps);
  }
  set_finetunes_lr(o, a, command);
  validate(o);
  if (o.init.empty()) o.model = with_sizes(chosen_model(a, data), a);
  return o;
}

}  // namespace inkstone::cli
