#include "tokenizer/gguf_tokenizer.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>

#include "samples.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using test::mentions;
using test::thrown_by;
using Ids = std::vector<TokenId>;

// A file with these values and no tensors.
fs::path write(const test::ScratchFolder& folder, const std::vector<GgufEntry>& metadata) {
  fs::path path = folder / "a.gguf";
  write_gguf(path, metadata, {});
  return path;
}

void expect_same(const Tokenizer& a, const Tokenizer& b) {
  ASSERT_EQ(a.vocab_size(), b.vocab_size());
  EXPECT_EQ(a.type(), b.type());
  EXPECT_EQ(a.end_marks(), b.end_marks());
  EXPECT_EQ(a.begin_of_text(), b.begin_of_text());
  for (TokenId id = 0; id < a.vocab_size(); ++id) ASSERT_EQ(a.token_bytes(id), b.token_bytes(id));
  std::mt19937 random(19);
  for (int i = 0; i < 300; ++i) {
    std::string text = test::random_text(random, random() % 30) +
                       test::random_bytes(random, random() % 9);
    if (i % 3 == 0) text += std::string(kEndOfText) + "<pad>";
    ASSERT_EQ(a.encode(text), b.encode(text));
    ASSERT_EQ(a.encode(text, SpecialTokens::kAllow), b.encode(text, SpecialTokens::kAllow));
  }
}

TEST(GgufTokenizer, OfGpt2HasTheIdsOfItsTokenizerJson) {
  INK_SHARED_DATA_OR_SKIP(data, "gpt2");
  INK_SHARED_DATA_OR_SKIP(path, "gpt2/ggml-vocab-gpt-2.gguf");
  const Tokenizer gguf = Tokenizer::load(path), json = Tokenizer::load(data / "tokenizer.json");
  expect_same(gguf, json);
  EXPECT_EQ(gguf.end_of_text(), 50256);
  const Json golden = read_json(data / "bpe_golden.json");
  ASSERT_GE(golden["cases"].size(), 47u);
  for (const Json& one : golden["cases"]) {
    const std::string text = one["text"];
    const Ids ids = one["ids"];
    EXPECT_EQ(gguf.encode(text), ids) << one["name"];
    EXPECT_EQ(gguf.encode(text, SpecialTokens::kAllow), one.value("ids_special", ids));
  }
  const std::string text = read_file(data / "golden_shakespeare_200k.txt");
  EXPECT_TRUE(gguf.encode(text) == json.encode(text));
}

// What llama.cpp's own file says of the same vocabulary.
TEST(GgufTokenizer, WritesWhatLlamaCppHas) {
  INK_SHARED_DATA_OR_SKIP(data, "gpt2");
  INK_SHARED_DATA_OR_SKIP(path, "gpt2/ggml-vocab-gpt-2.gguf");
  const test::ScratchFolder folder;
  const Tokenizer tokenizer = Tokenizer::load(data / "tokenizer.json");
  const GgufFile ours(write(folder, gguf_tokenizer_metadata(tokenizer, 50257)));
  const GgufFile theirs(path);
  int compared = 0;
  for (const GgufField& field : theirs.content().fields()) {
    if (!field.key.starts_with("tokenizer.")) continue;
    const GgufValue* value = ours.content().find(field.key);
    ASSERT_NE(value, nullptr) << field.key;
    EXPECT_TRUE(value->type == field.value.type && value->bytes == field.value.bytes) << field.key;
    ++compared;
  }
  EXPECT_EQ(compared, 7);
  EXPECT_EQ(ours.content().get_boolean("tokenizer.ggml.add_bos_token"), false);
}

TEST(GgufTokenizer, RoundTripsAPaddedVocabulary) {
  const std::string text = test::fixture_text("text.txt");
  const Tokenizer tokenizer = test::train_on(text, {.vocab_size = 500});
  const int64_t size = tokenizer.vocab_size();
  const test::ScratchFolder folder;
  const fs::path path = write(folder, gguf_tokenizer_metadata(tokenizer, size + 3));
  expect_same(Tokenizer::load(path), tokenizer);
  const GgufFile file(path);
  const auto tokens = file.content().get_strings("tokenizer.ggml.tokens").value();
  const auto types = file.content().get_integers("tokenizer.ggml.token_type").value();
  ASSERT_EQ(tokens.size(), static_cast<size_t>(size + 3));
  EXPECT_EQ(tokens.back(), "[PAD" + std::to_string(size + 2) + "]");
  EXPECT_EQ(types.back(), 5);
  EXPECT_EQ(types.front(), 3);
  EXPECT_EQ(types[1], 1);
  const Error error = thrown_by([&] { gguf_tokenizer_metadata(tokenizer, size - 1); });
  EXPECT_EQ(error.code(), ErrorCode::kMismatch);
  EXPECT_TRUE(mentions(error, "ids, the model " + std::to_string(size - 1)));
}

// The fixture, whose specification another may change.
Json fixture_json() { return read_json(test::fixture("tokenizer/bpe.json")); }

Tokenizer tokenizer_of(const Json& json) {
  const test::ScratchFolder folder;
  write_json(folder / "tokenizer.json", json);
  return Tokenizer::load(folder.path());
}

TEST(GgufTokenizer, KeepsGapsUserTokensAndSeveralEndMarks) {
  Json json = fixture_json();
  json["added_tokens"][1]["special"] = false;
  json["model"]["vocab"]["zzz"] = 430;
  json["model"]["vocab"]["[PAD425]"] = 431;  // the text that a gap's token would have
  const test::ScratchFolder source, folder;
  write_json(source / "tokenizer.json", json);
  write_json(source / "generation_config.json", {{"eos_token_id", {0, 1}}});
  const Tokenizer tokenizer = Tokenizer::load(source.path());
  ASSERT_EQ(tokenizer.end_marks(), (Ids{0, 1}));
  const fs::path path = write(folder, gguf_tokenizer_metadata(tokenizer, 432));
  expect_same(Tokenizer::load(path), tokenizer);
  const GgufFile file(path);
  const auto tokens = file.content().get_strings("tokenizer.ggml.tokens").value();
  EXPECT_EQ(tokens[425], "[PAD425]_");
  EXPECT_EQ(file.content().get_integers("tokenizer.ggml.token_type").value()[1], 4);
  const std::set<std::string_view> distinct(tokens.begin(), tokens.end());
  EXPECT_EQ(distinct.size(), tokens.size());  // llama.cpp wants that
}

Json byte_level(bool use_regex) {
  return {{"type", "ByteLevel"}, {"add_prefix_space", false}, {"use_regex", use_regex}};
}

Json split_json(const std::string& pattern, bool use_regex = false) {
  const Json split = {{"type", "Split"},
                      {"pattern", {{"Regex", pattern}}},
                      {"behavior", "Isolated"},
                      {"invert", false}};
  return {{"type", "Sequence"}, {"pretokenizers", Json::array({split, byte_level(use_regex)})}};
}

constexpr const char* kCl100kBegin = R"((?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|)";
constexpr const char* kCl100kEnd = R"(| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)";

struct Named {
  std::string name;
  Json pre_tokenizer;
  bool ignore_merges = false;
};

std::vector<Named> named_pre_tokenizers() {
  const std::string cl100k = std::string(kCl100kBegin) + R"(\p{N}{1,3})" + kCl100kEnd;
  const std::string upper = R"([\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}])",
                    lower = R"([\p{Ll}\p{Lm}\p{Lo}\p{M}])", ahead = R"([^\r\n\p{L}\p{N}]?)",
                    s = "(?i:'s|'t|'re|'ve|'m|'ll|'d)?|";
  const std::string o200k = ahead + upper + "*" + lower + "+" + s + ahead + upper + "+" + lower +
                            "*" + s +
                            R"(\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)";
  return {{"gpt-2", byte_level(true)},
          {"gpt-2", split_json(R"('(?:[sdmt]|ll|ve|re)| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|)"
                               R"(\s+(?!\S)|\s+)")},
          {"starcoder", split_json(R"(\p{N})", true)},
          {"llama-bpe", split_json(cl100k), true},
          {"dbrx", split_json(cl100k)},
          {"qwen2", split_json(std::string(kCl100kBegin) + R"(\p{N})" + kCl100kEnd)},
          {"gpt-4o", split_json(o200k)}};
}

// Each is written by its name, read back with the same ids, and so is the tokenizer.json that is
// made of it.
TEST(GgufTokenizer, NamesPreTokenizers) {
  for (const Named& named : named_pre_tokenizers()) {
    Json json = fixture_json();
    json["pre_tokenizer"] = named.pre_tokenizer;
    json["model"]["ignore_merges"] = named.ignore_merges;
    const Tokenizer tokenizer = tokenizer_of(json);
    const test::ScratchFolder folder;
    const fs::path path = write(folder, gguf_tokenizer_metadata(tokenizer, 500));
    EXPECT_EQ(GgufFile(path).content().get_string("tokenizer.ggml.pre"), named.name);
    const Tokenizer loaded = Tokenizer::load(path);
    expect_same(loaded, tokenizer);
    loaded.save(folder / "saved");
    expect_same(Tokenizer::load(folder / "saved"), tokenizer);
  }
}

TEST(GgufTokenizer, RefusesToWriteWhatGgufCannotSay) {
  const auto says = [](const char* text, const Tokenizer& tokenizer) {
    const Error error = thrown_by([&] { gguf_tokenizer_metadata(tokenizer, 1000); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_TRUE(mentions(error, text));
  };
  const std::string text = test::fixture_text("text.txt");
  says("no merges", test::train_on(text, {.type = TokenizerType::kChar}));
  says("no merges", test::train_on(text, {.type = TokenizerType::kByte}));
  says("no end mark", test::train_on(text, {.vocab_size = 400, .special_tokens = {}}));
  Json json = fixture_json();
  json["normalizer"] = {{"type", "NFC"}};
  says("the normalizer NFC", tokenizer_of(json));
  json = fixture_json();
  json["pre_tokenizer"]["add_prefix_space"] = true;
  says("'add_prefix_space'", tokenizer_of(json));
  json = fixture_json();
  json["model"]["ignore_merges"] = true;
  says("has no name in GGUF files", tokenizer_of(json));
  json = fixture_json();
  json["pre_tokenizer"] = split_json("[a-z]+");
  says("has no name in GGUF files", tokenizer_of(json));
}

// The metadata of the fixture, to be changed.
class Metadata {
 public:
  Metadata() : entries_(gguf_tokenizer_metadata(tokenizer_of(fixture_json()), 421)) {}
  Metadata& without(const std::string& key) {
    std::erase_if(entries_, [&](const GgufEntry& entry) { return entry.key == key; });
    return *this;
  }
  Metadata& with(GgufEntry entry) {
    without(entry.key);
    entries_.push_back(std::move(entry));
    return *this;
  }
  Tokenizer read() const {
    const test::ScratchFolder folder;
    return Tokenizer::load(write(folder, entries_));
  }

 private:
  std::vector<GgufEntry> entries_;
};

TEST(GgufTokenizer, RefusesOtherKindsByName) {
  const auto says = [](const char* text, const Metadata& metadata) {
    const Error error = thrown_by([&] { metadata.read(); });
    EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
    EXPECT_TRUE(mentions(error, text));
    EXPECT_TRUE(mentions(error, "a.gguf"));
  };
  says("'tokenizer.ggml.model' is 'bert', only 'gpt2'",
       Metadata().with(gguf_string("tokenizer.ggml.model", "bert")));
  says("'tokenizer.ggml.pre' is 'default', expected one of gpt-2, phi-2",
       Metadata().with(gguf_string("tokenizer.ggml.pre", "default")));
  std::vector<int32_t> types(421, 1);
  types[420] = 6;
  says("is of the type byte and no single character",
       Metadata().with(gguf_i32s("tokenizer.ggml.token_type", types)));
  std::vector<std::string> tokens;
  for (int i = 0; i < 421; ++i) tokens.push_back("t" + std::to_string(i));
  tokens[420].clear();
  says("token 420, '', is of the type byte",
       Metadata()
           .with(gguf_i32s("tokenizer.ggml.token_type", types))
           .with(gguf_strings("tokenizer.ggml.tokens", tokens)));
}

// A token of no bytes that is the file's last: nothing behind the file is read.
TEST(GgufTokenizer, AnEmptyByteTokenIsNoCharacter) {
  const test::ScratchFolder folder;
  const std::vector<std::string> tokens = {""};
  const std::string bytes = read_file(write(
      folder,
      {gguf_string("tokenizer.ggml.model", "gpt2"), gguf_string("tokenizer.ggml.pre", "gpt-2"),
       gguf_i32s("tokenizer.ggml.token_type", std::vector<int32_t>{6}),
       gguf_strings("tokenizer.ggml.tokens", tokens)}));
  const std::string_view value = Gguf(bytes).find("tokenizer.ggml.tokens")->bytes;
  const auto size = static_cast<size_t>(value.data() + value.size() - bytes.data());
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  ASSERT_LE(size, page);
  void* memory = ::mmap(nullptr, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
                        0);
  ASSERT_NE(memory, MAP_FAILED);
  char* const at = static_cast<char*>(memory) + page - size;
  std::copy_n(bytes.data(), size, at);
  ASSERT_EQ(::mprotect(static_cast<char*>(memory) + page, page, PROT_NONE), 0);
  const Error error = thrown_by([&] { read_gguf_tokenizer(Gguf({at, size})); });
  EXPECT_EQ(error.code(), ErrorCode::kUnsupported);
  ::munmap(memory, 2 * page);
}

TEST(GgufTokenizer, MessagesShowTextsSafely) {
  const std::string bad = "\x1b[2J\xFF" + std::string(100'000, 'x');
  const std::string shown = "'\uFFFD[2J\uFFFD" + std::string(80 - 5, 'x') + "'";
  const auto says = [&](const Metadata& metadata) {
    const Error error = thrown_by([&] { metadata.read(); });
    EXPECT_TRUE(mentions(error, shown));
    EXPECT_LT(std::string(error.what()).size(), 1000u);
  };
  says(Metadata().with(gguf_string("tokenizer.ggml.model", bad)));
  says(Metadata().with(gguf_string("tokenizer.ggml.pre", bad)));
  const std::vector<std::string> merges = {bad};
  says(Metadata().with(gguf_strings("tokenizer.ggml.merges", merges)));
  const std::vector<std::string> tokens(421, bad);
  for (const int32_t type : {6, 7}) {
    const std::vector<int32_t> types(421, type);
    says(Metadata()
             .with(gguf_i32s("tokenizer.ggml.token_type", types))
             .with(gguf_strings("tokenizer.ggml.tokens", tokens)));
  }
}

TEST(GgufTokenizer, NamesWhatIsWrong) {
  const auto says = [](const char* text, const Metadata& metadata) {
    const Error error = thrown_by([&] { metadata.read(); });
    EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
    EXPECT_TRUE(mentions(error, text));
  };
  for (const char* key : {"model", "pre", "tokens", "merges"}) {
    const std::string name = std::string("tokenizer.ggml.") + key;
    says(("'" + name + "' is missing").c_str(), Metadata().without(name));
    says(("'" + name + "' is of type boolean").c_str(), Metadata().with(gguf_bool(name, true)));
  }
  says("'tokenizer.ggml.token_type' has 3 values, expected 421",
       Metadata().with(gguf_i32s("tokenizer.ggml.token_type", std::vector{1, 1, 1})));
  says("token 0, '<|endoftext|>', is of type 7, expected 1 to 6",
       Metadata().with(gguf_i32s("tokenizer.ggml.token_type", std::vector<int32_t>(421, 7))));
  const std::vector<std::string> merges = {"a b c"};
  says("merge 1 is 'a b c', expected two tokens",
       Metadata().with(gguf_strings("tokenizer.ggml.merges", merges)));
  says("'tokenizer.ggml.eos_token_id' is of type boolean",
       Metadata().with(gguf_bool("tokenizer.ggml.eos_token_id", true)));
  const std::vector<std::string> tokens(421, "a");
  says("token 'a' is in the vocabulary twice",
       Metadata()
           .without("tokenizer.ggml.token_type")
           .with(gguf_strings("tokenizer.ggml.tokens", tokens)));
}

TEST(GgufTokenizer, TakesFilesThatSayLess) {
  // Of before the key was there.
  const Tokenizer old = Metadata()
                            .without("tokenizer.ggml.pre")
                            .with(gguf_string("general.architecture", "gpt2"))
                            .read();
  expect_same(old, tokenizer_of(fixture_json()));
  // Without types the tokens of a role are special.
  const Tokenizer untyped = Metadata().without("tokenizer.ggml.token_type").read();
  EXPECT_EQ(untyped.special_token(kEndOfText), 0);
  EXPECT_EQ(untyped.special_token("<pad>"), std::nullopt);
  // An id beyond the vocabulary stands for none.
  const Tokenizer without =
      Metadata().with(gguf_u32("tokenizer.ggml.bos_token_id", 4294967295)).read();
  EXPECT_EQ(without.begin_of_text(), 0);
}

}  // namespace
}  // namespace inkstone
