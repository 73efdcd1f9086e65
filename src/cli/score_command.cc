// `inkstone score` and `inkstone logits`: the conditional distribution P(x | y) in numbers.
#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/text_units.h"
#include "evaluate/rows.h"
#include "evaluate/scoring.h"
#include "formats/npy.h"
#include "inkstone/generator.h"
#include "inkstone/model.h"

namespace inkstone::cli {
namespace {

struct ScoreArguments {
  ComputeArguments compute;
  std::string model, context, completion, pairs, output, tokens;
  SpecialTokens special = SpecialTokens::kAsText;
  bool json = false;
};

Generator load_generator(const ScoreArguments& a, const Tokenizer& tokenizer) {
  return {Model::load(a.model, load_options(a.compute)), tokenizer};
}

// Blanks at the end of the context are the completion's.
struct SplitText {
  std::string context, completion;
};

SplitText split_at_blanks(const std::string& context, const std::string& completion) {
  const size_t end = evaluate::context_end(context);
  return {context.substr(0, end), context.substr(end) + completion};
}

// An empty context is the beginning of a document.
TextToScore scored_tokens(const SplitText& text, const Tokenizer& tokenizer,
                          SpecialTokens special) {
  TextToScore tokens = {.context = tokenizer.encode(text.context, special),
                        .completion = tokenizer.encode(text.completion, special)};
  if (tokens.context.empty()) tokens.context = {evaluate::first_token(tokenizer)};
  return tokens;
}

void tell_special_text(const Tokenizer& tokenizer, const std::string& text, const Message& where) {
  const auto id = tokenizer.first_special_token(text);
  if (!id) return;
  note(
      message("inkstone: note: the {} has the text '{}', which is taken as text and not as the "
              "special token (--special allow makes it that)",
              where, tokenizer.token_bytes(*id)));
}

int score_one(const ScoreArguments& a) {
  const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(a.model, a.compute.adapter));
  const SpecialTokens special = a.special;
  if (special == SpecialTokens::kAsText) {
    tell_special_text(tokenizer, a.context, marked("context"));
    tell_special_text(tokenizer, a.completion, marked("completion"));
  }
  const TextToScore text = scored_tokens(split_at_blanks(a.context, a.completion), tokenizer,
                                         special);
  const TextScore score = load_generator(a, tokenizer).score({&text, 1}).front();
  if (!a.json) {
    print(fmt::format("{:.6f}\n", score.log_prob()));
    return kExitDone;
  }
  Json tokens = Json::array();
  for (size_t i = 0; i < score.log_probs.size(); ++i) {
    const TokenId id = text.completion[i];
    tokens.push_back({{"id", id},
                      {"text", replace_invalid_utf8(tokenizer.token_bytes(id))},
                      {"log_prob", score.log_probs[i]}});
  }
  print(
      Json{{"log_prob", score.log_prob()}, {"greedy", score.is_greedy}, {"tokens", tokens}}.dump() +
      "\n");
  return kExitDone;
}

// A pair of --pairs on its way.
struct PairToScore {
  std::string scored;  // the completion, and the blanks that were moved to it
  TextToScore tokens;
};

std::vector<PairToScore> read_pairs(const std::string& path, const Tokenizer& tokenizer,
                                    SpecialTokens special) {
  std::vector<PairToScore> pairs;
  for (const evaluate::Row& row : evaluate::read_rows(path)) {
    with_context(row.place(), [&] {
      const std::string context = row.has("context") ? row.text("context") : "";
      SplitText text = split_at_blanks(context, row.text("completion"));
      TextToScore tokens = scored_tokens(text, tokenizer, special);
      if (tokens.completion.empty()) {
        fail(ErrorCode::kInvalidData, "the completion is empty: there is nothing to score");
      }
      pairs.push_back({std::move(text.completion), std::move(tokens)});
    });
  }
  return pairs;
}

std::string pair_line(const PairToScore& pair, const TextScore& score) {
  Letters letters;
  letters.add(pair.scored);
  const double total = score.log_prob();
  const auto tokens = static_cast<int64_t>(score.log_probs.size()),
             bytes = static_cast<int64_t>(pair.scored.size()), words = count_words(pair.scored);
  const auto per = [&](int64_t units) { return total / static_cast<double>(units); };
  Json json = {{"log_prob", total}, {"greedy", score.is_greedy}, {"tokens", tokens},
               {"bytes", bytes},    {"per_token", per(tokens)},  {"per_byte", per(bytes)}};
  if (words > 0 && letters.have_blanks_between_words()) {
    json["words"] = words;
    json["per_word"] = per(words);
  }
  return json.dump() + "\n";
}

// A line out for each line in, in their order, as soon as some of them are scored.
int score_pairs(const ScoreArguments& a) {
  constexpr size_t kBatch = 256;
  const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(a.model, a.compute.adapter));
  const auto pairs = read_pairs(a.pairs, tokenizer, a.special);
  Generator generator = load_generator(a, tokenizer);
  for (size_t at = 0; at < pairs.size(); at += kBatch) {
    const size_t end = std::min(at + kBatch, pairs.size());
    std::vector<TextToScore> texts;
    for (size_t i = at; i < end; ++i) texts.push_back(pairs[i].tokens);
    const std::vector<TextScore> scores = generator.score(texts);
    for (size_t i = at; i < end; ++i) print(pair_line(pairs[i], scores[i - at]));
  }
  return kExitDone;
}

int run_score(const ScoreArguments& a) {
  if (a.pairs.empty() == a.completion.empty()) {
    fail(ErrorCode::kUsage, "give one of --completion TEXT and --pairs FILE");
  }
  if (!a.pairs.empty() && (a.json || !a.context.empty())) {
    fail(ErrorCode::kUsage,
         "--pairs FILE has the contexts in it, and always prints JSON lines: give neither "
         "--context nor --json with it");
  }
  return a.pairs.empty() ? score_one(a) : score_pairs(a);
}

int run_logits(const ScoreArguments& a) {
  const auto tokens = parse_token_ids(a.tokens);
  const Model model = Model::load(a.model, load_options(a.compute));
  const auto logits = model.logits(tokens);
  write_npy(a.output, logits, {static_cast<int64_t>(tokens.size()), model.config().vocab_size});
  return kExitDone;
}

void add_model_options(CLI::App* c, ScoreArguments& a) {
  c->add_option("MODEL", a.model, "model or run folder")->required();
  add_compute_options(c, a.compute);
}

}  // namespace

void add_score_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<ScoreArguments>();
  CLI::App* c = add_command(
      app, selection, "score", "log P(completion | context) in nats",
      marked("  inkstone score run --context 'To be, or not' --completion ' to be'\n"
             "  inkstone score run --pairs pairs.jsonl"),
      [a] { return run_score(*a); });
  add_model_options(c, *a);
  c->add_option(
       "--context", a->context,
       "what comes before; empty: the beginning of a document. Blanks at its end are moved to "
       "the completion, as lm-eval does: a word's first token holds the blank before it, and "
       "parted from it the word is written as in no text that the model has seen")
      ->transform(text_as_typed());
  c->add_option("--completion", a->completion, "the text whose probability is asked for")
      ->transform(text_as_typed());
  c->add_option("--pairs", a->pairs,
                "many at once: JSON lines {\"context\": TEXT, \"completion\": TEXT}; a JSON line "
                "for each comes out in the same order, with log P in all, per token, word and byte")
      ->type_name("FILE");
  add_special_option(c, a->special,
                     marked("the text of a special token, such as <|endoftext|>, in context and "
                            "completion: taken as text, allowed as the token, or refused"));
  c->add_flag("--json", a->json, "a JSON object with every token's share");
}

void add_logits_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<ScoreArguments>();
  CLI::App* c = add_command(
      app, selection, "logits", "Logits as a NumPy file, for checking against other programs",
      marked("  inkstone logits run --tokens 1,2,3 -o logits.npy"), [a] { return run_logits(*a); });
  add_model_options(c, *a);
  const auto check = [](const std::string& text) {
    try {
      return parse_token_ids(text).empty() ? translated(marked("there is no token id in it"))
                                           : std::string();
    } catch (const Error& e) {
      return e.message().shown();
    }
  };
  c->add_option("--tokens", a->tokens, "token ids, separated by commas")->required()->check(check);
  c->add_option("-o,--output", a->output, "file for a float32 array (tokens, vocabulary)")
      ->required();
}

}  // namespace inkstone::cli
