// Tokenizer::save: the files that Hugging Face's tokenizers and transformers (4 and 5) read.
#include <nlohmann/json.hpp>

#include <algorithm>

#include "base/file.h"
#include "base/json.h"
#include "inkstone/turns.h"
#include "tokenizer/byte_alphabet.h"
#include "tokenizer/pre_tokenizer_json.h"
#include "tokenizer/tokenizer_impl.h"

namespace inkstone {
namespace {

using Impl = Tokenizer::Impl;
namespace fs = std::filesystem;

// Through the vector that ordered_json's objects are, for their operator[] searches all members
// each time.
Json vocabulary_json(const std::vector<std::string>& texts) {
  Json::object_t object;
  object.reserve(texts.size());
  for (size_t id = 0; id < texts.size(); ++id) {
    if (!texts[id].empty()) object.emplace_back(texts[id], id);
  }
  return object;
}

std::vector<SpecialToken> special_tokens_by_id(const Impl& t) {
  std::vector<SpecialToken> tokens(t.special_tokens.all().begin(), t.special_tokens.all().end());
  std::sort(tokens.begin(), tokens.end(), [](const auto& a, const auto& b) { return a.id < b.id; });
  return tokens;
}

Json added_tokens_json(const Impl& t) {
  Json list = Json::array();
  for (const SpecialToken& token : special_tokens_by_id(t)) {
    list.push_back({{"id", token.id},
                    {"content", token.text},
                    {"single_word", token.is_word},
                    {"lstrip", token.takes_left},
                    {"rstrip", token.takes_right},
                    {"normalized", token.is_normalized},
                    {"special", token.is_control}});
  }
  return list;
}

Json byte_level_json(bool trim_offsets) {
  return {{"type", "ByteLevel"},
          {"add_prefix_space", false},
          {"trim_offsets", trim_offsets},
          {"use_regex", true}};
}

// Of a vocabulary that was learnt here, or read from the older pair of files or from GGUF. Others
// are saved as they were read.
Json tokenizer_json(const Impl& t, const std::vector<std::string>& texts) {
  const bool is_char = t.type == TokenizerType::kChar;
  const Json fallback = {
      {"type", "Sequence"},
      {"decoders", Json::array({{{"type", "ByteFallback"}}, {{"type", "Fuse"}}})}};
  Json model = {{"type", "BPE"},
                {"dropout", nullptr},
                {"unk_token", nullptr},
                {"continuing_subword_prefix", nullptr},
                {"end_of_word_suffix", nullptr},
                {"fuse_unk", false},
                {"byte_fallback", is_char},
                {"ignore_merges", t.ignore_merges},
                {"vocab", vocabulary_json(texts)},
                {"merges", merge_lines(t, texts)}};
  return {{"version", "1.0"},
          {"truncation", nullptr},
          {"padding", nullptr},
          {"added_tokens", added_tokens_json(t)},
          {"normalizer", nullptr},
          {"pre_tokenizer", is_char ? Json(nullptr) : pre_tokenizer_json(t.pre_tokenizer)},
          {"post_processor", is_char ? Json(nullptr) : byte_level_json(false)},
          {"decoder", is_char ? fallback : byte_level_json(true)},
          {"model", std::move(model)}};
}

bool has_end_of_text(const Impl& t) {
  return t.roles.end && t.roles.end == t.special_tokens.id_of(kEndOfText);
}

bool has_gpt2_pieces(const Impl& t) { return t.pre_tokenizer.is_gpt2() && !t.is_nfc; }

// transformers' GPT2Tokenizer makes its own pipeline (ByteLevel, no ignore_merges) and adds
// <|endoftext|> when it is missing, so it suits GPT-2's kind only; PreTrainedTokenizerFast takes
// tokenizer.json as it is, and both names mean the same in versions 4 and 5.
bool suits_gpt2_class(const Impl& t) {
  return t.type == TokenizerType::kBpe && has_end_of_text(t) && !t.ignore_merges &&
         has_gpt2_pieces(t);
}

// Of a tokenizer whose files name no role: GPT-2's mark has all three.
Json special_tokens_map_json(const Impl& t) {
  Json map = Json::object();
  if (t.roles.unnamed_begin) map["bos_token"] = *t.roles.unnamed_begin;
  if (t.roles.unnamed_end) map["eos_token"] = *t.roles.unnamed_end;
  if (has_end_of_text(t)) map["unk_token"] = std::string(kEndOfText);
  if (t.roles.mask) map["mask_token"] = std::string(t.vocabulary.bytes(*t.roles.mask));
  return map;
}

Json tokenizer_config_json(const Impl& t) {
  Json decoder = Json::object();
  for (const SpecialToken& token : special_tokens_by_id(t)) {
    decoder[std::to_string(token.id)] = {{"content", token.text},
                                         {"lstrip", token.takes_left},
                                         {"normalized", token.is_normalized},
                                         {"rstrip", token.takes_right},
                                         {"single_word", token.is_word},
                                         {"special", token.is_control}};
  }
  Json config = Json::object();
  if (suits_gpt2_class(t)) config["add_prefix_space"] = false;
  config["added_tokens_decoder"] = std::move(decoder);
  config.update(special_tokens_map_json(t));
  config["clean_up_tokenization_spaces"] = false;
  config["tokenizer_class"] = suits_gpt2_class(t) ? "GPT2Tokenizer" : "PreTrainedTokenizerFast";
  return config;
}

void save_vocab_and_merges(const Impl& t, const std::vector<std::string>& texts,
                           const fs::path& folder) {
  std::string merges = "#version: 0.2\n";
  for (const std::string& line : merge_lines(t, texts)) merges += line + "\n";
  write_file(folder / "vocab.json", vocabulary_json(texts).dump());
  write_file(folder / "merges.txt", merges);
}

// The template in both forms: a reader of the other files finds it in Jinja.
void save_turns(const TurnTemplate& turns, const fs::path& folder) {
  write_file(folder / kTurnTemplateFile, to_json_text(turns));
  const fs::path file = folder / "tokenizer_config.json";
  Json config = read_json(file);
  config["chat_template"] = jinja_of(turns);
  write_json(file, config);
}

}  // namespace

std::vector<std::string> token_texts(const Impl& t) {
  std::vector<std::string> texts(static_cast<size_t>(t.vocabulary.size()));
  for (TokenId id = 0; id < t.vocabulary.size(); ++id) {
    const std::string_view bytes = t.vocabulary.bytes(id);
    std::string& text = texts[static_cast<size_t>(id)];
    if (t.type != TokenizerType::kChar) {
      text = to_byte_alphabet(bytes);
    } else if (t.is_byte_token[static_cast<size_t>(id)]) {
      text = byte_token_text(static_cast<uint8_t>(bytes[0]));
    } else {
      text = bytes;
    }
  }
  for (const SpecialToken& token : t.special_tokens.all())
    texts[static_cast<size_t>(token.id)] = token.text;
  return texts;
}

std::vector<std::string> merge_lines(const Impl& t, const std::vector<std::string>& texts) {
  std::vector<std::string> lines;
  for (const Merge& merge : t.merges()) {
    lines.push_back(texts[static_cast<size_t>(merge.left)] + " " +
                    texts[static_cast<size_t>(merge.right)]);
  }
  return lines;
}

void save_tokenizer(const Impl& t, const TurnTemplate* turns, const fs::path& folder) {
  make_folders(folder);
  const std::vector<std::string> texts = token_texts(t);
  const TokenizerFiles& files = t.files;
  // The pair of files says nothing of the pre-tokenizer: it means GPT-2's.
  if (t.type == TokenizerType::kBpe && has_gpt2_pieces(t)) save_vocab_and_merges(t, texts, folder);
  const auto save = [&](const char* name, const std::string& file, const auto& made) {
    if (file.empty()) return write_json(folder / name, made());
    write_file(folder / name, with_special_roles(file, t.roles.unnamed_begin, t.roles.unnamed_end));
  };
  save("special_tokens_map.json", files.map, [&] { return special_tokens_map_json(t); });
  save("tokenizer_config.json", files.config, [&] { return tokenizer_config_json(t); });
  if (turns != nullptr) save_turns(*turns, folder);
  if (files.tokenizer.empty())
    return write_json(folder / "tokenizer.json", tokenizer_json(t, texts));
  write_file(folder / "tokenizer.json", files.tokenizer);
}

std::string tokenizer_json_text(const Impl& t) {
  return t.files.tokenizer.empty() ? tokenizer_json(t, token_texts(t)).dump() : t.files.tokenizer;
}

}  // namespace inkstone
