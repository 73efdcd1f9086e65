// Ids against GPT-2's published vocabulary (test data beside the source tree) and against Hugging
// Face's encodings of the committed fixture.
#include <gtest/gtest.h>

#include "base/utf8.h"
#include "samples.h"
#include "sha256.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using Ids = std::vector<TokenId>;

std::string decode_base64(const std::string& text) {
  static const std::string kDigits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string bytes;
  uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    if (c == '=') break;
    bits = (bits << 6) | static_cast<uint32_t>(kDigits.find(c));
    if ((held += 6) >= 8) bytes += static_cast<char>(bits >> (held -= 8));
  }
  return bytes;
}

std::string as_uint16(const Ids& ids) {
  std::string bytes;
  for (const TokenId id : ids) {
    bytes += static_cast<char>(id & 0xFF);
    bytes += static_cast<char>(id >> 8);
  }
  return bytes;
}

void check_cases(const Tokenizer& tokenizer, const Json& golden) {
  ASSERT_GE(golden["cases"].size(), 47u);
  for (const Json& one : golden["cases"]) {
    const std::string text = one["text"];
    const Ids ids = one["ids"], special = one.value("ids_special", ids);
    EXPECT_EQ(tokenizer.encode(text), ids) << one["name"];
    EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kAllow), special) << one["name"];
    EXPECT_EQ(tokenizer.decode(ids), text) << one["name"];
    EXPECT_EQ(tokenizer.decode(special), text) << one["name"];
  }
  ASSERT_GE(golden["bytes_cases"].size(), 7u);
  for (const Json& one : golden["bytes_cases"]) {
    const std::string bytes = decode_base64(one["bytes_b64"]);
    const std::string replaced = replace_invalid_utf8(bytes);
    EXPECT_EQ(replaced, one["utf8_replaced"].get<std::string>()) << one["name"];
    EXPECT_EQ(tokenizer.encode(replaced), one["ids_replace"].get<Ids>()) << one["name"];
    EXPECT_EQ(tokenizer.decode(tokenizer.encode(bytes)), bytes) << one["name"];
  }
}

TEST(Sha256, OfTheStandardsExamples) {
  EXPECT_EQ(test::sha256_hex("abc"),
            "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(test::sha256_hex(std::string(1000000, 'a')),
            "cdc76e5c9914fb9281a1c7e284d73e67f1809a48a497200e046d39ccc7112cd0");
}

TEST(Gpt2Golden, FromTokenizerJson) {
  INK_SHARED_DATA_OR_SKIP(folder, "gpt2");
  const Tokenizer tokenizer = Tokenizer::load(folder / "tokenizer.json");
  EXPECT_EQ(tokenizer.vocab_size(), 50257);
  EXPECT_EQ(tokenizer.end_of_text(), 50256);
  EXPECT_EQ(tokenizer.type(), TokenizerType::kBpe);
  check_cases(tokenizer, read_json(folder / "bpe_golden.json"));
}

TEST(Gpt2Golden, FromOpenAisFiles) {
  INK_SHARED_DATA_OR_SKIP(data, "gpt2");
  const test::ScratchFolder folder;
  for (const char* name : {"encoder.json", "vocab.bpe"}) fs::copy_file(data / name, folder / name);
  const Tokenizer tokenizer = Tokenizer::load(folder.path());
  EXPECT_EQ(tokenizer.vocab_size(), 50257);
  EXPECT_EQ(tokenizer.end_of_text(), 50256);
  check_cases(tokenizer, read_json(data / "bpe_golden.json"));
}

TEST(Gpt2Golden, AfterSavingAndFromVocabAndMerges) {
  INK_SHARED_DATA_OR_SKIP(data, "gpt2");
  const test::ScratchFolder folder;
  Tokenizer::load(data / "tokenizer.json").save(folder.path());
  check_cases(Tokenizer::load(folder.path()), read_json(data / "bpe_golden.json"));
  EXPECT_EQ(read_file(folder / "merges.txt"), read_file(data / "vocab.bpe"));
  fs::remove(folder / "tokenizer.json");
  check_cases(Tokenizer::load(folder.path()), read_json(data / "bpe_golden.json"));
}

TEST(Gpt2Golden, WholeTexts) {
  INK_SHARED_DATA_OR_SKIP(data, "gpt2");
  const Tokenizer tokenizer = Tokenizer::load(data / "tokenizer.json");
  int checked = 0;
  const Json golden = read_json(data / "bpe_golden_big.json");
  for (const Json& one : golden["big"]) {
    std::string file = one["file"];  // such as "en/tinyshakespeare.txt[int(n*0.9):]"
    const bool first = file.ends_with("[0:int(n*0.9)]"), last = file.ends_with("[int(n*0.9):]");
    file = file.substr(0, file.find('['));
    if (file.starts_with("en/")) file.replace(0, 3, "text/");
    const fs::path path = data.parent_path() / file;
    if (!fs::exists(path)) continue;
    std::string text = read_file(path);
    const size_t cut = static_cast<size_t>(static_cast<double>(text.size()) * 0.9);
    if (first) text.resize(cut);
    if (last) text.erase(0, cut);
    ASSERT_EQ(test::sha256_hex(text), one["sha256_text"].get<std::string>()) << one["name"];
    const Ids ids = tokenizer.encode(text);
    EXPECT_EQ(ids.size(), one["tokens"]) << one["name"];
    EXPECT_EQ(test::sha256_hex(as_uint16(ids)), one["sha256_u16le_ids"].get<std::string>())
        << one["name"];
    EXPECT_TRUE(tokenizer.decode(ids) == text) << one["name"];
    ++checked;
  }
  EXPECT_GE(checked, 4);
}

void check_fixture(const Tokenizer& tokenizer, const Json& cases) {
  ASSERT_GE(cases.size(), 15u);
  for (const Json& one : cases) {
    const std::string text = one["text"];
    EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kAllow), one["ids_allow"].get<Ids>()) << text;
    EXPECT_EQ(tokenizer.encode(text, SpecialTokens::kAsText), one["ids_as_text"].get<Ids>())
        << text;
    EXPECT_EQ(tokenizer.decode(one["ids_allow"].get<Ids>()), text);
  }
}

// Trained here, encoded there: merges, the order of ids and the encoding at once.
TEST(HuggingFaceGolden, TrainedHere) {
  const Json golden = test::fixture_golden();
  const std::string text = test::fixture_text("text.txt");
  const std::string end(kEndOfText);
  check_fixture(test::train_on(text, {.vocab_size = 420, .special_tokens = {end, "<pad>"}}),
                golden["bpe"]);
  check_fixture(test::train_on(text, {.type = TokenizerType::kChar}), golden["char"]);
  check_fixture(test::train_on(text, {.type = TokenizerType::kByte}), golden["byte"]);
}

TEST(HuggingFaceGolden, LoadedFromItsFiles) {
  const Json golden = test::fixture_golden();
  const Tokenizer bpe = Tokenizer::load(test::fixture("tokenizer/bpe.json"));
  EXPECT_EQ(bpe.type(), TokenizerType::kBpe);
  EXPECT_EQ(bpe.vocab_size(), 420);
  EXPECT_EQ(bpe.special_token("<pad>"), 1);
  check_fixture(bpe, golden["bpe"]);
  const Tokenizer character = Tokenizer::load(test::fixture("tokenizer/char.json"));
  EXPECT_EQ(character.type(), TokenizerType::kChar);
  check_fixture(character, golden["char"]);
}

}  // namespace
}  // namespace inkstone
