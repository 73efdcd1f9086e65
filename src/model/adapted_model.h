// A model with an adapter merged into its weights.
#pragma once

#include <filesystem>
#include <functional>

#include "inkstone/message.h"
#include "model/adapter.h"
#include "model/model_source.h"

namespace inkstone {

// The shape of the model that an adapter makes of another: with its vocabulary, and with an output
// layer of its own where the adapter changes only one of embedding and output layer.
ModelConfig adapted_config(const ModelConfig& model, const Adapter& adapter);

// The model with the adapter's changes. A changed tensor is float32 and made when it is asked for;
// type() says what it was before. All others are the model's own.
OpenedModel adapted_model(OpenedModel model, Adapter adapter);

// As open_model and adapted_model: `adapter` is a folder, or empty for none; `model` may itself be
// an adapter's folder, whose base model is then opened (base_of_adapter).
OpenedModel open_model(const std::filesystem::path& model, const std::filesystem::path& adapter,
                       const std::function<void(const Message&)>& on_message);
// Its configuration alone; the adapter is read whole.
ModelConfig load_config(const std::filesystem::path& model, const std::filesystem::path& adapter);

// The model that an adapter's base_model_name_or_path leads to: a path, which may be relative to
// the adapter's folder or to the current one. Throws kNotFound, saying what to do, when there is
// none, and kUnsupported when it is an adapter again.
std::filesystem::path base_of_adapter(const std::filesystem::path& adapter);

}  // namespace inkstone
