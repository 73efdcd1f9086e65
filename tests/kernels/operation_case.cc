#include "kernels/operation_case.h"

#include <cmath>
#include <limits>

#include "kernels/cpu/half.h"
#include "kernels/dropout_hash.h"

namespace inkstone::test {
namespace {

double uniform(int index, int64_t element) {
  const auto low = static_cast<uint32_t>(element), high = static_cast<uint32_t>(element >> 32);
  return mix32(mix32(low ^ mix32(high + 1)) + static_cast<uint32_t>(index) * 0x9E3779B9u) * 0x1p-32;
}

double get(ConstView from, int64_t i) {
  switch (from.dtype) {
    case DType::kF32: return from.as<float>()[i];
    case DType::kBF16: return to_float(from.as<bf16>()[i]);
    case DType::kF16: return half_to_float(static_cast<const f16*>(from.data)[i].bits);
    case DType::kF64: return from.as<double>()[i];
    case DType::kI32: return from.as<int32_t>()[i];
    case DType::kI8: return static_cast<const int8_t*>(from.data)[i];
    default: INK_CHECK(false, "a test tensor of this type");
  }
  return 0;
}

}  // namespace

void put(View to, int64_t i, double x) {
  switch (to.dtype) {
    case DType::kF32: static_cast<float*>(to.data)[i] = static_cast<float>(x); break;
    case DType::kBF16: static_cast<bf16*>(to.data)[i] = to_bf16(static_cast<float>(x)); break;
    case DType::kF16: static_cast<f16*>(to.data)[i] = to_f16(static_cast<float>(x)); break;
    case DType::kF64: static_cast<double*>(to.data)[i] = x; break;
    case DType::kI32:
      static_cast<int32_t*>(to.data)[i] = static_cast<int32_t>(std::floor(x));
      break;
    case DType::kI8: static_cast<int8_t*>(to.data)[i] = static_cast<int8_t>(std::floor(x)); break;
    default: INK_CHECK(false, "a test tensor of this type");
  }
}

void fill(const TensorSpec& tensor, int index, View to) {
  for (int64_t i = 0; i < to.count(); ++i) {
    if (!tensor.given.empty()) {
      put(to, i, tensor.given[i]);
    } else if (tensor.role == Role::kOutput) {
      put(to, i, std::numeric_limits<double>::quiet_NaN());
    } else {
      put(to, i, tensor.low + (tensor.high - tensor.low) * uniform(index, i));
    }
  }
}

std::vector<double> to_doubles(ConstView view) {
  std::vector<double> values(view.count());
  for (int64_t i = 0; i < view.count(); ++i) values[i] = get(view, i);
  return values;
}

HostTensors::HostTensors(const OperationCase& c, int64_t guard_bytes, int64_t offset) {
  for (size_t i = 0; i < c.tensors.size(); ++i) {
    const TensorSpec& t = c.tensors[i];
    const int64_t element = size_bytes(t.type), front = guard_bytes + offset * element;
    memory_.emplace_back(front + t.shape.count() * element + guard_bytes, kGuard);
    views_.push_back({memory_.back().data() + front, t.type, t.shape});
    fill(t, static_cast<int>(i), views_.back());
  }
  if (c.prepare) c.prepare(views_);
}

Values::Values(const std::vector<TensorSpec>& tensors, Views views, int64_t lanes) : lanes_(lanes) {
  for (size_t i = 0; i < tensors.size(); ++i) {
    values_.push_back(to_doubles(views[i]));
    bounds_.emplace_back(values_.back().size(), 0.0);
  }
}

void Values::set_bound(int i, const std::function<double(int64_t)>& bound_of_element) {
  for (size_t e = 0; e < bounds_[i].size(); ++e)
    bounds_[i][e] = bound_of_element(static_cast<int64_t>(e));
}

double OperationCase::bytes() const {
  if (bytes_of_rows > 0) return bytes_of_rows;
  double sum = 0;
  for (const auto& t : tensors) {
    sum += static_cast<double>(t.shape.count() * size_bytes(t.type)) *
           (t.role == Role::kUpdated ? 2 : 1);
  }
  return sum;
}

}  // namespace inkstone::test
