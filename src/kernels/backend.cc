#include "kernels/backend.h"

#include <utility>

#include "base/error.h"

namespace inkstone {

Buffer::Buffer(Backend& backend, int64_t bytes, Memory memory)
    : backend_(&backend),
      data_(memory == Memory::kReserved ? backend.reserve(bytes) : backend.allocate(bytes)),
      bytes_(bytes) {}

Buffer::Buffer(Buffer&& other) noexcept
    : backend_(other.backend_),
      data_(std::exchange(other.data_, nullptr)),
      bytes_(std::exchange(other.bytes_, 0)) {}

Buffer& Buffer::operator=(Buffer&& other) noexcept {
  std::swap(backend_, other.backend_);
  std::swap(data_, other.data_);
  std::swap(bytes_, other.bytes_);
  return *this;
}

Buffer::~Buffer() {
  if (data_ != nullptr) backend_->release(data_, bytes_);
}

View Buffer::view(DType type, const Shape& shape, int64_t offset_bytes) const {
  INK_CHECK(offset_bytes >= 0 && offset_bytes <= bytes_ &&
                checked_product(shape.count(), size_bytes(type)) <= bytes_ - offset_bytes,
            "view beyond its buffer");
  return {static_cast<std::byte*>(data_) + offset_bytes, type, shape};
}

std::unique_ptr<Backend> make_backend(const Runtime& runtime) {
  return runtime.device() == "cuda" ? make_cuda_backend(runtime) : make_cpu_backend(runtime);
}

}  // namespace inkstone
