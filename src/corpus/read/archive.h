// Compressed files and archives, read member by member through libarchive.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>

#include "corpus/read/byte_source.h"
#include "inkstone/message.h"

namespace inkstone {

// "gzip", "xz", "zstd", "bzip2", "zip" or "tar" for a file that begins with `head`; "" for all
// else.
std::string_view container_name(std::string_view head);

// Streams: memory is that of the decompressor, whatever the sizes that the archive claims or holds.
class Archive {
 public:
  struct Member {
    // Inside the archive; "" for a compressed file that is no archive. UTF-8, or bytes in an
    // encoding that nothing tells: programs of Windows write its own.
    std::string name;
    // Why its content is not to be read ("hidden", "a link", "encrypted"), else empty.
    Message why_not;
  };

  // `read` gives the archive's own bytes, and may give fewer than asked for before the end, where
  // it gives none. Throws what `read` throws.
  explicit Archive(ReadBytes read);
  Archive(const Archive&) = delete;
  Archive& operator=(const Archive&) = delete;
  ~Archive();

  // The next member, in the archive's order; false at the end. Throws kInvalidData for a damaged
  // archive, of which nothing more can be read.
  bool next(Member& member);

  // The next bytes of the current member, at most `size_bytes`; 0 at its end. Throws kInvalidData
  // when what follows is damaged or encrypted; the next member may still be readable.
  size_t read_some(char* out, size_t size_bytes);

 private:
  friend ReadBytes decompress(ReadBytes compressed);
  struct Input;
  explicit Archive(std::unique_ptr<Input> input);
  std::unique_ptr<Input> input_;
};

// What a file in xz, zstd or bzip2 holds, whatever that is: an archive in it is not opened. Throws
// as Archive does, after all that could be decompressed.
ReadBytes decompress(ReadBytes compressed);

}  // namespace inkstone
