// `inkstone tokenizer train | encode | decode`.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <chrono>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "base/json.h"
#include "cli/command.h"
#include "corpus/read/document_reader.h"
#include "corpus/read/documents.h"
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

// The documents of the inputs, a piece at a time, with what was left out said on the way.
class TrainingText {
 public:
  explicit TrainingText(const TrainArguments& a)
      : files_(list_inputs(std::vector<std::filesystem::path>(a.inputs.begin(), a.inputs.end()), &left_out_)) {
    for (const DroppedDocument& d : left_out_) say_left_out(d.source, d.reason);
  }

  std::optional<std::string> next() {
    while (true) {
      if (reader_ && reader_->next(piece_)) {
        bytes_ += static_cast<int64_t>(piece_.text.size());
        documents_ += piece_.last;
        show_progress();
        return std::string(piece_.text);
      }
      if (next_file_ == files_.size()) {
        status_.show("learning the vocabulary");
        return std::nullopt;
      }
      const std::filesystem::path& file = files_[next_file_++];
      std::string why_not;
      reader_ = open_documents(file, why_not);
      if (!reader_) say_left_out(file == "-" ? "standard input" : file.string(), why_not);
    }
  }

  int64_t bytes() const { return bytes_; }
  int64_t documents() const { return documents_; }
  void clear_status() { status_.clear(); }

 private:
  void say_left_out(const std::string& source, const std::string& reason) {
    status_.clear();
    note(fmt::format("left out: {}: {}", source, reason));
  }

  void show_progress() {
    const auto now = std::chrono::steady_clock::now();
    if (now - shown_ < std::chrono::milliseconds(200)) return;
    shown_ = now;
    const double seconds = std::chrono::duration<double>(now - begin_).count();
    const double megabytes = static_cast<double>(bytes_) / 1e6;
    status_.show(fmt::format("reading {:.1f} MB, {:.1f} MB/s, file {} of {}", megabytes, megabytes / seconds,
                             next_file_, files_.size()));
  }

  std::vector<DroppedDocument> left_out_;
  std::vector<std::filesystem::path> files_;
  size_t next_file_ = 0;
  std::optional<DocumentReader> reader_;
  DocumentPiece piece_;
  int64_t bytes_ = 0, documents_ = 0;
  StatusLine status_;
  std::chrono::steady_clock::time_point begin_ = std::chrono::steady_clock::now(), shown_ = begin_;
};

// A model, a run and prepared data mean their ids by the vocabulary beside them: a new one would spoil them.
void refuse_folder_in_use(const std::filesystem::path& folder) {
  for (const char* name : {"config.json", "checkpoints", "report.json"}) {
    if (!std::filesystem::exists(folder / name)) continue;
    fail(ErrorCode::kUsage, "the output folder '{}' holds '{}', whose token ids would change their meaning; choose "
         "another folder", folder.string(), name);
  }
}

int train_tokenizer(const TrainArguments& a) {
  refuse_folder_in_use(a.output);
  TrainingText text(a);
  TokenizerTrainOptions options;
  options.type = parse_type(a.type);
  if (a.vocab_size > 0) options.vocab_size = a.vocab_size;
  options.min_frequency = a.min_frequency;
  const Tokenizer tokenizer = with_context(fmt::format("'{}'", fmt::join(a.inputs, "', '")), [&] {
    return Tokenizer::train([&] { return text.next(); }, options);
  });
  while (text.next()) {  // a byte vocabulary needs no text; the counts are of all of it
  }
  text.clear_status();
  tokenizer.save(a.output);
  if (a.json) {
    print(Json{{"vocab_size", tokenizer.vocab_size()},
               {"type", a.type},
               {"documents", text.documents()},
               {"bytes", text.bytes()},
               {"output", a.output}}
              .dump(-1, ' ', false, Json::error_handler_t::replace) +
          "\n");
  } else {
    note(fmt::format("{}: {} vocabulary of {} tokens from {} documents, {:.1f} MB", a.output, a.type,
                     tokenizer.vocab_size(), text.documents(), static_cast<double>(text.bytes()) / 1e6));
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
                          ->check(whole_number(257, 10'000'000))
                          ->type_name("N");
  train->add_option("--min-frequency", t->min_frequency, "of bpe: rarer pairs are not merged")
      ->check(whole_number(1))
      ->capture_default_str();
  train->add_flag("--json", t->json, "print a JSON object");
  train->callback([t, size, &selection] {
    if (size->count() > 0 && t->type != "bpe") {
      throw CLI::ValidationError("--vocab-size has no meaning for --type " + t->type + "; leave it out");
    }
    selection.run = [t] { return train_tokenizer(*t); };
  });

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
