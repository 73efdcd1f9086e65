#include "tokenizer/pre_tokenizer_spec.h"

#include <algorithm>
#include <array>

#include "tokenizer/class_pre_tokenizer.h"
#include "tokenizer/regex_pre_tokenizer.h"
#include "tokenizer/sequence_pre_tokenizer.h"
#include "tokenizer/word_pre_tokenizer.h"

namespace inkstone {
namespace {

using Spec = PreTokenizerSpec;
using Pointer = std::unique_ptr<const PreTokenizer>;

constexpr std::array<std::string_view, 2> kGpt2Patterns = {
    R"('s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
    R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+)",
};

bool is_gpt2_pattern(std::string_view pattern) {
  return std::find(kGpt2Patterns.begin(), kGpt2Patterns.end(), pattern) != kGpt2Patterns.end();
}

Pointer make_numbers(size_t max_length) {
  return std::make_unique<ClassPreTokenizer>(ClassPreTokenizer::Class::kNumber, max_length);
}

Pointer make_split(const std::string& pattern) {
  if (is_gpt2_pattern(pattern)) return std::make_unique<Gpt2PreTokenizer>();
  if (const auto rules = find_word_rules(pattern))
    return std::make_unique<WordPreTokenizer>(*rules);
  if (pattern == R"(\p{N})") return make_numbers(1);
  if (pattern == R"(\p{N}{1,3})") return make_numbers(3);
  return std::make_unique<RegexPreTokenizer>(pattern);
}

Pointer make_step(const Spec::Step& step) {
  const size_t length = step.is_grouped ? ClassPreTokenizer::kNoLimit : 1;
  switch (step.kind) {
    case Spec::Kind::kRegex: return make_split(step.pattern);
    case Spec::Kind::kString: return std::make_unique<RegexPreTokenizer>(quote_regex(step.pattern));
    case Spec::Kind::kDigits: return make_numbers(length);
    case Spec::Kind::kPunctuation:
      return std::make_unique<ClassPreTokenizer>(ClassPreTokenizer::Class::kPunctuation, length);
    case Spec::Kind::kGpt2: break;
  }
  return std::make_unique<Gpt2PreTokenizer>();
}

}  // namespace

bool covers_every_text(const std::string& pattern) {
  return is_gpt2_pattern(pattern) || find_word_rules(pattern).has_value();
}

std::unique_ptr<const PreTokenizer> make_pre_tokenizer(const PreTokenizerSpec& spec) {
  if (spec.steps.size() == 1) return make_step(spec.steps[0]);
  std::vector<SequencePreTokenizer::Step> steps;
  for (const Spec::Step& step : spec.steps) {
    Pointer made = make_step(step);
    const bool is_local = dynamic_cast<const ClassPreTokenizer*>(made.get()) != nullptr;
    steps.push_back({std::move(made), is_local});
  }
  return std::make_unique<SequencePreTokenizer>(std::move(steps));
}

}  // namespace inkstone
