// Tokenizer::train.
#include <algorithm>
#include <unordered_set>

#include "base/error.h"
#include "base/utf8.h"
#include "inkstone/tokenizer.h"
#include "tokenizer/bpe_trainer.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/tokenizer_impl.h"

namespace inkstone {
namespace {

using TextSource = std::function<std::optional<std::string>()>;

// The checks that keep a special token apart from the ordinary ones.
void check_special_tokens(const TokenizerTrainOptions& options) {
  std::unordered_set<std::string> seen;
  for (const std::string& text : options.special_tokens) {
    if (!is_valid_utf8(text)) fail(ErrorCode::kUsage, "a special token is not valid UTF-8");
    if (text.empty() || static_cast<size_t>(decode_utf8(text, 0).size_bytes) == text.size()) {
      fail(ErrorCode::kUsage,
           "special token '{}' is too short, at least two characters are expected", text);
    }
    if (text.size() == 6 && text.starts_with("<0x") && text.ends_with('>')) {
      fail(ErrorCode::kUsage, "special token '{}' would be taken for the token of a byte", text);
    }
    if (!seen.insert(text).second)
      fail(ErrorCode::kUsage, "special token '{}' is listed twice", text);
  }
}

// Special tokens take the first ids, as with Hugging Face's trainers.
TokenizerSpec start_spec(const TokenizerTrainOptions& options) {
  TokenizerSpec spec;
  spec.type = options.type;
  for (const std::string& text : options.special_tokens) {
    spec.special_tokens.push_back(
        {.text = text, .id = static_cast<TokenId>(spec.special_tokens.size())});
  }
  return spec;
}

void append(TokenizerSpec& spec, std::string text) {
  const size_t id = spec.special_tokens.size() + spec.vocabulary.size();
  spec.vocabulary.push_back({std::move(text), static_cast<TokenId>(id)});
}

// Calls use(text) with every text that is not empty; throws when there is none. `use` returns false
// to stop.
template <typename Use>
void for_each_text(const TextSource& next_text, Use&& use) {
  bool any = false;
  while (std::optional<std::string> text = next_text()) {
    if (text->empty()) continue;
    any = true;
    if (!use(*text)) return;
  }
  if (!any) fail(ErrorCode::kInvalidData, "there is no text to learn a vocabulary from");
}

void check_vocab_size(const TokenizerTrainOptions& options) {
  const int64_t fixed = 256 + static_cast<int64_t>(options.special_tokens.size());
  if (options.vocab_size < fixed || options.vocab_size > kMaxTokenId) {
    fail(ErrorCode::kUsage,
         "a vocabulary of {} tokens, expected {} (256 bytes and {} special tokens) to {}",
         options.vocab_size, fixed, options.special_tokens.size(), kMaxTokenId);
  }
}

PieceCounts count_pieces(const TextSource& next_text, const TokenizerTrainOptions& options,
                         TokenizerTrainReport& report) {
  PieceCounts counts(options.runtime, options.memory_bytes);
  for_each_text(next_text, [&](std::string& text) {
    report.text_bytes += static_cast<int64_t>(text.size());
    counts.add(std::move(text));
    if (options.on_progress) options.on_progress({.text_bytes = report.text_bytes});
    return true;
  });
  counts.finish();
  report.pieces = counts.occurrences();
  report.distinct_pieces = counts.distinct();
  report.forgotten_pieces = counts.forgotten();
  report.undercount = counts.undercount();
  return counts;
}

BpeTrainOptions bpe_options(const TokenizerTrainOptions& options,
                            const TokenizerTrainReport& report) {
  BpeTrainOptions bpe{.runtime = options.runtime,
                      .vocab_size = options.vocab_size,
                      .min_frequency = options.min_frequency,
                      .max_token_length = options.max_token_length,
                      .first_id = static_cast<TokenId>(options.special_tokens.size()),
                      .reserved = {},
                      .on_merge = {}};
  for (const std::string& text : options.special_tokens) {
    if (auto bytes = from_byte_alphabet(text)) bpe.reserved.push_back(*std::move(bytes));
  }
  if (options.on_progress) {
    const int64_t wanted = options.vocab_size - 256 - bpe.first_id;
    bpe.on_merge = [&options, &report, wanted](int64_t merges) {
      options.on_progress(
          {.text_bytes = report.text_bytes, .merges = merges, .merges_wanted = wanted});
    };
  }
  return bpe;
}

TokenizerSpec train_bpe(const TextSource& next_text, const TokenizerTrainOptions& options,
                        TokenizerTrainReport& report) {
  check_vocab_size(options);
  const BpeTrainOptions bpe = bpe_options(options, report);
  LearnedBpe learned = learn_bpe(count_pieces(next_text, options, report), bpe);
  TokenizerSpec spec = start_spec(options);
  for (const std::string& token : learned.tokens) append(spec, to_byte_alphabet(token));
  for (const Merge& merge : learned.merges) {
    const auto text = [&](TokenId id) {
      return spec.vocabulary[static_cast<size_t>(id - bpe.first_id)].text;
    };
    spec.merges.emplace_back(text(merge.left), text(merge.right));
  }
  report.merge_counts = std::move(learned.merge_counts);
  return spec;
}

// The characters in order of their code points, then the bytes that no character of one byte stands
// for.
TokenizerSpec train_char(const TextSource& next_text, const TokenizerTrainOptions& options,
                         TokenizerTrainReport& report) {
  std::vector<bool> seen(0x110000);
  for_each_text(next_text, [&](const std::string& text) {
    report.text_bytes += static_cast<int64_t>(text.size());
    if (options.on_progress) options.on_progress({.text_bytes = report.text_bytes});
    for (size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text, at);
      if (step.ok) seen[step.code_point] = true;
      at += static_cast<size_t>(step.size_bytes);
    }
    return true;
  });
  TokenizerSpec spec = start_spec(options);
  for (uint32_t c = 0; c < seen.size(); ++c) {
    if (!seen[c]) continue;
    std::string text;
    append_utf8(text, c);
    append(spec, std::move(text));
  }
  for (uint32_t byte = 0; byte < 256; ++byte) {
    if (byte >= 0x80 || !seen[byte]) append(spec, byte_token_text(static_cast<uint8_t>(byte)));
  }
  return spec;
}

TokenizerSpec train_byte(const TextSource& next_text, const TokenizerTrainOptions& options) {
  for_each_text(next_text, [](const std::string&) { return false; });
  TokenizerSpec spec = start_spec(options);
  for (const uint8_t byte : bytes_in_alphabet_order()) {
    append(spec, to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  }
  return spec;
}

TokenizerSpec train_spec(const TextSource& next_text, const TokenizerTrainOptions& options,
                         TokenizerTrainReport& report) {
  check_special_tokens(options);
  switch (options.type) {
    case TokenizerType::kBpe: return train_bpe(next_text, options, report);
    case TokenizerType::kChar: return train_char(next_text, options, report);
    case TokenizerType::kByte: return train_byte(next_text, options);
  }
  fail(ErrorCode::kInternal, "unknown tokenizer type {}", static_cast<int>(options.type));
}

}  // namespace

int64_t TokenizerTrainReport::merges_seen(int64_t times) const {
  const auto end = std::partition_point(merge_counts.begin(), merge_counts.end(),
                                        [&](int64_t count) { return count >= times; });
  return end - merge_counts.begin();
}

Tokenizer Tokenizer::train(const TextSource& next_text, const TokenizerTrainOptions& options,
                           TokenizerTrainReport* report) {
  TokenizerTrainReport ignored;
  TokenizerTrainReport& result = report != nullptr ? *report : ignored;
  result = {};
  return Tokenizer(std::make_shared<const Impl>(train_spec(next_text, options, result)));
}

}  // namespace inkstone
