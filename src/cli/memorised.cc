#include "cli/memorised.h"

#include <algorithm>
#include <array>

#include "base/rng.h"
#include "corpus/copies/suffix_automaton.h"
#include "inkstone/engine.h"

namespace inkstone::cli {
namespace {

using Tokens = std::vector<TokenId>;

// A place of a text: what stands there, and what follows it.
struct Place {
  Tokens prefix, following;
};

// Places with `prefix` + `following` tokens of one document, drawn by a seed; fewer where such are
// rare.
std::vector<Place> draw_places(const TokenText& text, const Tokenizer& tokenizer,
                               const MemorisedOptions& o) {
  constexpr int64_t kTries = 50;
  const int64_t length = o.prefix + o.continuation, last = text.count() - length;
  const Random random(o.seed, RandomStream::kSampling);
  std::vector<Place> places;
  for (int64_t i = 0; i < o.places * kTries && last >= 0; ++i) {
    if (std::ssize(places) == o.places) break;
    const double part = random.uniform(static_cast<uint64_t>(i));
    const Tokens tokens = text.read(static_cast<int64_t>(part * static_cast<double>(last + 1)),
                                    length);
    const auto end = tokenizer.end_of_text();
    if (std::ssize(tokens) < length || (end && std::ranges::count(tokens, *end) > 0)) continue;
    const auto middle = tokens.begin() + o.prefix;
    places.push_back({{tokens.begin(), middle}, {middle, tokens.end()}});
  }
  return places;
}

// What is written behind the prompts, all at once: the samples of the first, of the second, ...
std::vector<Tokens> write(Generator& generator, const std::vector<Tokens>& prompts,
                          const GenerateOptions& options) {
  Engine engine(generator);
  std::vector<std::vector<Completion>> written(prompts.size());
  std::exception_ptr failure;
  for (size_t i = 0; i < prompts.size(); ++i) {
    Request request{.prompt = {}, .tokens = prompts[i], .options = options};
    request.on_end = [&, i](std::vector<Completion> completions, std::exception_ptr error) {
      if (error) failure = error;
      written[i] = std::move(completions);
    };
    engine.submit(std::move(request));
  }
  while (!failure && engine.step()) {
  }
  if (failure) std::rethrow_exception(failure);
  std::vector<Tokens> texts;
  for (auto& completions : written) {
    for (Completion& completion : completions) texts.push_back(std::move(completion.tokens));
  }
  return texts;
}

std::vector<Tokens> write_samples(Generator& generator, const MemorisedOptions& o) {
  const GenerateOptions options{.max_tokens = o.sample_tokens,
                                .whole_characters = false,
                                .seed = o.seed,
                                .samples = o.samples};
  return write(generator, {generator.prompt_tokens("", SpecialTokens::kAsText)}, options);
}

std::vector<Tokens> continue_greedily(Generator& generator, const std::vector<Place>& places,
                                      const MemorisedOptions& o) {
  GenerateOptions options{.max_tokens = o.continuation, .whole_characters = false};
  options.sampling.temperature = 0;
  std::vector<Tokens> prompts;
  for (const Place& place : places) prompts.push_back(place.prefix);
  return write(generator, prompts, options);
}

// Passages of held-out text, each as long as a sample, up to the end of its document.
std::vector<Tokens> passages_like(const std::vector<Tokens>& samples, const TokenText& text,
                                  const Tokenizer& tokenizer, uint64_t seed) {
  const Random random(seed, RandomStream::kSampling);
  std::vector<Tokens> passages;
  for (size_t i = 0; i < samples.size() && text.count() > 0; ++i) {
    const auto begin = static_cast<int64_t>(random.uniform(i) * static_cast<double>(text.count()));
    Tokens tokens = text.read(begin, std::ssize(samples[i]));
    if (const auto end = tokenizer.end_of_text())
      tokens.erase(std::ranges::find(tokens, *end), tokens.end());
    passages.push_back(std::move(tokens));
  }
  return passages;
}

// Texts by their tokens and by their bytes, through which the training text goes once.
class CopySearch {
 public:
  explicit CopySearch(const Tokenizer& tokenizer) : tokenizer_(tokenizer) {}

  void add(const std::vector<Tokens>& texts) {
    for (const Tokens& text : texts) {
      texts_.push_back(tokenizer_.decode(text));
      by_token_.add(text);
      const auto* const bytes = reinterpret_cast<const uint8_t*>(texts_.back().data());
      by_byte_.add(std::vector<int32_t>(bytes, bytes + texts_.back().size()));
    }
  }

  void scan(const TokenText& training,
            const std::function<void(int64_t done, int64_t all)>& on_progress) {
    int64_t done = 0;
    training.for_each_piece([&](std::span<const TokenId> tokens, bool is_new) {
      if (is_new) break_text();
      for (const TokenId token : tokens) feed(token);
      done += std::ssize(tokens);
      if (on_progress) on_progress(done, training.count());
    });
    tokens_ = by_token_.longest();
    bytes_ = by_byte_.longest();
  }

  // Of the next texts, in the order in which they were added.
  CopiedParts take(size_t count) {
    CopiedParts parts;
    for (; count > 0; --count, ++taken_) {
      const VerbatimMatch& match = bytes_[taken_];
      const bool is_longest = std::ranges::none_of(
          parts.bytes, [&](int64_t bytes) { return bytes >= match.length; });
      if (is_longest) {
        parts.longest = texts_[taken_].substr(static_cast<size_t>(match.begin),
                                              static_cast<size_t>(match.length));
      }
      parts.bytes.push_back(match.length);
      parts.tokens.push_back(tokens_[taken_].length);
    }
    return parts;
  }

 private:
  void break_text() {
    by_token_.break_text();
    by_byte_.break_text();
  }
  void feed(TokenId token) {
    if (tokenizer_.end_of_text() == token) return break_text();
    by_token_.feed(token);
    for (const char c : tokenizer_.token_bytes(token)) by_byte_.feed(static_cast<uint8_t>(c));
  }

  const Tokenizer& tokenizer_;
  std::vector<std::string> texts_;
  SuffixAutomaton by_token_, by_byte_;
  std::vector<VerbatimMatch> tokens_, bytes_;
  size_t taken_ = 0;
};

std::vector<int64_t> equal_beginnings(const std::vector<Tokens>& written,
                                      const std::vector<Place>& places) {
  std::vector<int64_t> equal;
  for (size_t i = 0; i < written.size(); ++i) {
    const auto parted = std::ranges::mismatch(written[i], places[i].following);
    equal.push_back(parted.in1 - written[i].begin());
  }
  return equal;
}

}  // namespace

MemorisedReport measure_memorised(
    Generator& generator, const TokenText& training, const TokenText& held_out,
    const MemorisedOptions& options,
    const std::function<void(int64_t done, int64_t all)>& on_progress) {
  MemorisedOptions o = options;
  o.prefix = std::min(o.prefix, generator.model().config().context);
  const Tokenizer& tokenizer = generator.tokenizer();
  const std::vector<Place> places = draw_places(training, tokenizer, o),
                           others = draw_places(held_out, tokenizer, o);
  const auto samples = write_samples(generator, o);
  const std::array<std::vector<Tokens>, 4> texts = {
      samples, passages_like(samples, held_out, tokenizer, o.seed),
      continue_greedily(generator, places, o), continue_greedily(generator, others, o)};
  CopySearch search(tokenizer);
  for (const auto& some : texts) search.add(some);
  search.scan(training, on_progress);
  MemorisedReport report{.training_tokens = training.count(),
                         .held_out_tokens = held_out.count(),
                         .samples = search.take(texts[0].size()),
                         .held_out = search.take(texts[1].size()),
                         .continued = search.take(texts[2].size()),
                         .continued_held_out = search.take(texts[3].size()),
                         .continuation = o.continuation};
  report.continued.equal_tokens = equal_beginnings(texts[2], places);
  report.continued_held_out.equal_tokens = equal_beginnings(texts[3], others);
  return report;
}

}  // namespace inkstone::cli
