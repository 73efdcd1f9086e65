#include "corpus/read/documents.h"

#include "base/error.h"
#include "corpus/read/byte_source.h"
#include "corpus/read/document_reader.h"

namespace inkstone {
namespace {

constexpr size_t kBlock_bytes = size_t{1} << 20;

std::string read_to_end(ByteSource& source) {
  std::string text;
  for (size_t got = kBlock_bytes; got == kBlock_bytes;) {
    const size_t old = text.size();
    text.resize(old + kBlock_bytes);
    got = source.read(text.data() + old, kBlock_bytes);
    text.resize(old + got);
  }
  return text;
}

}  // namespace

std::optional<std::string> read_document_file(const std::filesystem::path& path, std::string& why_not) {
  try {
    ByteSource source(path);
    std::string text = read_to_end(source);
    why_not = reason_against(text);
    if (!why_not.empty()) return std::nullopt;
    text.erase(0, byte_order_mark_size(text));
    return text;
  } catch (const Error& e) {
    why_not = fmt::format("unreadable: {}", e.what());
    return std::nullopt;
  }
}

std::vector<std::string> split_documents(std::string text) {
  // In one block, so that every document is one piece.
  DocumentReader reader(read_from(text), text.size() + 1);
  std::vector<std::string> documents;
  DocumentPiece piece;
  while (reader.next(piece)) documents.emplace_back(piece.text);
  return documents;
}

}  // namespace inkstone
