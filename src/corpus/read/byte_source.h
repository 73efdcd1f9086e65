// Bytes of a file, a pipe or standard input, in order.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstring>
#include <filesystem>
#include <functional>
#include <string>
#include <string_view>

namespace inkstone {

// Reads `size_bytes` into `out` and returns how many it read: fewer only at the end.
using ReadBytes = std::function<size_t(char* out, size_t size_bytes)>;

// Reads bytes in memory, which must outlive the reader.
ReadBytes read_from(std::string_view bytes);

// Appends what `read` gives to `text`, at most `size_bytes`, and returns how many these were: fewer
// only at the end. Grows with what comes, so that thousands of small inputs do not cost the memory
// of large ones.
size_t read_more(const ReadBytes& read, size_t size_bytes, std::string& text);

// What a stream has made and not yet handed out.
struct MadeText {
  std::string text;
  size_t at = 0;  // the first byte that is still to be handed out

  // Hands out up to `size_bytes`, and returns how many these were: fewer only at the end. When
  // there is nothing left, `make_more()` replaces the text; it returns false at the end.
  template <typename F>
  size_t read(char* out, size_t size_bytes, F&& make_more) {
    size_t done = 0;
    while (done < size_bytes) {
      if (at == text.size()) {
        at = 0;
        text.clear();
        if (!make_more()) break;
      }
      const size_t n = std::min(size_bytes - done, text.size() - at);
      std::memcpy(out + done, text.data() + at, n);
      at += n;
      done += n;
    }
    return done;
  }
};

class ByteSource {
 public:
  // "-" is standard input. Throws kNotFound or kInputOutput; the text is the system's reason alone
  // ("Permission denied"), for the caller knows the path.
  explicit ByteSource(const std::filesystem::path& path);
  ByteSource(ByteSource&& other) noexcept;
  ByteSource& operator=(ByteSource&&) = delete;
  ~ByteSource();

  // Reads `size_bytes`, fewer only at the end. Throws as the constructor.
  size_t read(char* out, size_t size_bytes);

  // Reads what one call of the system gives, at most `size_bytes`; 0 only at the end. Throws as the
  // constructor.
  size_t read_some(char* out, size_t size_bytes);

 private:
  int fd_ = -1;
  bool owned_ = true;
};

// How much of a file's beginning decides whether it is text.
inline constexpr size_t kHead_bytes = 64 * 1024;

}  // namespace inkstone
