// An adapter in training: the rows of a network (Network::lora), and the Adapter that files hold.
#pragma once

#include <filesystem>

#include "inkstone/model.h"
#include "model/adapter.h"
#include "model/network.h"

namespace inkstone {

// base_model: what the adapter's file calls the model that it is for. Waits.
Adapter trained_adapter(const Network& network, const std::string& base_model);

// Takes the numbers of an adapter that such a network wrote. Throws kMismatch when its modules,
// its rank or its magnitudes are others.
void set_adapter(Network& network, const Adapter& adapter);

// A digest of all tensors of a network's base, as they are stored: 32 hexadecimal digits.
std::string base_fingerprint(const Network& network);

// The model with an adapter in training: its network's base is what model.impl().weights holds, as
// stored, and its adapter begins as Network::initialise says. The model itself generates nothing.
Model load_for_adapter(const std::filesystem::path& model, const LoraOptions& lora, uint64_t seed,
                       const LoadOptions& options = {});

// The base with the network's adapter as it is now merged into it, in memory of its own.
Model merged_model(const Network& network, const std::filesystem::path& model,
                   const LoadOptions& options = {});

}  // namespace inkstone
