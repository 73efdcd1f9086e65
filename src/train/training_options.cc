#include "train/training_options.h"

#include "base/message.h"

namespace inkstone {
namespace {

using T = TrainOptions;

constexpr ChoiceNames<Schedule, 4> kSchedules = {{{Schedule::kCosine, "cosine"},
                                                  {Schedule::kLinear, "linear"},
                                                  {Schedule::kConstant, "constant"},
                                                  {Schedule::kWsd, "wsd"}}};
constexpr ChoiceNames<OptimizerKind, 2> kOptimizers = {
    {{OptimizerKind::kAdamW, "adamw"}, {OptimizerKind::kMuon, "muon"}}};
constexpr ChoiceNames<ComputeType, 2> kComputeTypes = {
    {{ComputeType::kF32, "f32"}, {ComputeType::kBF16, "bf16"}}};

constexpr ChoiceNames<MaskUnit, 2> kMaskUnits = {
    {{MaskUnit::kToken, "token"}, {MaskUnit::kWord, "word"}}};
constexpr ChoiceNames<MaskWith, 3> kMasksWith = {
    {{MaskWith::kAuto, "auto"}, {MaskWith::kRandom, "random"}, {MaskWith::kMask, "mask"}}};
constexpr ChoiceNames<Recompute, 3> kRecompute = {
    {{Recompute::kNone, "none"}, {Recompute::kLight, "light"}, {Recompute::kFull, "full"}}};

constexpr int64_t kMost = int64_t{1} << 40;
constexpr WholeRange kCount = {.low = 1, .high = kMost}, kCountOrNone = {.low = 0, .high = kMost};
constexpr NumberRange kPositive = {.low = 0, .above_low = true}, kNotNegative = {.low = 0},
                      kPart = {.low = 0, .high = 1},
                      kBelowOne = {.low = 0, .high = 1, .below_high = true};

bool masks(const T& o) { return o.mask_rate.second > 0 || o.masked_fraction > 0; }

// One function for each heading.
using Table = OptionTable<T>;

OptionTable<LoraOptions> adapter_options() {
  using L = LoraOptions;
  constexpr WholeRange kRank = {.low = 0, .high = 65536};
  const auto with_rank = [](const L& lora) { return lora.rank > 0; };
  OptionTable<L> table;
  table.group(marked("What is trained"))
      .add({.name = "lora",
            .help = marked("train an adapter of this rank, such as 8, and leave the model as it "
                           "is; 0: train the model"),
            .type = "RANK",
            .only_in = "finetune"},
           &L::rank, kRank)
      .add({.name = "lora-alpha",
            .help = marked("of the adapter: its change counts alpha / rank times"),
            .only_in = "finetune"},
           &L::alpha, kPositive)
      .only_if(with_rank)
      .add({.name = "lora-targets",
            .help = marked("matrices with an adapter, some of attn.c_attn, attn.c_proj, mlp.c_fc, "
                           "mlp.c_proj, with commas between them (all four)"),
            .type = "NAME,...",
            .derived = true,
            .only_in = "finetune"},
           &L::targets)
      .only_if(with_rank)
      .add({.name = "lora-dropout",
            .help = marked("probability that a number is dropped before the adapter sees it"),
            .only_in = "finetune"},
           &L::dropout, kBelowOne)
      .only_if(with_rank)
      .add({.name = "rslora",
            .help = marked("the change counts alpha / sqrt(rank) times, for large ranks"),
            .only_in = "finetune"},
           &L::rank_stabilised)
      .only_if(with_rank)
      .add({.name = "dora",
            .help = marked("train the length of each output's weights by itself: a little better "
                           "at small ranks, and slower"),
            .only_in = "finetune"},
           &L::magnitudes)
      .only_if(with_rank);
  return table;
}

void add_data(Table& table) {
  table.group(marked("Data"))
      .add({.name = "weights",
            .help = marked("with several --data: the part of the windows of each, as 0.7,0.3 "
                           "(every token equally often)"),
            .type = "W,W,...",
            .derived = true},
           &T::weights)
      .add({.name = "align-documents",
            .help = marked("begin training windows where documents begin")},
           &T::align_documents);
}

void add_steps(Table& table) {
  table.group(marked("Training"))
      .add({.name = "steps",
            .help = marked("optimiser steps"),
            .in = {.command = "finetune",
                   .value = "",
                   .help = marked("optimiser steps (three epochs, at least 20)")}},
           &T::steps, kCount)
      .add({.name = "seconds",
            .help = marked("end after so many seconds of work; 0: when the steps are done"),
            .only_in = ""},
           &T::seconds, kNotNegative)
      .add({.name = "batch",
            .help = marked("sequences per micro-batch"),
            .in = {.command = "finetune",
                   .value = "",
                   .help = marked("sequences per micro-batch (8; fewer for a short text)")}},
           &T::batch, kCount)
      .add({.name = "accumulate", .help = marked("micro-batches per step")}, &T::accumulate, kCount)
      .add({.name = "context",
            .help = marked("training window; 0: the model's context"),
            .only_in = "finetune"},
           &T::context, kCountOrNone)
      .add({.name = "dtype",
            .help = marked("f32, or bf16: mixed precision with float32 master weights")},
           &T::compute, kComputeTypes)
      .add({.name = "recompute",
            .help = marked("for less memory, what is computed again on the way back: none; light: "
                           "normalisations and activation functions; full: whole layers, for a "
                           "quarter more time"),
            .affects_result = false},
           &T::recompute, kRecompute)
      .add({.name = "seed",
            .help = marked("of the initial weights, the order of the data and dropout")},
           &T::seed);
}

void add_rates(Table& table) {
  table
      .add({.name = "lr",
            .help = marked("largest learning rate; with muon 0.008"),
            .in = {.command = "finetune",
                   .value = "",
                   .help = marked("largest learning rate (by how the model was trained, and the "
                                  "text; GPT-2: 3e-5 to 2e-4)")}},
           &T::lr, kPositive)
      .add({.name = "muon-lr",
            .help = marked("with muon: its own largest learning rate (2.5 x --lr)"),
            .derived = true},
           &T::muon_lr, kPositive)
      .only_if([](const T& o) { return o.optimizer == OptimizerKind::kMuon; })
      .add({.name = "min-lr",
            .help = marked("learning rate at the end (a tenth of --lr)"),
            .derived = true},
           &T::min_lr, kNotNegative)
      .add({.name = "schedule", .help = marked("after the warm-up")}, &T::schedule, kSchedules)
      .add({.name = "warmup",
            .help = marked("steps of linear warm-up (100, or a tenth of --steps)"),
            .derived = true},
           &T::warmup, kCountOrNone)
      .add({.name = "decay-fraction", .help = marked("of wsd: the part of the steps that decays")},
           &T::decay_fraction, kPart)
      .only_if([](const T& o) { return o.schedule == Schedule::kWsd; });
}

void add_optimiser(Table& table) {
  table.group(marked("Optimiser"))
      .add({.name = "optimizer",
            .help = marked("adamw; muon: for the matrices of the layers, with AdamW for the rest: "
                           "fewer steps")},
           &T::optimizer, kOptimizers);
  add_rates(table);
  table.add({.name = "weight-decay", .help = marked("of matrices")}, &T::weight_decay, kNotNegative)
      .add({.name = "beta1", .help = marked("AdamW's decay of the mean gradient")}, &T::beta1,
           kBelowOne)
      .add({.name = "beta2", .help = marked("AdamW's decay of the mean squared gradient")},
           &T::beta2, kBelowOne)
      .add({.name = "epsilon", .help = marked("of AdamW, beside the root"), .only_in = ""},
           &T::epsilon, kPart)
      .add({.name = "clip", .help = marked("largest gradient norm; 0: no clipping")}, &T::clip,
           kNotNegative);
}

void add_parts(Table& table) {
  table.group(marked("What is trained"))
      .add({.name = "freeze",
            .help = marked("parts that are not: wte, wpe, h.0-5, h.*.mlp, ln_f, with commas "
                           "between them"),
            .type = "PART,..."},
           &T::freeze)
      .add({.name = "layer-lr-decay",
            .help = marked("of the learning rate from each layer to the one below it")},
           &T::layer_lr_decay, NumberRange{.low = 0, .high = 1, .above_low = true})
      .include(&T::lora, adapter_options());
}

void add_objective(Table& table) {
  table.group(marked("Objective"))
      .add({.name = "dropout",
            .help = marked("probability that an activation is dropped"),
            .in = {.command = "finetune", .value = "0.1"}},
           &T::dropout, kBelowOne)
      .add({.name = "prefix-lm",
            .help = marked("see the beginning of a text whole and predict the rest; the model does "
                           "so ever after")},
           &T::prefix_lm)
      .add({.name = "mask-rate",
            .help = marked("probability that an input token is masked; LOW:HIGH: drawn for each "
                           "window")},
           &T::mask_rate, kBelowOne)
      .add({.name = "mask-unit",
            .help = marked("what is masked together: a token, or a word (of Chinese text, a "
                           "character)")},
           &T::mask_unit, kMaskUnits)
      .only_if(masks)
      .add({.name = "mask-with",
            .help = marked("random: another token; mask: the vocabulary's mask token, which is "
                           "added if need be; auto: mask with --masked-fraction, else random")},
           &T::mask_with, kMasksWith)
      .only_if(masks)
      .add(
          {.name = "masked-fraction",
           .help = marked("the part of the windows that is read in both directions, where masked "
                          "tokens alone are predicted (GPT-BERT); the others are then not masked")},
          &T::masked_fraction, kPart)
      .add({.name = "fim-rate",
            .help = marked("probability that a document is turned around to be filled in: "
                           "beginning, end, then the middle (`generate --suffix`)")},
           &T::fim_rate, kPart)
      .add({.name = "separate-documents",
            .help = marked("documents of a window do not see each other, and positions begin anew "
                           "in each")},
           &T::separate_documents)
      .add({.name = "prompt-loss-weight",
            .help = marked("of records with a completion: what the loss of a prompt's token weighs "
                           "beside 1 of a completion's; 0.01 to 0.1 may help where completions are "
                           "short")},
           &T::prompt_loss_weight, kPart);
}

void add_checks_of_progress(Table& table) {
  table.group(marked("Progress"))
      .add({.name = "eval-every",
            .help = marked("steps between validations; 0: only at the end"),
            .in = {.command = "finetune", .value = "20"},
            .affects_result = false},
           &T::eval_every, kCountOrNone)
      .add({.name = "eval-tokens",
            .help = marked("validation tokens per evaluation; 0: all, at most 2^20"),
            .affects_result = false},
           &T::eval_tokens, kCountOrNone)
      .add({.name = "patience",
            .help = marked("stop after so many evaluations without improvement; 0: never"),
            .in = {.command = "finetune", .value = "5"}},
           &T::patience, kCountOrNone)
      .add({.name = "log-every", .help = marked("steps between reports"), .affects_result = false},
           &T::log_every, kCount);
}

void add_output(Table& table) {
  table
      .add({.name = "sample-every",
            .help = marked("steps between samples; 0: never"),
            .affects_result = false},
           &T::sample_every, kCountOrNone)
      .add({.name = "sample-prompt",
            .help = marked("text that the samples continue"),
            .affects_result = false},
           &T::sample_prompt)
      .add({.name = "save-every",
            .help = marked("steps between checkpoints"),
            .in = {.command = "finetune", .value = "100"},
            .affects_result = false},
           &T::save_every, kCount)
      .add({.name = "keep",
            .help = marked("latest checkpoints kept, besides the best"),
            .affects_result = false},
           &T::keep, kCount);
}

Table make_table() {
  Table table;
  add_data(table);
  add_steps(table);
  add_optimiser(table);
  add_parts(table);
  add_objective(table);
  add_checks_of_progress(table);
  add_output(table);
  return table;
}

template <typename Enum, size_t N>
std::string_view name_of(const ChoiceNames<Enum, N>& names, Enum value) {
  return bind_choice(value, names).name();
}

template <typename Enum, size_t N>
Enum parse_name(const ChoiceNames<Enum, N>& names, const char* option, std::string_view name) {
  Enum value = names.front().first;
  set_text({.info = {.name = option}, .value = bind_choice(value, names)}, name);
  return value;
}

}  // namespace

const OptionTable<TrainOptions>& training_options() {
  static const Table table = make_table();
  return table;
}

std::string_view schedule_name(Schedule schedule) { return name_of(kSchedules, schedule); }
Schedule parse_schedule(std::string_view name) {
  return parse_name(kSchedules, "--schedule", name);
}

std::string_view optimizer_name(OptimizerKind optimizer) { return name_of(kOptimizers, optimizer); }
OptimizerKind parse_optimizer(std::string_view name) {
  return parse_name(kOptimizers, "--optimizer", name);
}

std::string_view compute_name(ComputeType compute) { return name_of(kComputeTypes, compute); }
ComputeType parse_compute(std::string_view name) {
  return parse_name(kComputeTypes, "--dtype", name);
}

}  // namespace inkstone
