// `inkstone score`, `inkstone logits` and `inkstone eval`: the conditional distribution P(x | y) in
// numbers.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/command.h"
#include "cli/reading_options.h"
#include "corpus/clean/words.h"
#include "corpus/read/read_text.h"
#include "formats/npy.h"
#include "inkstone/generator.h"
#include "inkstone/model.h"
#include "tokenizer/unicode_classes.h"

namespace inkstone::cli {
namespace {

struct ScoreArguments {
  ComputeArguments compute;
  std::string model, context, completion, output, tokens, file, task = "perplexity";
  SpecialTokens special = SpecialTokens::kAsText;
  bool json = false, raw = false;
  ReadingArguments reading;
};

Generator load_generator(const ScoreArguments& a, const Tokenizer& tokenizer) {
  return {Model::load(a.model, load_options(a.compute)), tokenizer};
}

// Tokens of a context: an empty one is the beginning of a document.
std::vector<TokenId> context_tokens(const Tokenizer& tokenizer, const std::string& text,
                                    SpecialTokens special = SpecialTokens::kAsText) {
  auto tokens = tokenizer.encode(text, special);
  if (!tokens.empty()) return tokens;
  if (const auto begin = tokenizer.begin_of_text()) return {*begin};
  fail(
      ErrorCode::kUsage,
      "there is nothing that the first token could follow: the context is empty, and the model has "
      "no token that begins a text (bos_token or eos_token in tokenizer_config.json, or their ids "
      "in config.json)");
}

// Where the white space at the end of a text begins.
size_t trailing_blanks(std::string_view text) {
  size_t end = text.size();
  while (end > 0) {
    size_t at = end - 1;
    while (at > 0 && (static_cast<uint8_t>(text[at]) & 0xC0) == 0x80) --at;
    const Utf8Step step = decode_utf8(text, at);
    const bool is_whole = step.ok && at + static_cast<size_t>(step.size_bytes) == end;
    if (!is_whole || UnicodeClasses::instance()[step.code_point] != CharClass::kWhiteSpace) break;
    end = at;
  }
  return end;
}

void tell_special_text(const Tokenizer& tokenizer, const std::string& text, const Message& where) {
  const auto id = tokenizer.first_special_token(text);
  if (!id) return;
  note(
      message("inkstone: note: the {} has the text '{}', which is taken as text and not as the "
              "special token (--special allow makes it that)",
              where, tokenizer.token_bytes(*id)));
}

int run_score(const ScoreArguments& a) {
  const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(a.model, a.compute.adapter));
  const SpecialTokens special = a.special;
  if (special == SpecialTokens::kAsText) {
    tell_special_text(tokenizer, a.context, marked("context"));
    tell_special_text(tokenizer, a.completion, marked("completion"));
  }
  const size_t blanks = trailing_blanks(a.context);
  const TextToScore text = {
      .context = context_tokens(tokenizer, a.context.substr(0, blanks), special),
      .completion = tokenizer.encode(a.context.substr(blanks) + a.completion, special)};
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

int run_logits(const ScoreArguments& a) {
  const auto tokens = parse_token_ids(a.tokens);
  const Model model = Model::load(a.model, load_options(a.compute));
  const auto logits = model.logits(tokens);
  write_npy(a.output, logits, {static_cast<int64_t>(tokens.size()), model.config().vocab_size});
  return kExitDone;
}

// What stands between white space.
int64_t count_words(std::string_view text) {
  int64_t words = 0;
  bool inside = false;
  for (const char c : text) {
    const bool space = std::string_view(" \t\r\n\v\f").find(c) != std::string_view::npos;
    words += !space && !inside;
    inside = !space;
  }
  return words;
}

// The bytes of the file as one document, or its documents as prepare reads them.
std::vector<std::string> texts_to_score(const ScoreArguments& a) {
  if (a.raw) return {read_input(a.file)};
  ReadDocuments read = read_documents(a.file, a.reading.read_options());
  for (const DroppedDocument& d : read.notes.left_out)
    note(message("left out: {} #{}: {}", shown_source(d.source), d.document, d.reason));
  note_sources(read.notes.sources);
  return std::move(read.documents);
}

// Letters of a text, and those of them that are written without blanks between words.
struct Letters {
  int64_t all = 0, unspaced = 0;

  void add(std::string_view text) {
    for (size_t at = 0; at < text.size();) {
      const Utf8Step step = decode_utf8(text, at);
      at += static_cast<size_t>(step.size_bytes);
      if (!step.ok || UnicodeClasses::instance()[step.code_point] != CharClass::kLetter) continue;
      ++all;
      unspaced += is_unspaced_letter(step.code_point);
    }
  }
  bool have_blanks_between_words() const { return 2 * unspaced <= all; }
};

struct TextTotal {
  double nats = 0;
  int64_t tokens = 0, bytes = 0, characters = 0, words = 0, documents = 0;
  Letters letters;

  double per(int64_t units) const { return nats / static_cast<double>(units); }
  // Of text without blanks between words there is nothing to say of words.
  bool has_words() const { return words > 0 && letters.have_blanks_between_words(); }
  bool has_characters() const { return characters > 0; }
  double bits_per_byte() const { return per(bytes) / std::log(2.0); }
};

// Each document from the start mark on and, where there are several, with the end mark behind it:
// as prepare writes them.
TextTotal score_texts(const std::vector<std::string>& texts, const Tokenizer& tokenizer,
                      Generator& generator) {
  TextTotal total;
  std::vector<TextToScore> to_score;
  for (const std::string& text : texts) {
    auto tokens = tokenizer.encode(text);
    if (tokens.empty()) continue;
    if (texts.size() > 1 && tokenizer.end_of_text()) tokens.push_back(*tokenizer.end_of_text());
    total.tokens += static_cast<int64_t>(tokens.size());
    total.bytes += static_cast<int64_t>(text.size());
    total.characters += count_characters(text);
    total.words += count_words(text);
    total.letters.add(text);
    ++total.documents;
    to_score.push_back({context_tokens(tokenizer, ""), std::move(tokens)});
  }
  for (const TextScore& score : generator.score(to_score)) total.nats -= score.log_prob();
  return total;
}

Json eval_json(const TextTotal& t) {
  Json json = {{"task", "perplexity"},
               {"documents", t.documents},
               {"tokens", t.tokens},
               {"bytes", t.bytes},
               {"characters", t.characters},
               {"loss", t.per(t.tokens)},
               {"perplexity", std::exp(t.per(t.tokens))},
               {"bits_per_byte", t.bits_per_byte()}};
  if (t.has_characters()) json["nats_per_character"] = t.per(t.characters);
  if (t.has_words()) json["word_perplexity"] = std::exp(t.per(t.words));
  return json;
}

std::string eval_text(const TextTotal& t) {
  std::string text = t.documents > 1 ? localized("{} documents, ", t.documents) : "";
  text += localized("{} tokens, {} bytes, {} characters: {:.4f} nats per token", t.tokens, t.bytes,
                    t.characters, t.per(t.tokens));
  if (t.has_characters()) text += localized(", {:.4f} per character", t.per(t.characters));
  text += localized(", {:.4f} bits per byte\nperplexity {:.5g} per token", t.bits_per_byte(),
                    std::exp(t.per(t.tokens)));
  if (t.has_words())
    text += localized(", {:.5g} per word (separated by white space)", std::exp(t.per(t.words)));
  return text + "\n";
}

int run_eval(const ScoreArguments& a) {
  const std::vector<std::string> texts = texts_to_score(a);
  const Tokenizer tokenizer = Tokenizer::load(find_tokenizer(a.model, a.compute.adapter));
  Generator generator = load_generator(a, tokenizer);
  const TextTotal total = score_texts(texts, tokenizer, generator);
  if (total.tokens == 0) fail(ErrorCode::kInvalidData, "'{}' has no text", a.file);
  print(a.json ? eval_json(total).dump() + "\n" : eval_text(total));
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
      marked("  inkstone score run --context 'To be, or not' --completion ' to be'"),
      [a] { return run_score(*a); });
  add_model_options(c, *a);
  c->add_option(
       "--context", a->context,
       "what comes before; empty: the beginning of a document. Blanks at its end are moved to "
       "the completion, as lm-eval does: a word's first token holds the blank before it, and "
       "parted from it the word is written as in no text that the model has seen")
      ->transform(text_as_typed());
  c->add_option("--completion", a->completion, "the text whose probability is asked for")
      ->required()
      ->transform(text_as_typed());
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

void add_eval_command(CLI::App& app, Selection& selection) {
  auto a = std::make_shared<ScoreArguments>();
  CLI::App* c = add_command(app, selection, "eval", "Perplexity of a text",
                            marked("  inkstone eval run --task perplexity book.txt"),
                            [a] { return run_eval(*a); });
  add_model_options(c, *a);
  c->add_option("FILE", a->file,
                "text of any kind that prepare reads, or - for standard input; each document is "
                "scored from its beginning, and of several the end mark too")
      ->required();
  c->add_flag("--raw", a->raw,
              "the bytes of the file as one document: nothing is decoded, divided or cleaned");
  add_reading_options(c, a->reading);
  c->add_option("--task", a->task, "what is measured")
      ->check(one_of({"perplexity"}))
      ->capture_default_str();
  c->add_flag("--json", a->json, "print a JSON object");
}

}  // namespace inkstone::cli
