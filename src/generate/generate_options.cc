#include "generate/generate_options.h"

#include "base/error.h"
#include "base/utf8.h"
#include "tokenizer/special_tokens.h"

namespace inkstone {

const OptionTable<SamplingOptions>& sampling_options() {
  using S = SamplingOptions;
  constexpr int64_t kMost = 1'000'000'000;
  static const auto table =
      OptionTable<S>()
          .add({.name = "temperature", .help = marked("0: always the most probable token")},
               &S::temperature, {.low = 0, .high = 100})
          .add({.name = "top-k", .help = marked("only the k most probable; 0: all")}, &S::top_k,
               {.low = 0, .high = kMost})
          .add({.name = "top-p",
                .help = marked("only the most probable that together have this probability")},
               &S::top_p, {.low = 0, .high = 1})
          .add({.name = "min-p", .help = marked("none below this part of the largest probability")},
               &S::min_p, {.low = 0, .high = 1})
          .add({.name = "repetition-penalty",
                .help = marked("above 1: tokens that occurred become less probable")},
               &S::repetition_penalty, {.low = 0.01, .high = 100})
          .add({.name = "repetition-window",
                .help = marked("how many last tokens it looks at; 0: all")},
               &S::repetition_window, {.low = 0, .high = kMost});
  return table;
}

const OptionTable<GenerateOptions>& generate_options() {
  using G = GenerateOptions;
  static const auto table =
      OptionTable<G>()
          .add({.name = "max-tokens", .help = marked("most tokens to write")}, &G::max_tokens,
               {.low = 0})
          .include(&G::sampling, sampling_options())
          .add({.name = "stop", .help = marked("end before this text; may be given several times")},
               &G::stop)
          .add({.name = "stop-keep",
                .help = marked("the --stop text that ends a text stays at its end, such as a full "
                               "stop")},
               &G::keep_stop)
          .add({.name = "ignore-eos", .help = marked("write on past the end mark")},
               &G::ignore_end_of_text)
          .add({.name = "bytes",
                .help = marked("write any bytes, not UTF-8 alone: for models of other text, and to "
                               "compare with programs that do so"),
                .when_given = false},
               &G::whole_characters)
          .add({.name = "samples", .help = marked("continuations of each prompt"), .letter = "n"},
               &G::samples, {.low = 1, .high = 1'000'000})
          .add({.name = "logprobs",
                .help = marked("with --json: of every token its log-probability and the likeliest "
                               "tokens in its place, so many; 0: none")},
               &G::log_probs, {.low = 0, .high = 20})
          .add({.name = "special",
                .help = marked("the text of a special token, such as <|endoftext|>, in a prompt: "
                               "taken as text, allowed as the token, or refused"),
                .in = {.command = "chat",
                       .help = marked("the text of a special token, such as <|endoftext|>, in what "
                                      "you type: taken as text, allowed as the token, or "
                                      "refused")}},
               &G::special, kSpecialTokensNames);
  return table;
}

void validate(const SamplingOptions& options) {
  SamplingOptions copy = options;
  validate(sampling_options().bind(copy));
}

void validate(const GenerateOptions& options) {
  GenerateOptions copy = options;
  validate(generate_options().bind(copy));
  for (const std::string& stop : options.stop) {
    if (stop.empty()) fail(ErrorCode::kUsage, "a stop string is empty");
    if (!options.whole_characters || is_valid_utf8(stop)) continue;
    fail(ErrorCode::kUsage,
         "the stop string '{}' is not UTF-8, which what is written is: give other text, or write "
         "any bytes (--bytes)",
         replace_invalid_utf8(stop));
  }
}

}  // namespace inkstone
