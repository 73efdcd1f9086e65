// Stands in for the CUDA backend where it is not built.
#include "base/error.h"
#include "kernels/backend.h"

namespace inkstone {

std::unique_ptr<Backend> make_cuda_backend(const Runtime&) {
  fail(ErrorCode::kUnsupported,
       "--device cuda: this build has no CUDA backend; it was built for the CPU only. Use --device "
       "cpu");
}

}  // namespace inkstone
