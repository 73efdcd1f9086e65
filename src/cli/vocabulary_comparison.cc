#include "cli/vocabulary_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>

#include "base/message.h"
#include "base/thread_pool.h"
#include "cli/terminal/columns.h"

namespace inkstone::cli {
namespace {

double ratio(int64_t a, int64_t b) {
  return static_cast<double>(a) / static_cast<double>(std::max<int64_t>(1, b));
}

}  // namespace

void TextSample::add(std::string_view text) {
  if (bytes_ >= limit_bytes_) return;
  texts_.emplace_back(text);
  bytes_ += static_cast<int64_t>(text.size());
}

ComparedVocabulary measure_vocabulary(const std::string& name, const Tokenizer& tokenizer,
                                      const TextSample& sample, const Runtime& runtime) {
  const std::vector<std::string>& texts = sample.texts();
  std::vector<int64_t> tokens(texts.size());
  runtime.pool().parallel_each(static_cast<int64_t>(texts.size()), [&](int64_t i, int) {
    const auto at = static_cast<size_t>(i);
    tokens[at] = static_cast<int64_t>(tokenizer.encode(texts[at]).size());
  });
  return {.name = name,
          .vocab_size = tokenizer.vocab_size(),
          .tokens = std::accumulate(tokens.begin(), tokens.end(), int64_t{0})};
}

std::string comparison_table(const std::vector<ComparedVocabulary>& compared,
                             const TextSample& sample) {
  std::vector<std::vector<std::string>> rows = {
      {translated(marked("vocabulary")), translated(marked("size")), translated(marked("tokens")),
       translated(marked("bytes/token")), translated(marked("ratio"))}};
  for (const ComparedVocabulary& c : compared) {
    rows.push_back({c.name, std::to_string(c.vocab_size), std::to_string(c.tokens),
                    fmt::format("{:.3f}", ratio(sample.bytes(), c.tokens)),
                    fmt::format("{:.3f}", ratio(c.tokens, compared.front().tokens))});
  }
  return aligned_table(rows);
}

Json comparison_json(const std::vector<ComparedVocabulary>& compared, const TextSample& sample) {
  Json list = Json::array();
  for (const ComparedVocabulary& c : compared) {
    list.push_back(Json{{"tokenizer", c.name},
                        {"vocab_size", c.vocab_size},
                        {"tokens", c.tokens},
                        {"bytes_per_token", ratio(sample.bytes(), c.tokens)},
                        {"ratio", ratio(c.tokens, compared.front().tokens)}});
  }
  return list;
}

}  // namespace inkstone::cli
