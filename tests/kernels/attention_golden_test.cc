// Attention against PyTorch's scaled_dot_product_attention with boolean masks, in double precision
// (tools/make_attention_fixtures.py): the reference within the rounding of doubles, the kernels
// within that of floats.
#include <cstring>

#include "formats/safetensors.h"
#include "kernels/harness.h"
#include "support.h"

namespace inkstone::test {
namespace {

using Doubles = std::vector<double>;

template <typename T>
Doubles numbers(const StoredTensor& tensor) {
  std::vector<T> values(tensor.bytes.size() / sizeof(T));
  std::memcpy(values.data(), tensor.bytes.data(), tensor.bytes.size());
  return {values.begin(), values.end()};
}

class GoldenAttention : public ::testing::TestWithParam<const char*> {
 protected:
  Doubles input(const std::string& name) const { return numbers<float>(file_.at(name)); }
  Doubles result(const std::string& name) const { return numbers<double>(file_.at(of(name))); }
  std::vector<int32_t> keys(const std::string& name) const {
    const Doubles values = numbers<int32_t>(file_.at(of(name)));
    return {values.begin(), values.end()};
  }
  AttentionCase the_case() const {
    const auto &q = file_.at("q").shape, &k = file_.at("k").shape;
    return {.B = q[0],
            .T = q[1],
            .NH = q[2],
            .HS = q[3],
            .mask = KeyMask::kGiven,
            .queries_per_key_head = q[2] / k[2],
            .given_first = keys("first_keys"),
            .given_last = keys("last_keys")};
  }
  // Rows q | k | v.
  Doubles packed(const Doubles& q, const Doubles& k, const Doubles& v) const {
    const auto rows = static_cast<int64_t>(file_.at("q").shape[0] * file_.at("q").shape[1]);
    Doubles all;
    for (int64_t r = 0; r < rows; ++r) {
      for (const Doubles* x : {&q, &k, &v}) {
        const int64_t width = std::ssize(*x) / rows;
        all.insert(all.end(), x->begin() + r * width, x->begin() + (r + 1) * width);
      }
    }
    return all;
  }

 private:
  std::string of(const std::string& name) const { return std::string(GetParam()) + "." + name; }
  const SafetensorsFile file_{fixture("attention/golden.safetensors")};
};

void put_all(View to, const Doubles& values) {
  ASSERT_EQ(to.count(), std::ssize(values));
  for (int64_t i = 0; i < to.count(); ++i) put(to, i, values[i]);
}

// Tensor `index` after the operation, on every instruction set, and in the reference, whose bounds
// are the kernels' by the ratio of the units, for each of the two that are compared.
void expect_golden(const OperationCase& operation, const CaseMemory& memory, int index,
                   const Doubles& want) {
  constexpr double kRatioOfUnits = 0x1p-53 / kUnit;
  Values expected(operation.tensors, memory.views(), 4);
  operation.expect(expected);
  Doubles of_doubles = expected.bound(index);
  for (double& bound : of_doubles) bound *= 2 * kRatioOfUnits;
  EXPECT_TRUE(within_bounds(expected[index], want, of_doubles, DType::kF64));
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    operation.run(cpu(), memory.views());
    EXPECT_TRUE(
        within_bounds(to_doubles(memory.views()[index]), want, expected.bound(index), DType::kF32));
  }
}

TEST_P(GoldenAttention, Forward) {
  const OperationCase operation = attention_forward_case(the_case());
  const CaseMemory memory(operation, 0);
  put_all(memory.views()[0], packed(input("q"), input("k"), input("v")));
  expect_golden(operation, memory, 1, result("out"));
  expect_golden(operation, memory, 2, result("lse"));
}

TEST_P(GoldenAttention, Backward) {
  const OperationCase operation = attention_backward_case(the_case());
  const CaseMemory memory(operation, 0);
  put_all(memory.views()[0], packed(input("q"), input("k"), input("v")));
  put_all(memory.views()[3], input("dout"));
  operation.prepare(memory.views());
  expect_golden(operation, memory, 4, packed(result("dq"), result("dk"), result("dv")));
}

INSTANTIATE_TEST_SUITE_P(Masks, GoldenAttention, ::testing::Values("causal", "documents", "prefix"),
                         [](const auto& mask) { return std::string(mask.param); });

}  // namespace
}  // namespace inkstone::test
