#include "kernels/harness.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

#include "kernels/cpu/extensions.h"

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

// A request for more memory than there is fails, as it does without a sanitizer.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace inkstone::test {
namespace {

constexpr int64_t kGuardBytes = 128;

// Whether AddressSanitizer lets nobody touch the memory; does nothing where there is none.
void forbid([[maybe_unused]] const void* data, [[maybe_unused]] int64_t bytes,
            [[maybe_unused]] bool on) {
#if defined(__SANITIZE_ADDRESS__)
  on ? __asan_poison_memory_region(data, bytes) : __asan_unpoison_memory_region(data, bytes);
#endif
}

void use(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

void compare(const OperationCase& c, const Values& expected, const CaseMemory& memory) {
  EXPECT_TRUE(memory.guards_intact());
  for (size_t i = 0; i < c.tensors.size(); ++i) {
    const int index = static_cast<int>(i);
    EXPECT_TRUE(within_bounds(memory.doubles(index), expected[index], expected.bound(index),
                              c.tensors[i].type))
        << c.tensors[i].name;
  }
}

void check_on(int64_t target, const OperationCase& c, cpu::Staging staging,
              const Values& expected) {
  SCOPED_TRACE(target == 0 ? "native" : hwy::TargetName(target));
  const ForcedInstructionSet forced(target);
  const CaseMemory one(c, 0, cpu(1, staging));
  c.run(cpu(1, staging), one.views());
  compare(c, expected, one);
  for (const int threads : {2, 3}) {
    const CaseMemory several(c, threads + 1, cpu(threads, staging));
    c.run(cpu(threads, staging), several.views());
    compare(c, expected, several);
    for (size_t i = 0; i < c.tensors.size(); ++i) {
      const int index = static_cast<int>(i);
      EXPECT_EQ(one.bytes(index), several.bytes(index))
          << c.tensors[i].name << " differs between one and " << threads << " threads";
    }
  }
}

}  // namespace

std::vector<int64_t> instruction_sets() { return hwy::SupportedAndGeneratedTargets(); }

ForcedInstructionSet::ForcedInstructionSet(int64_t target) { use(target); }
ForcedInstructionSet::~ForcedInstructionSet() { use(0); }

WithoutExtensions::WithoutExtensions() { cpu::do_without_extensions_for_test(true); }
WithoutExtensions::~WithoutExtensions() { cpu::do_without_extensions_for_test(false); }

CaseMemory::CaseMemory(const OperationCase& c, int64_t offset, Backend& backend)
    : backend_(&backend) {
  const HostTensors host(c, kGuardBytes, backend.shares_host_memory() ? offset : 0);
  for (size_t i = 0; i < c.tensors.size(); ++i)
    place(host.memory(i), host.front_bytes(i), c.tensors[i].type, c.tensors[i].shape);
  if (c.scratch_bytes) {
    const int64_t bytes = c.scratch_bytes(backend);
    const std::vector<std::byte> image(kGuardBytes + bytes + kGuardBytes, HostTensors::kGuard);
    place(image, kGuardBytes, DType::kF32, {bytes / size_bytes(DType::kF32)});
  }
  watch(true);
}

CaseMemory::~CaseMemory() { watch(false); }

void CaseMemory::place(std::span<const std::byte> image, int64_t front_bytes, DType type,
                       const Shape& shape) {
  const auto bytes = static_cast<int64_t>(image.size());
  buffers_.emplace_back(*backend_, bytes);
  backend_->copy_from_host(image.data(), buffers_.back().view(DType::kU8, {bytes}));
  views_.push_back(buffers_.back().view(type, shape, front_bytes));
  front_bytes_.push_back(front_bytes);
}

void CaseMemory::watch(bool on) const {
  if (!backend_->shares_host_memory()) return;
  for (size_t i = 0; i < views_.size(); ++i) {
    forbid(buffers_[i].data(), front_bytes_[i], on);
    forbid(static_cast<const std::byte*>(views_[i].data) + views_[i].bytes(), kGuardBytes, on);
  }
}

std::vector<std::byte> CaseMemory::bytes(int tensor) const {
  std::vector<std::byte> result(views_[tensor].bytes());
  backend_->copy_to_host(views_[tensor], result.data());
  return result;
}

std::vector<double> CaseMemory::doubles(int tensor) const {
  std::vector<std::byte> data = bytes(tensor);
  return to_doubles({data.data(), views_[tensor].dtype, views_[tensor].shape});
}

::testing::AssertionResult CaseMemory::guards_intact() const {
  const auto is_guard = [](std::byte b) { return b == HostTensors::kGuard; };
  watch(false);
  for (size_t i = 0; i < views_.size(); ++i) {
    std::vector<std::byte> all(buffers_[i].bytes());
    backend_->copy_to_host(buffers_[i].view(DType::kU8, {buffers_[i].bytes()}), all.data());
    const auto begin = all.begin(), data = begin + front_bytes_[i], tail = data + views_[i].bytes();
    if (!std::all_of(begin, data, is_guard)) {
      return ::testing::AssertionFailure() << "tensor " << i << ": written before its beginning";
    }
    if (!std::all_of(tail, all.end(), is_guard)) {
      return ::testing::AssertionFailure() << "tensor " << i << ": written past its end";
    }
  }
  watch(true);
  return ::testing::AssertionSuccess();
}

Backend& cpu(int threads, cpu::Staging staging) {
  static std::map<std::pair<int, cpu::Staging>, std::unique_ptr<Backend>> backends;
  auto& backend = backends[{threads, staging}];
  if (backend == nullptr) backend = make_cpu_backend(Runtime({.threads = threads}), staging);
  return *backend;
}

::testing::AssertionResult within_bounds(const std::vector<double>& got,
                                         const std::vector<double>& want,
                                         const std::vector<double>& bounds, DType type) {
  constexpr double kDenormals = 0x1p-133;  // of bf16, whose range is float32's
  double worst = 0;
  size_t at = got.size();
  for (size_t i = 0; i < got.size(); ++i) {
    double bound = std::max(bounds[i], 0.0);
    if (type == DType::kBF16 && bounds[i] >= 0) {
      bound += unit_roundoff(type) * (std::fabs(want[i]) + bound) + kDenormals;
    }
    const double error = std::fabs(got[i] - want[i]);
    if (error <= bound) continue;
    const double excess = bound > 0 && !std::isnan(error) ? error / bound : HUGE_VAL;
    if (excess > worst) worst = excess, at = i;
  }
  if (at == got.size()) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure() << fmt::format(
             "worst at index {} of {}: got {}, want {}, bound {}; the error is {} times what is "
             "allowed",
             at, got.size(), got[at], want[at], bounds[at], worst);
}

void check(const OperationCase& c, cpu::Staging staging) {
  SCOPED_TRACE(c.name + " " + c.what);
  const HostTensors inputs(c);
  const auto expected = [&](int64_t lanes) {
    Values values(c.tensors, inputs.views(), lanes);
    c.expect(values);
    return values;
  };
  const Values of_four = expected(4);  // lanes at least, but for Highway's scalar code
  if (!c.vector_code) return check_on(0, c, staging, of_four);
  for (const int64_t target : instruction_sets())
    check_on(target, c, staging, target == HWY_SCALAR ? expected(1) : of_four);
}

}  // namespace inkstone::test
