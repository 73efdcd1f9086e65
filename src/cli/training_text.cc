#include "cli/training_text.h"

#include <algorithm>

#include "base/error.h"
#include "cli/reading_options.h"
#include "corpus/folder_layout.h"
#include "corpus/read/read_text.h"
#include "train/run_folder.h"

namespace inkstone::cli {
namespace {

constexpr int64_t kPiece = int64_t{1} << 16;

}  // namespace

TokenText::TokenText(const std::vector<std::filesystem::path>& folders, std::string_view split,
                     int64_t vocab_size) {
  for (const auto& folder : folders) {
    TokenStream stream(folder, std::string(split), vocab_size);
    if (stream.count() > 0) streams_.push_back(std::move(stream));
  }
}

TokenText::TokenText(const std::string& file, const ReadOptions& options,
                     const Tokenizer& tokenizer) {
  const ReadDocuments read = read_documents(file, options);
  note_sources(read.notes.sources);
  for (const std::string& text : read.documents) {
    const auto ids = tokenizer.encode(text);
    tokens_.insert(tokens_.end(), ids.begin(), ids.end());
    if (tokenizer.end_of_text()) tokens_.push_back(*tokenizer.end_of_text());
  }
  if (tokens_.empty()) fail(ErrorCode::kInvalidData, "'{}' has no text", file);
}

int64_t TokenText::count() const {
  auto count = static_cast<int64_t>(tokens_.size());
  for (const TokenStream& stream : streams_) count += stream.count();
  return count;
}

std::vector<TokenId> TokenText::read(int64_t begin, int64_t count) const {
  for (const TokenStream& stream : streams_) {
    if (begin < stream.count()) {
      std::vector<TokenId> tokens(static_cast<size_t>(std::min(count, stream.count() - begin)));
      stream.read(begin, tokens);
      return tokens;
    }
    begin -= stream.count();
  }
  const auto all = static_cast<int64_t>(tokens_.size());
  const auto from = tokens_.begin() + std::min(begin, all);
  return {from, from + std::min(count, all - std::min(begin, all))};
}

void TokenText::for_each_piece(
    const std::function<void(std::span<const TokenId> tokens, bool is_new)>& take) const {
  if (!tokens_.empty()) take(tokens_, true);
  std::vector<TokenId> piece;
  for (const TokenStream& stream : streams_) {
    for (int64_t begin = 0; begin < stream.count(); begin += kPiece) {
      piece.resize(static_cast<size_t>(std::min(kPiece, stream.count() - begin)));
      stream.read(begin, piece);
      take(piece, begin == 0);
    }
  }
}

std::vector<TokenId> TokenText::all() const {
  std::vector<TokenId> tokens;
  tokens.reserve(static_cast<size_t>(count()));
  for_each_piece([&](std::span<const TokenId> piece, bool) {
    tokens.insert(tokens.end(), piece.begin(), piece.end());
  });
  return tokens;
}

std::vector<std::filesystem::path> data_of_run(const std::string& model, const char* option) {
  const auto run = run_of_model(model);
  if (run && has_run_description(*run)) return read_run_description(*run).options.data;
  fail(ErrorCode::kUsage, "'{}' is no run: give the text that it was trained on with {}", model,
       option);
}

}  // namespace inkstone::cli
