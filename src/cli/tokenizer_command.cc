// `inkstone tokenizer encode | decode`, and the group they belong to.
#include <fmt/format.h>

#include <optional>
#include <span>
#include <utility>

#include "base/error.h"
#include "cli/command.h"
#include "cli/help_format.h"
#include "cli/reading_options.h"
#include "cli/tokenizer_training.h"
#include "corpus/read/byte_source.h"
#include "corpus/read/read_text.h"
#include "inkstone/tokenizer.h"

namespace inkstone::cli {
namespace {

constexpr size_t kBlock_bytes = size_t{1} << 20;

struct CodeArguments {
  std::string tokenizer, file = "-", format = "text", encoding;
  SpecialTokens special = SpecialTokens::kAsText;
  bool offsets = false, raw = false;
};

template <typename T>
void append_binary(std::string& out, T value) {
  for (size_t i = 0; i < sizeof(T); ++i) out.push_back(static_cast<char>(value >> (8 * i)));
}

// Ids as they come, in one of the formats; with places, [id, begin, end] in bytes of the text, in
// JSON.
class IdPrinter {
 public:
  IdPrinter(const Tokenizer& tokenizer, std::string format, bool offsets)
      : tokenizer_(tokenizer), format_(std::move(format)), offsets_(offsets) {
    if (format_ == "json") out_ = "[";
  }

  void add(std::span<const TokenId> ids) {
    for (const TokenId id : ids) add(id);
    print(out_);
    out_.clear();
  }

  // A line that divides documents, and the mark that stands for it, if there is one.
  void add_separator(std::optional<TokenId> mark) {
    const size_t end = at_ + kEndOfText.size() + 1;
    if (mark) add(std::span(&*mark, 1));
    at_ = end;
  }

  void finish() {
    if (format_ == "json") out_ += "]\n";
    if (format_ == "text") out_ += "\n";
    print(out_);
  }

 private:
  void add(TokenId id) {
    if (format_ == "u32") return append_binary(out_, static_cast<uint32_t>(id));
    if (format_ == "u16") {
      if (id > 0xFFFF)
        fail(ErrorCode::kUsage, "token id {} does not fit into 16 bits; use --format u32", id);
      return append_binary(out_, static_cast<uint16_t>(id));
    }
    if (!std::exchange(is_first_, false)) out_ += format_ == "json" ? "," : " ";
    if (!offsets_) {
      out_ += std::to_string(id);
      return;
    }
    const size_t begin = std::exchange(at_, at_ + tokenizer_.token_bytes(id).size());
    out_ += fmt::format("[{},{},{}]", id, begin, at_);
  }

  const Tokenizer& tokenizer_;
  std::string format_, out_;
  bool offsets_, is_first_ = true;
  size_t at_ = 0;  // bytes of the text so far
};

template <typename T>
std::vector<TokenId> parse_binary(std::string_view bytes) {
  if (bytes.size() % sizeof(T) != 0) {
    fail(ErrorCode::kInvalidData, "the input has {} bytes, expected a multiple of {}", bytes.size(),
         sizeof(T));
  }
  std::vector<TokenId> ids;
  for (size_t i = 0; i < bytes.size(); i += sizeof(T)) {
    uint32_t value = 0;
    for (size_t b = 0; b < sizeof(T); ++b)
      value |= uint32_t{static_cast<uint8_t>(bytes[i + b])} << (8 * b);
    ids.push_back(static_cast<TokenId>(value));
  }
  return ids;
}

std::vector<TokenId> parse_ids(std::string_view bytes, const std::string& format) {
  if (format == "u16") return parse_binary<uint16_t>(bytes);
  if (format == "u32") return parse_binary<uint32_t>(bytes);
  return parse_token_ids(bytes);
}

// Bytes as they are, in parts.
void encode_bytes(const CodeArguments& a, StreamEncoder& encoder, IdPrinter& printer) {
  with_context(message("encoding '{}'", a.file), [&] {
    ByteSource source(a.file);
    std::string block(kBlock_bytes, '\0');
    std::vector<TokenId> ids;
    for (size_t n = kBlock_bytes; n == kBlock_bytes;) {
      n = source.read(block.data(), block.size());
      ids.clear();
      encoder.add(std::string_view(block).substr(0, n), ids);
      if (n < kBlock_bytes) encoder.finish(ids);
      printer.add(ids);
    }
  });
}

// Text as prepare reads it: where documents end by a separator stands the end mark, if the
// vocabulary has one.
void encode_documents(const CodeArguments& a, const Tokenizer& tokenizer, StreamEncoder& encoder,
                      IdPrinter& printer) {
  ReadOptions options;
  options.format = InputFormat::kText;
  options.encoding = a.encoding;
  std::vector<TokenId> ids;
  const ReadNotes notes = read_pieces(a.file, options, [&](const DocumentPiece& piece) {
    ids.clear();
    encoder.add(piece.text, ids);
    if (piece.last) encoder.finish(ids);
    printer.add(ids);
    if (piece.marked) printer.add_separator(tokenizer.end_of_text());
  });
  note_sources(notes.sources);
}

int encode_text(const CodeArguments& a) {
  if (a.offsets && a.format != "json") fail(ErrorCode::kUsage, "--offsets needs --format json");
  if (a.raw && !a.encoding.empty())
    fail(ErrorCode::kUsage, "--raw takes the bytes as they are, and --encoding decodes them");
  const Tokenizer tokenizer = Tokenizer::load(a.tokenizer);
  StreamEncoder encoder(tokenizer, a.special);
  IdPrinter printer(tokenizer, a.format, a.offsets);
  if (a.raw) {
    encode_bytes(a, encoder, printer);
  } else {
    encode_documents(a, tokenizer, encoder, printer);
  }
  printer.finish();
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
  command
      ->add_option("--format", a.format,
                   "text: numbers; json: an array; u16, u32: little-endian binary")
      ->check(one_of({"text", "json", "u16", "u32"}))
      ->capture_default_str();
}

}  // namespace

void add_tokenizer_command(CLI::App& app, Selection& selection) {
  CLI::App* group = app.add_subcommand("tokenizer",
                                       "Train and compare vocabularies; encode and decode text");
  group->group(group_of_commands());
  add_language_option(*group, selection);
  group->require_subcommand(1);

  add_tokenizer_train_command(*group, selection);
  add_tokenizer_compare_command(*group, selection);

  auto e = std::make_shared<CodeArguments>();
  CLI::App* encode = add_command(
      *group, selection, "encode", "Text to token ids",
      marked(
          "  echo 'Hello, world' | inkstone tokenizer encode --tokenizer vocabulary --format json"),
      [e] { return encode_text(*e); });
  add_code_options(encode, *e);
  add_special_option(encode, e->special,
                     marked("special tokens in the text: taken as text, allowed, or refused"));
  encode->add_flag("--offsets", e->offsets,
                   "with --format json: [id, begin, end], the token's place in bytes of the text "
                   "as it was read");
  encode->add_option("--encoding", e->encoding, "of the text (UTF-8, GB18030, ...); else detected");
  encode->add_flag("--raw", e->raw,
                   "the bytes of the file as they are: nothing is decoded, divided or cleaned");

  auto d = std::make_shared<CodeArguments>();
  CLI::App* decode = add_command(
      *group, selection, "decode", "Token ids to text",
      marked("  echo '15496 11 995' | inkstone tokenizer decode --tokenizer vocabulary"),
      [d] { return decode_ids(*d); });
  add_code_options(decode, *d);
}

}  // namespace inkstone::cli
