// `inkstone tokenizer encode | decode`, and the group they belong to.
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "cli/tokenizer_training.h"
#include "inkstone/tokenizer.h"

namespace inkstone::cli {
namespace {

struct CodeArguments {
  std::string tokenizer, file = "-", format = "text", special = "text";
};

template <typename T>
void append_binary(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

std::string format_ids(const std::vector<TokenId>& ids, const std::string& format) {
  if (format == "json") return Json(ids).dump() + "\n";
  std::string out;
  for (const TokenId id : ids) {
    if (format == "u32") {
      append_binary(out, static_cast<uint32_t>(id));
    } else if (format == "u16") {
      if (id > 0xFFFF) fail(ErrorCode::kUsage, "token id {} does not fit into 16 bits; use --format u32", id);
      append_binary(out, static_cast<uint16_t>(id));
    } else {
      out += (out.empty() ? "" : " ") + std::to_string(id);
    }
  }
  return format == "text" ? out + "\n" : out;
}

template <typename T>
std::vector<TokenId> parse_binary(std::string_view bytes) {
  if (bytes.size() % sizeof(T) != 0) {
    fail(ErrorCode::kInvalidData, "the input has {} bytes, expected a multiple of {}", bytes.size(), sizeof(T));
  }
  std::vector<TokenId> ids;
  for (size_t i = 0; i < bytes.size(); i += sizeof(T)) {
    uint32_t value = 0;
    for (size_t b = 0; b < sizeof(T); ++b) value |= uint32_t{static_cast<uint8_t>(bytes[i + b])} << (8 * b);
    ids.push_back(static_cast<TokenId>(value));
  }
  return ids;
}

std::vector<TokenId> parse_ids(std::string_view bytes, const std::string& format) {
  if (format == "u16") return parse_binary<uint16_t>(bytes);
  if (format == "u32") return parse_binary<uint32_t>(bytes);
  return parse_token_ids(bytes);
}

SpecialTokens parse_special(const std::string& name) {
  if (name == "allow") return SpecialTokens::kAllow;
  return name == "refuse" ? SpecialTokens::kRefuse : SpecialTokens::kAsText;
}

int encode_text(const CodeArguments& a) {
  const Tokenizer tokenizer = Tokenizer::load(a.tokenizer);
  print(format_ids(tokenizer.encode(read_input(a.file), parse_special(a.special)), a.format));
  return kExitDone;
}

int decode_ids(const CodeArguments& a) {
  const Tokenizer tokenizer = Tokenizer::load(a.tokenizer);
  print(tokenizer.decode(parse_ids(read_input(a.file), a.format)));
  return kExitDone;
}

void add_code_options(CLI::App* command, CodeArguments& a) {
  command->add_option("--tokenizer", a.tokenizer, "folder or tokenizer.json")->required();
  command->add_option("FILE", a.file, "file, or - for standard input")->capture_default_str();
  command->add_option("--format", a.format, "text: numbers; json: an array; u16, u32: little-endian binary")
      ->check(CLI::IsMember({"text", "json", "u16", "u32"}))
      ->capture_default_str();
}

}  // namespace

void add_tokenizer_command(CLI::App& app, Selection& selection) {
  CLI::App* group = app.add_subcommand("tokenizer", "Train and compare vocabularies; encode and decode text");
  group->require_subcommand(1);

  add_tokenizer_train_command(*group, selection);
  add_tokenizer_compare_command(*group, selection);

  auto e = std::make_shared<CodeArguments>();
  CLI::App* encode =
      add_command(*group, selection, "encode", "Text to token ids",
                  "  echo 'Hello, world' | inkstone tokenizer encode --tokenizer vocabulary --format json",
                  [e] { return encode_text(*e); });
  add_code_options(encode, *e);
  encode->add_option("--special", e->special, "special tokens in the text: taken as text, allowed, or refused")
      ->check(CLI::IsMember({"text", "allow", "refuse"}))
      ->capture_default_str();

  auto d = std::make_shared<CodeArguments>();
  CLI::App* decode = add_command(*group, selection, "decode", "Token ids to text",
                                 "  echo '15496 11 995' | inkstone tokenizer decode --tokenizer vocabulary",
                                 [d] { return decode_ids(*d); });
  add_code_options(decode, *d);
}

}  // namespace inkstone::cli
