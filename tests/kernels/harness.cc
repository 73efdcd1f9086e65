#include "kernels/harness.h"

#include <hwy/highway.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>
#include <utility>

// A request for more memory than there is fails, as it does without a sanitizer.
extern "C" const char* __asan_default_options() { return "allocator_may_return_null=1"; }
extern "C" const char* __tsan_default_options() { return "allocator_may_return_null=1"; }

namespace inkstone::test {
namespace {

constexpr int64_t kGuardBytes = 128;
constexpr std::byte kGuard{0xA5};

// AddressSanitizer watches the end of a block better than a guard does.
#if defined(__SANITIZE_ADDRESS__)
constexpr int64_t kTailBytes = 0;
#else
constexpr int64_t kTailBytes = kGuardBytes;
#endif

void use(int64_t targets) {
  hwy::SetSupportedTargetsForTest(targets);
  hwy::GetChosenTarget().Update(hwy::SupportedTargets());
}

// One run; returns the memory after it.
CaseMemory run(const OperationCase& c, Backend& backend, int64_t offset) {
  CaseMemory memory(c, offset);
  c.run(backend, memory.views());
  return memory;
}

void compare(const OperationCase& c, const Values& expected, const CaseMemory& memory) {
  EXPECT_TRUE(memory.guards_intact());
  for (size_t i = 0; i < c.tensors.size(); ++i) {
    const auto got = to_doubles(memory.views()[i]);
    const int index = static_cast<int>(i);
    EXPECT_TRUE(within_bounds(got, expected[index], expected.bound(index), c.tensors[i].type))
        << c.tensors[i].name;
  }
}

void check_on(int64_t target, const OperationCase& c, cpu::Staging staging,
              const Values& expected) {
  SCOPED_TRACE(target == 0 ? "native" : hwy::TargetName(target));
  const ForcedInstructionSet forced(target);
  const CaseMemory one = run(c, cpu(1, staging), 0);
  compare(c, expected, one);
  for (const int threads : {2, 3}) {
    const CaseMemory several = run(c, cpu(threads, staging), threads + 1);
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

CaseMemory::CaseMemory(const OperationCase& c, int64_t offset) {
  for (size_t i = 0; i < c.tensors.size(); ++i) {
    const TensorSpec& t = c.tensors[i];
    const int64_t element = size_bytes(t.type), data_bytes = t.shape.count() * element;
    const int64_t front = kGuardBytes + offset * element, total = front + data_bytes + kTailBytes;
    auto memory = std::make_unique<std::byte[]>(total);
    std::fill(memory.get(), memory.get() + total, kGuard);
    views_.push_back({memory.get() + front, t.type, t.shape});
    fill(t, static_cast<int>(i), views_.back());
    memory_.push_back(std::move(memory));
    front_bytes_.push_back(front);
  }
  if (c.prepare) c.prepare(views_);
}

std::vector<std::byte> CaseMemory::bytes(int tensor) const {
  const auto* data = static_cast<const std::byte*>(views_[tensor].data);
  return {data, data + views_[tensor].bytes()};
}

::testing::AssertionResult CaseMemory::guards_intact() const {
  const auto is_guard = [](std::byte b) { return b == kGuard; };
  for (size_t i = 0; i < views_.size(); ++i) {
    const std::byte* begin = memory_[i].get();
    const std::byte* tail = begin + front_bytes_[i] + views_[i].bytes();
    if (!std::all_of(begin, begin + front_bytes_[i], is_guard)) {
      return ::testing::AssertionFailure() << "tensor " << i << ": written before its beginning";
    }
    if (!std::all_of(tail, tail + kTailBytes, is_guard)) {
      return ::testing::AssertionFailure() << "tensor " << i << ": written past its end";
    }
  }
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
  const CaseMemory inputs(c, 0);
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
