#include "tokenizer/pre_tokenizer_json.h"

#include <nlohmann/json.hpp>

#include "base/check.h"
#include "base/error.h"

namespace inkstone {
namespace {

using Spec = PreTokenizerSpec;

std::string type_of(const Json& json) { return required(get_string(json, "type"), "type"); }

// The members of a Sequence under `key`.
const Json& list_of(const Json& json, const char* key) {
  const auto list = json.find(key);
  if (list == json.end()) fail_missing_key(key);
  if (list->is_array()) return *list;
  fail(ErrorCode::kInvalidData, "'{}' is a JSON {}, expected an array", key, json_kind(*list));
}

class PreTokenizerReader {
 public:
  Spec read(const Json& json) {
    add(json);
    if (!has_byte_level_)
      fail(ErrorCode::kUnsupported, "a pre_tokenizer without 'ByteLevel' is not supported");
    return std::move(spec_);
  }

 private:
  void add(const Json& json);
  void add_byte_level(const Json& json);
  void add_split(const Json& json);

  Spec spec_{.steps = {}};
  bool has_byte_level_ = false;
};

// A behavior that makes each character of a class a piece, or each run of them.
bool is_grouped(const Json& json, const std::string& type) {
  const std::string behavior = get_string(json, "behavior").value_or("Isolated");
  if (behavior == "Isolated" || behavior == "Contiguous") return behavior == "Contiguous";
  fail(ErrorCode::kUnsupported, "the behavior '{}' of the pre_tokenizer '{}' is not supported",
       behavior, type);
}

void PreTokenizerReader::add(const Json& json) {
  constexpr size_t kMaxSteps = 32;
  const std::string type = type_of(json);
  if (type == "Sequence") {
    for (const Json& one : list_of(json, "pretokenizers")) add(one);
    return;
  }
  // ByteLevel writes bytes as other characters, which later steps would see.
  if (has_byte_level_)
    fail(ErrorCode::kUnsupported, "the pre_tokenizer '{}' after 'ByteLevel' is not supported",
         type);
  if (spec_.steps.size() == kMaxSteps)
    fail(ErrorCode::kUnsupported, "more than {} pre_tokenizers", kMaxSteps);
  if (type == "ByteLevel") {
    add_byte_level(json);
  } else if (type == "Split") {
    add_split(json);
  } else if (type == "Digits") {
    const bool each = get_boolean(json, "individual_digits").value_or(false);
    spec_.steps.push_back({.kind = Spec::Kind::kDigits, .pattern = "", .is_grouped = !each});
  } else if (type == "Punctuation") {
    spec_.steps.push_back(
        {.kind = Spec::Kind::kPunctuation, .pattern = "", .is_grouped = is_grouped(json, type)});
  } else {
    fail(ErrorCode::kUnsupported,
         "the pre_tokenizer '{}' is not supported; supported are Split, Digits, Punctuation and "
         "ByteLevel, and a "
         "Sequence of them",
         type);
  }
}

void PreTokenizerReader::add_byte_level(const Json& json) {
  has_byte_level_ = true;
  if (get_boolean(json, "add_prefix_space").value_or(true)) {
    if (!spec_.steps.empty())
      fail(ErrorCode::kUnsupported,
           "'add_prefix_space' of a ByteLevel that is not the first pre_tokenizer");
    spec_.add_prefix_space = true;
  }
  if (get_boolean(json, "use_regex").value_or(true)) spec_.steps.push_back({});
}

void PreTokenizerReader::add_split(const Json& json) {
  const auto pattern = json.find("pattern");
  if (pattern == json.end()) fail_missing_key("pattern");
  Spec::Step step;
  if (const auto regex = get_string(*pattern, "Regex")) {
    step = {.kind = Spec::Kind::kRegex, .pattern = *regex, .is_grouped = false};
  } else {
    step = {.kind = Spec::Kind::kString,
            .pattern = required(get_string(*pattern, "String"), "String"),
            .is_grouped = false};
  }
  if (step.pattern.empty())
    fail(ErrorCode::kUnsupported, "a Split by an empty pattern is not supported");
  const std::string behavior = required(get_string(json, "behavior"), "behavior");
  const bool invert = get_boolean(json, "invert").value_or(false);
  const bool loses_nothing = behavior == "Removed" && invert && step.kind == Spec::Kind::kRegex &&
                             covers_every_text(step.pattern);
  if (behavior != "Isolated" && !loses_nothing) {
    if (invert) {
      fail(ErrorCode::kUnsupported,
           "the behavior '{}', inverted, of a Split by '{}' is not supported", behavior,
           step.pattern);
    }
    fail(ErrorCode::kUnsupported, "the behavior '{}' of a Split by '{}' is not supported", behavior,
         step.pattern);
  }
  spec_.steps.push_back(std::move(step));
}

Json byte_level_json(bool add_prefix_space, bool use_regex) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", add_prefix_space},
          {"trim_offsets", true},
          {"use_regex", use_regex}};
}

Json step_json(const Spec::Step& step) {
  if (step.kind == Spec::Kind::kDigits) {
    return {{"type", "Digits"}, {"individual_digits", !step.is_grouped}};
  }
  if (step.kind == Spec::Kind::kPunctuation) {
    return {{"type", "Punctuation"}, {"behavior", step.is_grouped ? "Contiguous" : "Isolated"}};
  }
  INK_CHECK(step.kind != Spec::Kind::kGpt2, "GPT-2's pieces are cut last");
  const char* kind = step.kind == Spec::Kind::kRegex ? "Regex" : "String";
  return {{"type", "Split"},
          {"pattern", {{kind, step.pattern}}},
          {"behavior", "Isolated"},
          {"invert", false}};
}

}  // namespace

Json pre_tokenizer_json(const Spec& spec) {
  const bool ends_in_gpt2 = !spec.steps.empty() && spec.steps.back().kind == Spec::Kind::kGpt2;
  const Json last = byte_level_json(spec.add_prefix_space, ends_in_gpt2);
  const size_t splits = spec.steps.size() - (ends_in_gpt2 ? 1 : 0);
  if (splits == 0) return last;
  Json list = Json::array();
  for (size_t i = 0; i < splits; ++i) list.push_back(step_json(spec.steps[i]));
  list.push_back(last);
  return {{"type", "Sequence"}, {"pretokenizers", std::move(list)}};
}

PreTokenizerSpec read_pre_tokenizer(const Json& json) { return PreTokenizerReader().read(json); }

bool read_is_nfc(const Json& normalizer) {
  if (normalizer.is_null()) return false;
  const std::string type = type_of(normalizer);
  if (type == "NFC") return true;
  if (type != "Sequence")
    fail(ErrorCode::kUnsupported, "the normalizer '{}' is not supported", type);
  bool is_nfc = false;
  for (const Json& one : list_of(normalizer, "normalizers")) is_nfc = read_is_nfc(one) || is_nfc;
  return is_nfc;
}

void check_post_processor(const Json& json) {
  if (json.is_null()) return;
  const std::string type = type_of(json);
  if (type == "Sequence") {
    for (const Json& one : list_of(json, "processors")) check_post_processor(one);
    return;
  }
  for (const char* known :
       {"ByteLevel", "TemplateProcessing", "BertProcessing", "RobertaProcessing"}) {
    if (type == known) return;
  }
  fail(ErrorCode::kUnsupported, "the post_processor '{}' is not supported", type);
}

}  // namespace inkstone
