// `inkstone eval FILE`: loss and perplexity of a text, per token, byte, character and word.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "base/utf8.h"
#include "cli/eval_command.h"
#include "cli/text_units.h"
#include "corpus/read/read_text.h"
#include "evaluate/scoring.h"

namespace inkstone::cli {
namespace {

// The bytes of the file as one document, or its documents as prepare reads them.
std::vector<std::string> texts_to_score(const EvalArguments& a) {
  if (a.raw) return {read_input(a.file)};
  ReadDocuments read = read_documents(a.file, a.reading.read_options());
  for (const DroppedDocument& d : read.notes.left_out)
    note(message("left out: {} #{}: {}", shown_source(d.source), d.document, d.reason));
  note_sources(read.notes.sources);
  return std::move(read.documents);
}

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
TextTotal score_texts(const std::vector<std::string>& texts, Generator& generator) {
  const Tokenizer& tokenizer = generator.tokenizer();
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
    to_score.push_back({{evaluate::first_token(tokenizer)}, std::move(tokens)});
  }
  for (const TextScore& score : generator.score(to_score)) total.nats -= score.log_prob();
  return total;
}

Json total_json(const TextTotal& t) {
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

std::string total_text(const TextTotal& t) {
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

}  // namespace

int eval_text(const EvalArguments& a) {
  const std::vector<std::string> texts = texts_to_score(a);
  Generator generator = load_generator(a);
  const TextTotal total = score_texts(texts, generator);
  if (total.tokens == 0) fail(ErrorCode::kInvalidData, "'{}' has no text", a.file);
  print(a.json ? total_json(total).dump() + "\n" : total_text(total));
  return kExitDone;
}

}  // namespace inkstone::cli
