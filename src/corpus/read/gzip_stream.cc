#include "corpus/read/gzip_stream.h"

#include <zlib.h>

#include <algorithm>
#include <memory>
#include <new>
#include <utility>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr size_t kGzipBlock_bytes = 256 * 1024;
constexpr int kGzipOnly = 16 + MAX_WBITS;

}  // namespace

struct GzipStream::Input {
  explicit Input(ReadBytes compressed) : read(std::move(compressed)) {
    if (inflateInit2(&zlib, kGzipOnly) != Z_OK) throw std::bad_alloc();
  }
  Input(const Input&) = delete;
  Input& operator=(const Input&) = delete;
  ~Input() { inflateEnd(&zlib); }

  // False at the end of the compressed bytes.
  bool refill() {
    if (zlib.avail_in > 0) return true;
    const size_t got = ended ? 0 : read(block.get(), kGzipBlock_bytes);
    ended = got < kGzipBlock_bytes;
    zlib.next_in = reinterpret_cast<Bytef*>(block.get());
    zlib.avail_in = static_cast<uInt>(got);
    return got > 0;
  }

  // After the end of one file: true if another begins.
  bool start_next() {
    while (refill() && *zlib.next_in == 0) {
      ++zlib.next_in;
      --zlib.avail_in;
    }
    if (zlib.avail_in == 0) return false;
    inflateReset(&zlib);
    return true;
  }

  ReadBytes read;
  std::unique_ptr<char[]> block = std::make_unique_for_overwrite<char[]>(kGzipBlock_bytes);
  z_stream zlib{};
  bool ended = false;    // no more compressed bytes to read
  bool between = false;  // one file has ended, and the next not begun
};

GzipStream::GzipStream(ReadBytes compressed)
    : input_(std::make_unique<Input>(std::move(compressed))) {}
GzipStream::GzipStream(GzipStream&&) noexcept = default;
GzipStream::~GzipStream() = default;

size_t GzipStream::read_some(char* out, size_t size_bytes) {
  z_stream& zlib = input_->zlib;
  const uInt size = static_cast<uInt>(std::min(size_bytes, size_t{1} << 30));
  zlib.next_out = reinterpret_cast<Bytef*>(out);
  zlib.avail_out = size;
  while (zlib.avail_out == size) {
    if (input_->between && !input_->start_next()) return 0;
    input_->between = false;
    if (!input_->refill()) fail(ErrorCode::kInvalidData, "damaged: the gzip file is cut off");
    const int result = inflate(&zlib, Z_NO_FLUSH);
    input_->between = result == Z_STREAM_END;
    // What was decompressed before the damage goes out first; inflate then says the same again.
    if (result != Z_OK && result != Z_STREAM_END && zlib.avail_out == size) {
      fail(ErrorCode::kInvalidData, "damaged: gzip: {}",
           zlib.msg != nullptr ? zlib.msg : zError(result));
    }
  }
  return size - zlib.avail_out;
}

}  // namespace inkstone
