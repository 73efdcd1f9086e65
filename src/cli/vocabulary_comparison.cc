#include "cli/vocabulary_comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "base/message.h"
#include "base/thread_pool.h"
#include "cli/terminal/columns.h"

namespace inkstone::cli {
namespace {

// With the columns that their numbers take.
constexpr std::pair<const char*, size_t> kHeadings[] = {{marked("size"), 10},
                                                        {marked("tokens"), 10},
                                                        {marked("bytes/token"), 11},
                                                        {marked("ratio"), 6}};

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
  const std::string name = translated(marked("vocabulary"));
  size_t width = std::max<size_t>(10, text_columns(name));
  for (const ComparedVocabulary& c : compared) width = std::max(width, text_columns(c.name));
  std::string table = left_aligned(name, width);
  for (const auto& [heading, columns] : kHeadings)
    table += "  " + right_aligned(translated(heading), columns);
  table += "\n";
  for (const ComparedVocabulary& c : compared) {
    table += left_aligned(c.name, width) +
             fmt::format("  {:>10}  {:>10}  {:>11.3f}  {:>6.3f}\n", c.vocab_size, c.tokens,
                         ratio(sample.bytes(), c.tokens), ratio(c.tokens, compared.front().tokens));
  }
  return table;
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
