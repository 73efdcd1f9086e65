// `inkstone tokenizer train | encode | decode`.
#include <fmt/format.h>

#include <charconv>
#include <cstring>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "corpus/documents.h"
#include "inkstone/tokenizer.h"

namespace inkstone::cli {
namespace {

struct TrainArguments {
  std::vector<std::string> inputs;
  std::string output, type = "bpe";
  int64_t vocab_size = 0, min_frequency = 2;
  bool json = false;
};

TokenizerType parse_type(const std::string& name) {
  if (name == "char") return TokenizerType::kChar;
  if (name == "byte") return TokenizerType::kByte;
  return TokenizerType::kBpe;
}

int train_tokenizer(const TrainArguments& a) {
  const std::vector<std::filesystem::path> inputs(a.inputs.begin(), a.inputs.end());
  const auto files = list_inputs(inputs);
  size_t next_file = 0;
  int64_t bytes = 0, texts = 0;
  std::vector<std::string> documents;  // of the current file, last one first
  const auto next_text = [&]() -> std::optional<std::string> {
    while (documents.empty()) {
      if (next_file == files.size()) return std::nullopt;
      std::string why_not;
      auto text = read_document_file(files[next_file], why_not);
      if (!text) note(fmt::format("left out: {}: {}", files[next_file].string(), why_not));
      ++next_file;
      if (text) documents = split_documents(*std::move(text));
      std::reverse(documents.begin(), documents.end());
    }
    std::string text = std::move(documents.back());
    documents.pop_back();
    bytes += static_cast<int64_t>(text.size());
    ++texts;
    return text;
  };
  TokenizerTrainOptions options;
  options.type = parse_type(a.type);
  if (a.vocab_size > 0) options.vocab_size = a.vocab_size;
  options.min_frequency = a.min_frequency;
  const Tokenizer tokenizer = Tokenizer::train(next_text, options);
  tokenizer.save(a.output);
  if (a.json) {
    print(Json{{"vocab_size", tokenizer.vocab_size()}, {"type", a.type}, {"documents", texts}, {"bytes", bytes},
               {"output", a.output}}.dump() + "\n");
  } else {
    note(fmt::format("{}: {} vocabulary of {} tokens from {} documents, {:.1f} MB", a.output, a.type,
                     tokenizer.vocab_size(), texts, static_cast<double>(bytes) / 1e6));
  }
  return kExitDone;
}

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

// Numbers separated by anything: "1 2 3", "[1, 2, 3]".
std::vector<TokenId> parse_numbers(std::string_view text) {
  std::vector<TokenId> ids;
  for (size_t i = 0; i < text.size();) {
    if (std::string_view(" \t\r\n,[]").find(text[i]) != std::string_view::npos) {
      ++i;
      continue;
    }
    TokenId id = 0;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), id);
    if (error != std::errc()) {
      fail(ErrorCode::kInvalidData, "at byte {}: found '{}', expected a token id", i, text.substr(i, 10));
    }
    ids.push_back(id);
    i = static_cast<size_t>(end - text.data());
  }
  return ids;
}

std::vector<TokenId> parse_ids(std::string_view bytes, const std::string& format) {
  if (format == "u16") return parse_binary<uint16_t>(bytes);
  if (format == "u32") return parse_binary<uint32_t>(bytes);
  return parse_numbers(bytes);
}

SpecialTokens parse_special(const std::string& name) {
  if (name == "allow") return SpecialTokens::kAllow;
  return name == "refuse" ? SpecialTokens::kRefuse : SpecialTokens::kAsText;
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
  CLI::App* group = app.add_subcommand("tokenizer", "Train a vocabulary; encode and decode text");
  group->require_subcommand(1);

  auto t = std::make_shared<TrainArguments>();
  CLI::App* train = add_command(*group, selection, "train", "Learn a vocabulary from text files",
                                "  inkstone tokenizer train book.txt -o vocabulary --vocab-size 4096",
                                [t] { return train_tokenizer(*t); });
  train->add_option("INPUT", t->inputs, "files, folders, or - for standard input")->required();
  train->add_option("-o,--output", t->output, "folder for tokenizer.json (and vocab.json, merges.txt)")->required();
  train->add_option("--type", t->type, "bpe: GPT-2's byte-level BPE; char: one token per character; byte: 256 bytes")
      ->check(CLI::IsMember({"bpe", "char", "byte"}))
      ->capture_default_str();
  CLI::Option* size = train->add_option("--vocab-size", t->vocab_size, "of bpe: at most so many tokens (50257)")
                          ->check(CLI::Range(int64_t{257}, int64_t{10'000'000}));
  train->add_option("--min-frequency", t->min_frequency, "of bpe: rarer pairs are not merged")
      ->check(CLI::Range(int64_t{1}, int64_t{1} << 40))
      ->capture_default_str();
  train->add_flag("--json", t->json, "print a JSON object");
  train->callback([t, size, train, &selection] {
    if (size->count() > 0 && t->type != "bpe") {
      throw CLI::ValidationError("--vocab-size has no meaning for --type " + t->type + "; leave it out");
    }
    selection.run = [t] { return train_tokenizer(*t); };
    (void)train;
  });

  auto e = std::make_shared<CodeArguments>();
  CLI::App* encode =
      add_command(*group, selection, "encode", "Text to token ids",
                  "  echo 'Hello, world' | inkstone tokenizer encode --tokenizer vocabulary --format json", [e] {
                    const Tokenizer tokenizer = Tokenizer::load(e->tokenizer);
                    print(format_ids(tokenizer.encode(read_input(e->file), parse_special(e->special)), e->format));
                    return kExitDone;
                  });
  add_code_options(encode, *e);
  encode->add_option("--special", e->special, "special tokens in the text: taken as text, allowed, or refused")
      ->check(CLI::IsMember({"text", "allow", "refuse"}))
      ->capture_default_str();

  auto d = std::make_shared<CodeArguments>();
  CLI::App* decode = add_command(*group, selection, "decode", "Token ids to text",
                                 "  echo '15496 11 995' | inkstone tokenizer decode --tokenizer vocabulary", [d] {
                                   const Tokenizer tokenizer = Tokenizer::load(d->tokenizer);
                                   print(tokenizer.decode(parse_ids(read_input(d->file), d->format)));
                                   return kExitDone;
                                 });
  add_code_options(decode, *d);
}

}  // namespace inkstone::cli
