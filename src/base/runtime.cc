#include "inkstone/runtime.h"

#include "base/error.h"
#include "base/thread_pool.h"

namespace inkstone {

struct Runtime::Impl {
  explicit Impl(const RuntimeOptions& options)
      : device(options.device), index(options.index), pool(options.threads) {}

  std::string device;
  int index;
  ThreadPool pool;
};

Runtime::Runtime(const RuntimeOptions& options) {
  if (options.device != "cpu" && options.device != "cuda") {
    fail(ErrorCode::kUsage, "device is '{}', expected cpu or cuda", options.device);
  }
  if (options.index < 0 || options.threads < 0) {
    fail(ErrorCode::kUsage, "device number {} and {} threads: expected 0 or more", options.index,
         options.threads);
  }
  impl_ = std::make_shared<Impl>(options);
}

const std::string& Runtime::device() const { return impl_->device; }
int Runtime::index() const { return impl_->index; }
int Runtime::threads() const { return impl_->pool.threads(); }
ThreadPool& Runtime::pool() const { return impl_->pool; }

}  // namespace inkstone
