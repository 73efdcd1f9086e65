#include "tokenizer/tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "base/error.h"
#include "tokenizer/pre_tokenizer_json.h"
#include "tokenizer/vocab_reader.h"

namespace inkstone {
namespace {

[[noreturn]] void fail_unsupported(const Message& what) {
  fail(ErrorCode::kUnsupported,
       "{} is not supported; supported are byte-level BPE and character vocabularies with byte "
       "fallback",
       what);
}

// The member when it is there and not null.
const Json* member(const Json& object, const char* key) {
  const auto at = object.find(key);
  return at == object.end() || at->is_null() ? nullptr : &*at;
}

// The "type" of a component such as pre_tokenizer, "" when there is no component.
std::string component_type(const Json& root, const char* key) {
  const Json* component = member(root, key);
  if (component == nullptr) return "";
  return with_context(key, [&] { return required(get_string(*component, "type"), "type"); });
}

void refuse_text(const Json& model, std::string_view key) {
  const std::string text = get_string(model, key).value_or("");
  if (!text.empty()) fail_unsupported(message("model.{} '{}'", key, text));
}

void check_model(const Json& model) {
  const std::string type = get_string(model, "type")
                               .value_or("BPE");  // the oldest files leave it out
  if (type != "BPE") fail_unsupported(message("a model of type '{}'", type));
  if (get_number(model, "dropout", 0.0, 1.0).value_or(0.0) != 0.0)
    fail_unsupported("model.dropout");
  refuse_text(model, "continuing_subword_prefix");
  refuse_text(model, "end_of_word_suffix");
}

// The decoder of a byte-level BPE, which may stand in a Sequence alone.
void check_byte_decoder(const Json* decoder) {
  if (decoder == nullptr) return;
  const std::string type = with_context(
      "decoder", [&] { return required(get_string(*decoder, "type"), "type"); });
  if (type == "ByteLevel") return;
  if (type == "Sequence") {
    const Json* steps = member(*decoder, "decoders");
    if (steps != nullptr && steps->is_array() && steps->size() == 1)
      return check_byte_decoder(&(*steps)[0]);
  }
  fail_unsupported(message("the decoder '{}'", type));
}

void read_byte_level(const Json& root, TokenizerSpec& spec) {
  spec.type = TokenizerType::kBpe;
  spec.pre_tokenizer = read_pre_tokenizer(root["pre_tokenizer"]);
  if (const Json* normalizer = member(root, "normalizer")) spec.is_nfc = read_is_nfc(*normalizer);
  check_byte_decoder(member(root, "decoder"));
}

// The decoder is Sequence[ByteFallback, Fuse]: the tokens' bytes, one after the other.
void check_characters(const Json& root, const Json& model, const VocabularyLists& lists) {
  if (!get_boolean(model, "byte_fallback").value_or(false)) {
    fail_unsupported(marked("a BPE without a pre_tokenizer and without byte_fallback"));
  }
  if (!lists.merges.empty())
    fail_unsupported(marked("a BPE with merges and without the pre_tokenizer 'ByteLevel'"));
  const std::string normalizer = component_type(root, "normalizer");
  if (!normalizer.empty())
    fail_unsupported(message("the normalizer '{}' of a character vocabulary", normalizer));
  const std::string decoder = component_type(root, "decoder");
  bool matches = decoder == "Sequence";
  if (matches) {
    const Json* steps = member(root["decoder"], "decoders");
    matches = steps != nullptr && steps->is_array() && steps->size() == 2 &&
              get_string((*steps)[0], "type") == "ByteFallback" &&
              get_string((*steps)[1], "type") == "Fuse";
  }
  if (!matches) fail_unsupported(message("the decoder '{}' of a character vocabulary", decoder));
}

SpecialToken read_special_token(const Json& json) {
  SpecialToken token;
  token.text = required(get_string(json, "content"), "content");
  token.id = static_cast<TokenId>(required(get_integer(json, "id", 0, kMaxTokenId), "id"));
  token.is_control = get_boolean(json, "special").value_or(true);
  token.takes_left = get_boolean(json, "lstrip").value_or(false);
  token.takes_right = get_boolean(json, "rstrip").value_or(false);
  token.is_word = get_boolean(json, "single_word").value_or(false);
  token.is_normalized = get_boolean(json, "normalized").value_or(false);
  return token;
}

std::vector<SpecialToken> read_special_tokens(const Json& root) {
  std::vector<SpecialToken> tokens;
  const Json* list = member(root, "added_tokens");
  if (list == nullptr) return tokens;
  if (!list->is_array())
    fail(ErrorCode::kInvalidData, "'added_tokens' is a JSON {}, expected an array",
         json_kind(*list));
  for (const Json& token : *list) {
    tokens.push_back(with_context(message("added token {}", tokens.size()),
                                  [&] { return read_special_token(token); }));
  }
  return tokens;
}

}  // namespace

TokenizerSpec parse_tokenizer_json(std::string_view text) {
  VocabularyLists lists;
  const Json root = read_vocabulary_json(text, VocabularyPlace::kModel, lists);
  const Json* model = root.is_object() ? member(root, "model") : nullptr;
  if (model == nullptr || !model->is_object()) {
    fail(ErrorCode::kInvalidData,
         "this is not a tokenizer.json: an object with a 'model' is expected");
  }
  check_model(*model);
  if (!lists.has_vocabulary)
    fail(ErrorCode::kInvalidData, "'model.vocab' is missing or not an object of ids");
  if (!lists.has_merges) fail(ErrorCode::kInvalidData, "'model.merges' is missing or not an array");
  if (const Json* post = member(root, "post_processor")) check_post_processor(*post);
  TokenizerSpec spec;
  if (member(root, "pre_tokenizer") != nullptr) {
    read_byte_level(root, spec);
  } else {
    check_characters(root, *model, lists);
    spec.type = TokenizerType::kChar;
  }
  spec.special_tokens = read_special_tokens(root);
  spec.ignore_merges = get_boolean(*model, "ignore_merges").value_or(false);
  spec.vocabulary = std::move(lists.vocabulary);
  spec.merges = std::move(lists.merges);
  return spec;
}

}  // namespace inkstone
