// What inkstone::Model holds; for the layers of the library above it.
#pragma once

#include <memory>

#include "inkstone/model.h"
#include "kernels/backend.h"
#include "model/network.h"

namespace inkstone {

struct Model::Impl {
  std::unique_ptr<Backend> backend;
  std::unique_ptr<Network> network;  // declared after the backend, which must outlive it
};

DType to_dtype(ComputeType type);

}  // namespace inkstone
