// Text to shards: the marks, the report, and every kind of bad input.
#include "inkstone/prepare.h"

#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <random>
#include <thread>

#include "base/hash.h"
#include "base/json.h"
#include "base/utf8.h"
#include "corpus/prepare/scan.h"
#include "corpus/prepare/split.h"
#include "prepare_fixture.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;
using test::documents_of;
using test::write_text;
using Documents = std::vector<std::string>;

class Prepare : public test::PrepareFixture {};

TEST_F(Prepare, TellsTheEncodingOfEachFileThatItGuessed) {
  write_text(scratch / "in/a.txt", "plain text");
  write_text(scratch / "in/b.txt", "caf\xE9 \xBE");
  write_text(scratch / "in/c.csv", "id;text\n1;one\n");
  const PrepareReport report = run({scratch / "in"}, 0);
  EXPECT_EQ(report.encodings.at("UTF-8"), 2);
  ASSERT_EQ(report.sources.size(), 2u);
  EXPECT_TRUE(report.sources[0].is_unsure());
  const Json json = read_json(out / "report.json");
  EXPECT_EQ(json["sources"][0]["encoding"], report.sources[0].encoding);
  EXPECT_EQ(json["sources"][0]["certainty"], report.sources[0].certainty);
  EXPECT_EQ(json["sources"][1]["notes"].size(), 2u);
}

// Twelve short files in one encoding: the folder tells what none of them does.
TEST_F(Prepare, FilesOfAFolderTellEachOthersEncoding) {
  const char* kLines[] = {
      "\xB4\xB2\xC7\xB0\xC3\xF7\xD4\xC2\xB9\xE2", "\xD2\xC9\xCA\xC7\xB5\xD8\xC9\xCF\xCB\xAA",
      "\xBE\xD9\xCD\xB7\xCD\xFB\xC3\xF7\xD4\xC2", "\xB5\xCD\xCD\xB7\xCB\xBC\xB9\xCA\xCF\xE7"};
  for (int i = 0; i < 4; ++i) write_text(scratch / fmt::format("in/{}", i), kLines[i]);
  run({scratch / "in"}, 0);
  EXPECT_EQ(documents("train"),
            (Documents{"床前明月光", "疑是地上霜", "举头望明月", "低头思故乡"}));
}

// What lies in the folder of an unfinished prepare is gone on with only when it is whole.
TEST_F(Prepare, BeginsAnewWhenItsCheckpointIsDamaged) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += fmt::format("text {}\n<|endoftext|>\n", i);
  write_text(scratch / "in", text);
  PrepareOptions options{.inputs = {scratch / "in"}, .output = out};
  options.batch_bytes = 1000;
  prepare(options, test::byte_tokenizer());
  const auto expected = test::snapshot(out);
  for (const char* damage : {"\"documents\": 1", "\"totals\": 0", "\"dropped\": []"}) {
    fs::remove_all(out);
    int batches = 3;
    EXPECT_THROW(prepare(options, test::byte_tokenizer(), {.stop = [&] { return batches-- == 0; }}),
                 Interrupted);
    fs::path state;
    for (const auto& entry : fs::recursive_directory_iterator(out)) {
      if (entry.is_regular_file() && read_file(entry.path()).find("fingerprint") < 10)
        state = entry.path();
    }
    ASSERT_FALSE(state.empty());
    Json json = read_json(state);
    json["state"].update(Json::parse("{" + std::string(damage) + "}"));
    write_json(state, json);
    EXPECT_FALSE(prepare(options, test::byte_tokenizer()).resumed);
    EXPECT_EQ(test::snapshot(out), expected);
  }
}

TEST_F(Prepare, TinyShakespeareIsDividedAsNanoGptDoes) {
  INK_SHARED_DATA_OR_SKIP(text_path, "text/tinyshakespeare.txt");
  INK_SHARED_DATA_OR_SKIP(vocabulary, "gpt2");
  const Tokenizer gpt2 = Tokenizer::load(vocabulary);
  const PrepareReport report = run({text_path}, 0.1, gpt2);
  // nanoGPT, data/shakespeare/prepare.py.
  EXPECT_EQ(report.train.tokens, 301'966);
  EXPECT_EQ(report.val.tokens, 36'059);
  const std::string text = read_file(text_path);
  EXPECT_EQ(test::tokens_of(out, "train"), gpt2.encode(text.substr(0, 1'003'854)));
  EXPECT_EQ(test::tokens_of(out, "val"), gpt2.encode(text.substr(1'003'854)));
  EXPECT_EQ(report.train.bytes, 1'003'854);
  EXPECT_EQ(report.val.bytes, 111'540);
  EXPECT_TRUE(report.warnings.empty());
}

TEST_F(Prepare, AVeryShortTextStillWorks) {
  for (const std::string text : {"x", "xy", "字"}) {
    const PrepareReport report = run_text(text);
    EXPECT_EQ(documents("train"), Documents{"OPEN: " + text.substr(0, text == "xy" ? 1 : 3)});
    EXPECT_EQ(report.val.tokens, text == "xy" ? 1 : 0);
    EXPECT_EQ(fs::exists(out / "val_000000.bin"), text == "xy");
  }
  const PrepareReport report = run_text("x");
  ASSERT_EQ(report.warnings.size(), 2u);
  EXPECT_EQ(report.warnings[0],
            "the validation part is empty: the text is too short to be divided");
  EXPECT_EQ(report.warnings[1], "the training part has 1 tokens, less than one context of 1024");
}

TEST_F(Prepare, WarnsOfMarksThatDoNotSeparate) {
  const PrepareReport report = run_text(
      "one<|endoftext|>two\n<|endoftext|>\nthree\n<|endoftext|>\nfour\n");
  EXPECT_EQ(report.documents_in, 3);
  EXPECT_EQ(report.warnings.back(),
            "1 documents have <|endoftext|> inside a line, where it is text: only a line of its "
            "own separates "
            "documents");
  auto all = documents("train");
  for (const auto& document : documents("val")) all.push_back(document);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(all, (Documents{"four\n", "one<|endoftext|>two\n", "three\n"}));
}

TEST_F(Prepare, WorksWithoutAnEndOfTextToken) {
  const Tokenizer tokenizer = test::make_tokenizer(TokenizerType::kByte, "x", false);
  const PrepareReport report = run_text("aa\n<|endoftext|>\nbb\n", 0, tokenizer);
  EXPECT_EQ(tokenizer.decode(test::tokens_of(out, "train")), "aa\nbb\n");
  EXPECT_EQ(
      report.warnings.back(),
      "the tokenizer has no end mark such as <|endoftext|>: nothing marks where a document ends");
}

TEST_F(Prepare, LeavesOutWhatIsNoTextAndSaysSo) {
  write_text(scratch / "in/good", "good text");
  write_text(scratch / "in/empty", "");
  write_text(scratch / "in/blank", " \n\t\n");
  write_text(scratch / "in/binary", std::string("a\0b", 3));
  write_text(scratch / "in/marks", "<|endoftext|>\n<|endoftext|>\n");
  write_text(scratch / "in/some", "\n<|endoftext|>\n \n<|endoftext|>\nmore good text\n");
  write_text(scratch / "in/.hidden", "x");
  fs::create_symlink(scratch / "nowhere", scratch / "in/dangling");
  const PrepareReport report = run({scratch / "in"}, 0);
  EXPECT_EQ(documents("train"), (Documents{"good text", "more good text\n"}));
  const auto reason = [&](const char* name) {
    return test::reason_for(report.dropped, scratch / "in" / name);
  };
  EXPECT_EQ(reason("empty"), "empty");
  EXPECT_EQ(reason("blank"), "blank");
  EXPECT_EQ(reason("binary"), "binary (--encoding NAME takes it as text)");
  EXPECT_EQ(reason("marks"), "empty");
  EXPECT_EQ(reason("some"), "blank");
  EXPECT_EQ(report.dropped_reasons.at("blank").documents, 3);
  EXPECT_EQ(reason(".hidden"), "hidden");
  EXPECT_EQ(reason("dangling"), "a symbolic link to nothing");
  EXPECT_EQ(reason("good"), "");
  EXPECT_EQ(report.dropped.size(), 8u);
  EXPECT_EQ(report.files, 2);
  EXPECT_EQ(report.documents_in, 2);
}

TEST_F(Prepare, LeavesOutAnUnreadableFile) {
  fs::permissions(scratch.path(), fs::perms::all);
  write_text(scratch / "in/good", "good text");
  write_text(scratch / "in/closed", "text");
  fs::permissions(scratch / "in/closed", fs::perms::none);
  const test::OrdinaryUser user;
  const PrepareReport report = run({scratch / "in"}, 0);
  EXPECT_EQ(documents("train"), Documents{"OPEN: good text"});
  EXPECT_EQ(test::reason_for(report.dropped, scratch / "in/closed"),
            "unreadable: Permission denied");
}

TEST_F(Prepare, WithoutAnyTextItSaysWhatWasLeftOut) {
  fs::create_directories(scratch / "nothing");
  const auto error = [&](const fs::path& input) { return test::thrown_by([&] { run({input}); }); };
  EXPECT_EQ(error(scratch / "nothing").code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error(scratch / "nothing"), "no text found: there is no file in '" +
                                                             (scratch / "nothing").string() + "'"));
  for (int i = 0; i < 12; ++i)
    write_text(scratch / fmt::format("bad/{:02}", i), i < 2 ? "" : " \n");
  EXPECT_EQ(error(scratch / "bad").code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error(scratch / "bad"), "no text found: all was left out: '"));
  EXPECT_TRUE(test::mentions(error(scratch / "bad"), "bad/01' (empty), '"));
  EXPECT_TRUE(test::mentions(error(scratch / "bad"), "bad/09' (blank) and 2 more"));
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Prepare, RefusesImpossibleOptions) {
  const auto in = write_text(scratch / "in", "text");
  const auto error = [&](const PrepareOptions& options) {
    const Error e = test::thrown_by([&] { prepare(options, test::byte_tokenizer()); });
    EXPECT_EQ(e.code(), ErrorCode::kUsage);
    return e;
  };
  for (const double fraction : {-0.1, 1.0, 1.5, std::nan("")}) {
    EXPECT_TRUE(test::mentions(error({.inputs = {in}, .output = out, .val_fraction = fraction}),
                               "expected at least 0 and less than 1"));
  }
  EXPECT_TRUE(test::mentions(error({.inputs = {}, .output = out}), "no input"));
  EXPECT_TRUE(test::mentions(error({.inputs = {in}, .output = {}}), "no output"));
  for (const int64_t tokens : {int64_t{0}, int64_t{-1}, int64_t{1} << 31}) {
    EXPECT_TRUE(test::mentions(error({.inputs = {in}, .output = out, .shard_tokens = tokens}),
                               "expected 1 to"));
  }
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Prepare, ReadsStandardInputAndPipes) {
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0666), 0);
  std::thread writer([&] {
    const int fd = ::open((scratch / "pipe").c_str(), O_WRONLY);
    EXPECT_EQ(::write(fd, "from a pipe", 11), 11);
    ::close(fd);
  });
  write_text(scratch / "typed", "typed by the user");
  const int saved = ::dup(STDIN_FILENO);
  const int typed = ::open((scratch / "typed").c_str(), O_RDONLY);
  ASSERT_EQ(::dup2(typed, STDIN_FILENO), STDIN_FILENO);
  const PrepareReport report = run({"-", scratch / "pipe", "-"}, 0);
  ::dup2(saved, STDIN_FILENO);
  for (const int fd : {saved, typed}) ::close(fd);
  writer.join();
  EXPECT_EQ(documents("train"), (Documents{"typed by the user", "from a pipe"}));
  EXPECT_EQ(test::reason_for(report.dropped, "-"), "standard input is named twice");
}

TEST_F(Prepare, AnEndlessBinaryStreamEnds) {
  const auto error = test::thrown_by([&] { run({"/dev/zero"}); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "'/dev/zero' (binary"));
}

TEST_F(Prepare, ShardsHoldWhatTheOptionsSay) {
  const std::string text = "0123456789";
  write_text(scratch / "in", text);
  const PrepareReport report = prepare(
      {.inputs = {scratch / "in"}, .output = out, .val_fraction = 0.3, .shard_tokens = 3},
      test::byte_tokenizer());
  ASSERT_EQ(report.train.shards, 3);
  ASSERT_EQ(report.val.shards, 1);
  const std::vector<int64_t> expected = {3, 3, 1};
  for (size_t i = 0; i < 3; ++i) {
    const ShardReport& shard = report.train.shard_files.at(i);
    EXPECT_EQ(shard.file, fmt::format("train_00000{}.bin", i));
    EXPECT_EQ(shard.tokens, expected[i]);
    const TokenShard file(out / shard.file);
    EXPECT_EQ(file.count(), expected[i]);
    EXPECT_EQ(file.bits(), 16);
    EXPECT_EQ(shard.hash128, hash128_hex_of_file(out / shard.file));
  }
  EXPECT_EQ(documents("train"), Documents{"OPEN: 0123456"});
}

TEST_F(Prepare, ALargeVocabularyTakes32Bits) {
  // A character vocabulary of more than 65,536 ids: every assigned plane holds enough code points.
  std::string characters;
  for (uint32_t c = 0x10000; c < 0x10000 + 66'000; ++c) {
    for (const uint32_t byte : {0xF0 | (c >> 18), 0x80 | ((c >> 12) & 0x3F),
                                0x80 | ((c >> 6) & 0x3F), 0x80 | (c & 0x3F)}) {
      characters.push_back(static_cast<char>(byte));
    }
  }
  const Tokenizer tokenizer = test::make_tokenizer(TokenizerType::kChar, characters);
  ASSERT_GT(tokenizer.vocab_size(), 65'536);
  run_text(characters, 0.5, tokenizer);
  EXPECT_EQ(TokenShard(out / "train_000000.bin").bits(), 32);
  EXPECT_EQ(tokenizer.decode(test::tokens_of(out, "train")) +
                tokenizer.decode(test::tokens_of(out, "val")),
            characters);
}

TEST_F(Prepare, TheNumberOfThreadsChangesNothing) {
  std::string text;
  for (int i = 0; i < 3000; ++i) text += fmt::format("a text of number {}\n<|endoftext|>\n", i * i);
  const Tokenizer tokenizer = test::make_tokenizer(TokenizerType::kBpe, text);
  runtime = Runtime({.threads = 1});
  run_text(text, 0.1, tokenizer);
  const auto one = test::snapshot(out);
  runtime = Runtime({.threads = 5});
  run_text(text, 0.1, tokenizer);
  EXPECT_EQ(test::snapshot(out), one);
}

TEST_F(Prepare, TheReportTellsEverything) {
  write_text(scratch / "in/a", "some text");
  write_text(scratch / "in/b", "other text");
  write_text(scratch / "in/c", "");
  const Tokenizer tokenizer = test::byte_tokenizer();
  const PrepareReport report = run({scratch / "in"}, 0.25);
  const Json json = read_json(out / "report.json");
  EXPECT_EQ(json["program"], "inkstone prepare");
  EXPECT_FALSE(json["version"].get<std::string>().empty());
  EXPECT_EQ(json["options"]["inputs"], Json({(scratch / "in").string()}));
  EXPECT_EQ(json["options"]["val_fraction"], 0.25);
  EXPECT_EQ(json["options"]["shard_tokens"], 100'000'000);
  EXPECT_EQ(json["tokenizer"]["type"], "byte");
  EXPECT_EQ(json["tokenizer"]["vocab_size"], tokenizer.vocab_size());
  EXPECT_EQ(json["tokenizer"]["end_of_text"], *tokenizer.end_of_text());
  EXPECT_EQ(json["tokenizer"]["hash128"], hash128_hex_of_file(out / "tokenizer.json"));
  EXPECT_EQ(json["files"], 2);
  EXPECT_EQ(json["documents"], 2);
  EXPECT_EQ(json["bytes"], 19);
  EXPECT_DOUBLE_EQ(json["bytes_per_token"].get<double>(), 19.0 / 21.0);
  EXPECT_EQ(json["single_document"], false);
  EXPECT_EQ(json["invalid_utf8_documents"], 0);
  for (const auto& [split, expected] :
       {std::pair{"train", report.train}, std::pair{"val", report.val}}) {
    EXPECT_EQ(json[split]["documents"], expected.documents);
    EXPECT_EQ(json[split]["bytes"], expected.bytes);
    EXPECT_EQ(json[split]["tokens"], expected.tokens);
    ASSERT_EQ(json[split]["shards"].size(), 1u);
    EXPECT_EQ(json[split]["shards"][0]["file"], std::string(split) + "_000000.bin");
    EXPECT_EQ(json[split]["shards"][0]["tokens"], expected.tokens);
    EXPECT_EQ(json[split]["shards"][0]["hash128"], expected.shard_files[0].hash128);
  }
  EXPECT_EQ(json["warnings"], Json(in_english(report.warnings)));
  EXPECT_EQ(json["dropped"], Json::parse(R"([{"source": ")" + (scratch / "in/c").string() +
                                         R"(", "reason": "empty"}])"));
  // What reads the folder finds the same tokenizer in it.
  EXPECT_EQ(Tokenizer::load(out).encode("some text"), tokenizer.encode("some text"));
}

TEST_F(Prepare, NamesThatAreNotUtf8DoNotSpoilTheReport) {
  write_text(scratch / "in/a", "some text");
  write_text(scratch / "in/\xFF\xFE", "");
  run({scratch / "in"});
  EXPECT_EQ(read_json(out / "report.json")["dropped"].size(), 1u);
}

TEST_F(Prepare, ReportsProgress) {
  write_text(scratch / "in", std::string(40 << 20, 'x'));
  std::vector<PrepareProgress> calls;
  prepare({.inputs = {scratch / "in"}, .output = out}, test::byte_tokenizer(),
          {.on_progress = [&](const PrepareProgress& p) { calls.push_back(p); }});
  ASSERT_GE(calls.size(), 2u);
  EXPECT_EQ(calls.front().stage, PrepareProgress::Stage::kScanning);
  EXPECT_EQ(calls.back().stage, PrepareProgress::Stage::kEncoding);
  EXPECT_EQ(calls.back().bytes_done, 40 << 20);
  EXPECT_EQ(calls.back().bytes_total, 40 << 20);
  EXPECT_EQ(calls.back().tokens, 40 << 20);
}

// The file is changed between the two readings.
TEST_F(Prepare, NoticesAFileThatChangesMeanwhile) {
  const auto path = scratch / "in";
  for (const char* text : {"first\n<|endoftext|>\nSecond\n", "first\n", "",
                           "first\n<|endoftext|>\nsecond\n<|endoftext|>\nthird"}) {
    write_text(path, "first\n<|endoftext|>\nsecond\n");
    const auto error = test::thrown_by([&] {
      prepare({.inputs = {path}, .output = out}, test::byte_tokenizer(),
              {.on_progress = [&](const PrepareProgress& p) {
                if (p.stage == PrepareProgress::Stage::kScanning) write_text(path, text);
              }});
    });
    EXPECT_EQ(error.code(), ErrorCode::kInputOutput);
    EXPECT_TRUE(test::mentions(error, "in' changed while it was read"));
    EXPECT_FALSE(fs::exists(out));
  }
}

TEST_F(Prepare, CleansAndSaysWhatItDid) {
  write_text(scratch / "in",
             "one\r\ntwo\r\n<|endoftext|>\n\xEF\xBB\xBF"
             "a\x01z\xFF\n");
  const PrepareReport report = prepare(
      {.inputs = {scratch / "in"}, .output = out, .val_fraction = 0, .read = {.encoding = "UTF-8"}},
      test::byte_tokenizer());
  EXPECT_EQ(documents("train"), (Documents{"one\ntwo\n", "az\uFFFD\n"}));
  EXPECT_EQ(report.cleaned.line_ends, 2);
  EXPECT_EQ(report.cleaned.control_characters, 2);
  EXPECT_EQ(report.cleaned.invalid_sequences, 1);
  EXPECT_EQ(report.invalid_utf8_documents, 1);
  EXPECT_EQ(
      report.warnings.back(),
      "1 documents have bytes that are not valid in their encoding; U+FFFD stands for them now");
}

TEST_F(Prepare, DropsDocumentsThatAreNotValid) {
  write_text(scratch / "in", "a\xFF\n<|endoftext|>\nbb\n<|endoftext|>\ncc\n");
  const PrepareReport report = prepare({.inputs = {scratch / "in"},
                                        .output = out,
                                        .val_fraction = 0,
                                        .read = {.encoding = "UTF-8"},
                                        .clean = {.invalid = InvalidText::kDrop}},
                                       test::byte_tokenizer());
  EXPECT_EQ(documents("train"), (Documents{"bb\n", "cc\n"}));
  ASSERT_EQ(report.dropped.size(), 1u);
  EXPECT_EQ(report.dropped[0].reason, "invalid UTF-8");
  EXPECT_EQ(report.dropped[0].document, 1);
  EXPECT_EQ(report.dropped_reasons.at("invalid UTF-8").bytes, 3);
}

TEST_F(Prepare, DropsDuplicatesAndKeepsTheFirst) {
  write_text(scratch / "in/a", "same\n<|endoftext|>\nother\n<|endoftext|>\nsame\n");
  write_text(scratch / "in/b", "same\r\n");  // the same when it is cleaned
  write_text(scratch / "in/c", "more\n");
  PrepareOptions options{.inputs = {scratch / "in"}, .output = out, .val_fraction = 0};
  options.dropped_file = scratch / "dropped.jsonl";
  const PrepareReport report = prepare(options, test::byte_tokenizer());
  EXPECT_EQ(documents("train"), (Documents{"same\n", "other\n", "more\n"}));
  EXPECT_EQ(report.documents_in, 5);
  EXPECT_EQ(report.dropped_reasons.at("duplicate").documents, 2);
  EXPECT_EQ(report.dropped_reasons.at("duplicate").bytes, 10);
  const Json first = Json::parse(read_file(scratch / "dropped.jsonl")
                                     .substr(0, read_file(scratch / "dropped.jsonl").find('\n')));
  EXPECT_EQ(first["source"], (scratch / "in/a").string());
  EXPECT_EQ(first["document"], 3);
  EXPECT_EQ(first["reason"], "duplicate");
  options.exact_duplicates = false;
  EXPECT_EQ(prepare(options, test::byte_tokenizer()).train.documents, 5);
}

TEST_F(Prepare, DropsNearDuplicates) {
  std::string text;
  for (int i = 0; i < 300; ++i) text += fmt::format("word{} ", i * 7919 % 1000);
  write_text(scratch / "in/a", text + "end");
  write_text(scratch / "in/b", text + "other end");
  write_text(scratch / "in/c", "a text of its own");
  PrepareOptions options{
      .inputs = {scratch / "in"}, .output = out, .val_fraction = 0, .near_duplicates = true};
  const PrepareReport report = prepare(options, test::byte_tokenizer());
  EXPECT_EQ(documents("train"), (Documents{text + "end", "a text of its own"}));
  EXPECT_EQ(report.dropped_reasons.at("near-duplicate").documents, 1);
  options.near_duplicates = false;
  EXPECT_EQ(prepare(options, test::byte_tokenizer()).train.documents, 3);
}

// A vocabulary's pre-tokenizer decides where a long document may be cut; here the parts are cut in
// the middle of nothing but white space and letters.
TEST_F(Prepare, ALongDocumentGetsTheIdsOfTheWhole) {
  std::string text;
  for (int i = 0; text.size() < 20'000'000; ++i)
    text += i % 1000 == 0 ? "\n\n " : fmt::format("wört{} ", i % 977);
  const Tokenizer tokenizer = test::make_tokenizer(TokenizerType::kBpe, text.substr(0, 100'000));
  write_text(scratch / "in/long", text);
  write_text(scratch / "in/short", "short");
  const PrepareReport report = run({scratch / "in"}, 0, tokenizer);
  std::vector<TokenId> expected = tokenizer.encode(text);
  expected.push_back(*tokenizer.end_of_text());
  for (const TokenId id : tokenizer.encode("short")) expected.push_back(id);
  expected.push_back(*tokenizer.end_of_text());
  EXPECT_TRUE(test::tokens_of(out, "train") == expected);
  EXPECT_EQ(report.long_documents, 1);
}

TEST_F(Prepare, GoesOnWhereItWasInterrupted) {
  for (int f = 0; f < 5; ++f) {
    std::string text;
    for (int i = 0; i < 400; ++i)
      text += fmt::format("text {} of file {}\r\n<|endoftext|>\n", i * i % 350, f);
    write_text(scratch / fmt::format("in/{}", f), text);
  }
  write_text(scratch / "in/empty", "");
  PrepareOptions options{
      .inputs = {scratch / "in"}, .output = out, .val_fraction = 0.3, .shard_tokens = 3000};
  options.near_duplicates = true;
  options.minhash = {.shingle_words = 2, .bands = 4, .rows = 4};
  options.checkpoint_seconds = 0;
  options.batch_bytes = 1500;
  options.dropped_file = scratch / "dropped.jsonl";
  const Tokenizer tokenizer = test::make_tokenizer(TokenizerType::kBpe);
  prepare(options, tokenizer);
  const auto expected = test::snapshot(out);
  const std::string expected_dropped = read_file(options.dropped_file);
  EXPECT_GT(expected.size(), 6u);
  std::mt19937 random(5);
  for (int round = 0; round < 5; ++round) {
    fs::remove_all(out);
    fs::remove(options.dropped_file);
    int interruptions = 0;
    for (bool done = false; !done;) {
      int batches = static_cast<int>(random() % 12);
      try {
        const PrepareReport report = prepare(options, tokenizer,
                                             {.stop = [&] { return batches-- == 0; }});
        EXPECT_EQ(report.resumed, interruptions > 0);
        done = true;
      } catch (const Interrupted&) {
        ++interruptions;
        EXPECT_FALSE(fs::exists(out / "report.json"));
      }
    }
    EXPECT_GT(interruptions, 3);
    EXPECT_EQ(test::snapshot(out), expected);
    EXPECT_EQ(read_file(options.dropped_file), expected_dropped);
  }
}

TEST_F(Prepare, AnotherCallDoesNotGoOnWithWhatWasInterrupted) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += fmt::format("text {}\n<|endoftext|>\n", i);
  write_text(scratch / "in", text);
  PrepareOptions options{.inputs = {scratch / "in"}, .output = out};
  options.batch_bytes = 1000;
  const auto interrupt = [&] {
    int batches = 3;
    EXPECT_THROW(prepare(options, test::byte_tokenizer(), {.stop = [&] { return batches-- == 0; }}),
                 Interrupted);
  };
  interrupt();
  options.val_fraction = 0.5;
  EXPECT_FALSE(prepare(options, test::byte_tokenizer()).resumed);
  interrupt();
  write_text(scratch / "in", text + "more");
  EXPECT_FALSE(prepare(options, test::byte_tokenizer()).resumed);
  EXPECT_EQ(documents("train").size() + documents("val").size(), 401u);
  interrupt();
  EXPECT_TRUE(prepare(options, test::byte_tokenizer()).resumed);
}

// It is put in place by a rename, which would replace the device.
TEST_F(Prepare, RefusesADeviceOrFolderForTheDroppedDocuments) {
  write_text(scratch / "in", "text");
  ASSERT_EQ(::mkfifo((scratch / "pipe").c_str(), 0666), 0);
  for (const fs::path& file : {scratch.path(), scratch / "pipe"}) {
    PrepareOptions options{.inputs = {scratch / "in"}, .output = out};
    options.dropped_file = file;
    const auto error = test::thrown_by([&] { prepare(options, test::byte_tokenizer()); });
    EXPECT_EQ(error.code(), ErrorCode::kUsage);
    EXPECT_TRUE(test::mentions(error, "expected a file"));
  }
  EXPECT_FALSE(fs::exists(out));
}

TEST_F(Prepare, ChoosesTheBitsOfATokenAsTold) {
  write_text(scratch / "in", "0123456789");
  PrepareOptions options{.inputs = {scratch / "in"}, .output = out, .bits = 32};
  prepare(options, test::byte_tokenizer());
  EXPECT_EQ(TokenShard(out / "train_000000.bin").bits(), 32);
  options.bits = 8;
  EXPECT_EQ(test::thrown_by([&] { prepare(options, test::byte_tokenizer()); }).code(),
            ErrorCode::kUsage);
}

TEST_F(Prepare, ReportsLengthsAndFrequentTokens) {
  write_text(scratch / "in", "aaaa\n<|endoftext|>\nbba\n<|endoftext|>\nb\n");
  const PrepareReport report = run({scratch / "in"}, 0);
  EXPECT_EQ(report.token_lengths, (std::vector<int64_t>{0, 1, 2}));  // 2, 4 and 5 tokens
  ASSERT_GE(report.frequent_tokens.size(), 3u);
  const Tokenizer tokenizer = test::byte_tokenizer();
  EXPECT_EQ(report.frequent_tokens[0].id, tokenizer.token_id("a"));
  EXPECT_EQ(report.frequent_tokens[0].count, 5);
  EXPECT_EQ(report.frequent_tokens[1].count, 3);
}

}  // namespace
}  // namespace inkstone
