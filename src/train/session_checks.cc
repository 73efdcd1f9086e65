// What a session refuses before it begins.
#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/hash.h"
#include "model/trained_adapter.h"
#include "train/options.h"
#include "train/session.h"

namespace inkstone {
namespace fs = std::filesystem;

void Session::check_model_and_data() {
  // A model may have more ids than its tokenizer: they are never a target, and never drawn.
  if (data_.tokenizer().vocab_size() > network_.config().vocab_size) {
    fail(ErrorCode::kMismatch,
         "the data in '{}' was prepared with a vocabulary of {} tokens, the model has {}; prepare "
         "the data with the model's own tokenizer",
         options().data.front().string(), data_.tokenizer().vocab_size(),
         network_.config().vocab_size);
  }
  if (wanted_context() > network_.config().context) {
    fail(ErrorCode::kUsage, "--context is {}, more than the model's {}", wanted_context(),
         network_.config().context);
  }
  inkstone::tokens_per_step(options(), wanted_context());  // throws when it is too much
  for (const TokenStream& stream : data_.train()) {
    if (data_.count() == 1 || stream.count() > wanted_context()) continue;
    fail(ErrorCode::kUsage,
         "'{}' has {} training tokens, expected more than the context of {} to be mixed with "
         "others: leave it out, or give a smaller --context",
         stream.folder().string(), stream.count(), wanted_context());
  }
}

void Session::check_objective() {
  const auto has_spans = [](const auto& spans) { return spans.has_value(); };
  if (options().prompt_loss_weight == 0 || std::ranges::any_of(data_.train_spans(), has_spans))
    return;
  fail(
      ErrorCode::kUsage,
      "--prompt-loss-weight is {}, and the data has no records with a completion: leave it out, or "
      "prepare the data with --records completion",
      options().prompt_loss_weight);
}

void Session::check_fingerprint() {
  const std::string found = data_.fingerprint();
  if (state_.data_fingerprint.empty()) state_.data_fingerprint = found;
  if (state_.data_fingerprint == found) return;
  std::string folders;
  for (const fs::path& folder : options().data)
    folders += fmt::format("{}'{}'", folders.empty() ? "" : ", ", folder.string());
  fail(
      ErrorCode::kMismatch,
      "the data in {} is not what this run began with, or has changed since ({}, expected {}); put "
      "the old data back, say where it lies now (--resume {} --data DIR), or start a new run with "
      "--init {}",
      folders, found, state_.data_fingerprint, options().run.string(), options().run.string());
}

// All ranks do the same steps from the same weights.
void Session::check_ranks() {
  if (ranks_.is_alone()) return;
  Json same = to_json(options());
  for (const char* own : {"data", "init", "init_adapter", "device"}) same.erase(own);
  same["data_fingerprint"] = state_.data_fingerprint;
  same["base_fingerprint"] = state_.base_fingerprint;
  const View weights = network_.flat_master();
  std::string bytes(static_cast<size_t>(weights.bytes()), '\0');
  network_.backend().copy_to_host(weights, bytes.data());
  same["weights"] = hash64(bytes);
  same["step"] = state_.step;
  const auto hash = static_cast<double>(hash64(same.dump()) >> 12);  // 52 bits: a double holds them
  if (ranks_.take_first(hash) == hash) return;
  fail(ErrorCode::kMismatch,
       "rank {} of {} does not train as rank 0 does: its options, data, weights or step differ",
       ranks_.rank(), ranks_.size());
}

// An adapter is worth nothing on another model.
void Session::check_base() {
  if (network_.base() == nullptr) return;
  const std::string found = base_fingerprint(network_);
  if (state_.base_fingerprint.empty()) state_.base_fingerprint = found;
  if (state_.base_fingerprint == found) return;
  fail(ErrorCode::kMismatch,
       "the model '{}' is not the one that this run trains an adapter for, or has changed since "
       "({}, expected {}): put the old one back",
       options().init.string(), found, state_.base_fingerprint);
}

}  // namespace inkstone
