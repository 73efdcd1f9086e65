#include "train/announcement.h"

#include <optional>

#include "base/message.h"
#include "train/memory_plan.h"
#include "train/vocabulary_fit.h"

namespace inkstone {
namespace {

Message model_line(const ModelConfig& c) {
  return message(
      "model: {} layers, {} heads, width {}, context {}, vocabulary {}: {:.2f} M parameters",
      c.layers, c.heads, c.width, c.context, c.vocab_size,
      static_cast<double>(c.parameter_count()) / 1e6);
}

double tokens_in_all(const RunFacts& f) {
  return static_cast<double>(f.tokens_per_step) * static_cast<double>(f.state.options.steps);
}

Message data_line(const RunFacts& f) {
  return message("data: {} training tokens, {} validation tokens; {} tokens a step, {:.2f} epochs",
                 f.data.train_tokens(), f.data.val_tokens(), f.tokens_per_step,
                 tokens_in_all(f) / static_cast<double>(f.data.train_tokens()));
}

void add_records(const RecordFacts& r, std::vector<Message>& lines) {
  const double full = 100 * static_cast<double>(r.inputs) /
                      static_cast<double>(r.windows * r.context);
  lines.push_back(message(
      "  {}: {} records in {} windows of {} tokens, {:.1f} % full; {} tokens of completions "
      "are trained in an epoch",
      r.name, r.records, r.windows, r.context, full, r.trained_tokens));
  if (r.prompts_cut + r.completions_cut + r.untrained == 0) return;
  lines.push_back(
      message("  {}: of records longer than the context {} prompts are cut at their beginning and "
              "{} completions at their end; {} records have nothing before a completion of one "
              "token and are left out",
              r.name, r.prompts_cut, r.completions_cut, r.untrained));
}

// Of several: each one's part. Of aligned documents: what no window of an epoch has.
void add_data_sets(const RunFacts& f, std::vector<Message>& lines) {
  for (size_t k = 0; k < f.data.count(); ++k) {
    const auto targets = static_cast<double>(f.data.train()[k].count() - 1);
    const auto in_epoch = static_cast<double>(f.batches.windows_per_epoch(k) * f.batches.window());
    if (f.data.count() > 1) {
      lines.push_back(
          message("  {}: {:.2f} % of the windows; {} training tokens, {} validation tokens, "
                  "{:.2f} epochs",
                  f.data.names()[k], 100 * f.data.shares()[k], f.data.train()[k].count(),
                  f.data.val()[k].count(), f.data.shares()[k] * tokens_in_all(f) / in_epoch));
    }
    if (const RecordWindows* records = f.batches.records(k)) {
      add_records(record_facts(f.data.names()[k], records->packed()), lines);
      continue;
    }
    if (f.state.options.align_documents) {
      lines.push_back(
          message("  {}: windows begin where documents begin; {:.1f} % of the tokens are "
                  "between windows and left out",
                  f.data.names()[k], 100 * (1 - in_epoch / targets)));
    }
  }
}

Message device_line(const RunFacts& f) {
  const auto memory = memory_parts(f.network, f.state.options, f.batches.window());
  return message("device: {}, {}; memory: {:.0f} MB", f.network.backend().description(),
                 name(f.network.compute()), static_cast<double>(sum_of(memory)) / 1e6);
}

// Special tokens that the objectives add to the data's vocabulary, when the run begins.
void add_new_tokens(const RunFacts& f, std::vector<Message>& lines) {
  if (f.state.step > 0) return;
  const Tokenizer& tokenizer = f.data.tokenizer();
  for (auto id = static_cast<TokenId>(f.data.text_ids()); id < tokenizer.vocab_size(); ++id) {
    lines.push_back(
        message("the vocabulary has the new special token '{}', id {}; it is saved with the model",
                tokenizer.token_bytes(id), id));
  }
}

// Where not all of it is trained.
std::optional<Message> trained_line(const RunFacts& f) {
  int64_t trained = 0, all = 0;
  for (const ParameterRow& row : f.network.table().rows()) {
    all += row.shape.count();
    if (row.trained) trained += row.shape.count();
  }
  if (trained == all) return std::nullopt;
  return message("trained: {:.2f} M parameters, {:.2f} % of them",
                 static_cast<double>(trained) / 1e6,
                 100 * static_cast<double>(trained) / static_cast<double>(all));
}

// Of a model that is trained further, when that begins.
std::optional<Message> vocabulary_line(const RunFacts& f) {
  constexpr int64_t kEnough = int64_t{1} << 20;
  if (f.state.options.init.empty() || f.state.step > 0) return std::nullopt;
  return vocabulary_warning(f.data.tokenizer().type(), f.data.rates(f.data.train(), kEnough),
                            rates_of_own_text(f.state.options.init));
}

}  // namespace

RecordFacts record_facts(const std::string& name, const PackedRecords& packed) {
  const PackedCounts& c = packed.counts();
  return {.name = name,
          .records = c.records,
          .windows = packed.windows_per_epoch(),
          .context = packed.length(),
          .inputs = c.inputs,
          .trained_tokens = c.trained_tokens,
          .prompts_cut = c.prompts_cut,
          .completions_cut = c.completions_cut,
          .untrained = c.untrained};
}

std::vector<Message> announcement(const RunFacts& f) {
  std::vector<Message> lines = {model_line(f.network.config())};
  if (auto line = trained_line(f)) lines.push_back(*std::move(line));
  lines.push_back(data_line(f));
  add_data_sets(f, lines);
  add_new_tokens(f, lines);
  lines.push_back(device_line(f));
  if (f.batches.window() < f.wanted_context) {
    lines.push_back(
        message("the training text is shorter than one context: it has {} tokens, the context "
                "is {}; training on windows of {} tokens",
                f.data.train_tokens(), f.wanted_context, f.batches.window()));
  }
  if (!f.data.can_validate())
    lines.emplace_back(
        marked("there is no validation text: no validation loss, no best checkpoint"));
  if (auto line = vocabulary_line(f)) lines.push_back(*std::move(line));
  if (f.state.step > 0)
    lines.push_back(message("resuming at step {} of {}", f.state.step, f.state.options.steps));
  return lines;
}

}  // namespace inkstone
