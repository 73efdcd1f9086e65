// One file, or one member of an archive: what it is, and its documents.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "corpus/read/document_source.h"
#include "inkstone/message.h"

namespace inkstone {

// A stream whose first bytes have been looked at.
class HeadedStream {
 public:
  explicit HeadedStream(ReadBytes read, size_t head_bytes = kHead_bytes);

  std::string_view head() const { return head_; }
  void skip(size_t size_bytes) { at_ = size_bytes; }
  size_t read(char* out, size_t size_bytes);  // as ReadBytes

 private:
  ReadBytes read_;
  std::string head_;
  size_t at_ = 0;
};

class MemberReader {
 public:
  virtual ~MemberReader() = default;
  virtual bool next(DocumentPiece& piece) = 0;
  virtual int64_t document() const = 0;  // the number of the current one
  virtual int64_t replaced() const = 0;
  virtual SourceFacts facts(const std::string& source) const = 0;  // at its end
  // Why it ended before its end, where its bytes alone do not tell; else empty.
  virtual Message why_ended() const { return ""; }
};

// Called for each document that is left out.
using OnRecord = std::function<void(int64_t document, const Message& reason)>;

// The reader for what `stream` holds; null with a reason when it holds no text. Throws kUsage for
// an unknown encoding.
std::unique_ptr<MemberReader> open_member(const std::string& name,
                                          const std::shared_ptr<HeadedStream>& stream,
                                          const ReadOptions& options, const SourceHooks& hooks,
                                          OnRecord on_dropped, Message& why_not);

}  // namespace inkstone
