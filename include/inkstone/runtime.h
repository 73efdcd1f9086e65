// Where work is done.
#pragma once

#include <memory>
#include <string>

namespace inkstone {

class ThreadPool;  // of src/base

struct RuntimeOptions {
  std::string device = "cpu";  // "cpu" or "cuda"
  int index = 0;               // which of the device's kind
  int threads = 0;             // 0: one per processor that this process may run on
};

// A device and the threads that work for it. What was made with a runtime shares its threads, which
// live as long as it or one of its copies (the last of which must not go inside work of its own).
// Two models that work at the same time, each in a thread of its own, want two runtimes: with one
// they take turns, operation by operation. No result depends on the number of threads.
class Runtime {
 public:
  // Throws kUsage on an unknown device or a negative number. Starts no thread yet.
  explicit Runtime(const RuntimeOptions& options = {});

  const std::string& device() const;
  int index() const;
  int threads() const;
  ThreadPool& pool() const;  // for the layers of the library

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}  // namespace inkstone
