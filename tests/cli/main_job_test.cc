// The main job: text in, a trained model, text out, with every output that the command line
// promises.
#include <fmt/format.h>

#include <cmath>
#include <nlohmann/json.hpp>
#include <sstream>

#include "base/file.h"
#include "base/utf8.h"
#include "workspace.h"

namespace inkstone::test {
namespace {
namespace fs = std::filesystem;
using Json = nlohmann::json;

void expect_keys(const Json& json, const Words& keys) {
  for (const std::string& key : keys)
    EXPECT_TRUE(json.contains(key)) << "no '" << key << "' in " << json.dump();
}

class MainJobTest : public Workspace {};

TEST_F(MainJobTest, FromTextToTextWithEveryTypeOfVocabulary) {
  const std::string text = verses(60) + "naïve café — 你好, 世界 🙂\n";
  for (const char* type : {"bpe", "char", "byte"}) {
    SCOPED_TRACE(type);
    for (const char* name : {"vocabulary", "data", "run", "tuned"}) fs::remove_all(*this / name);
    write("text.txt", text);
    const Outcome learnt = run_well(
        {"tokenizer", "train", "text.txt", "-o", "vocabulary", "--type", type, "--json"});
    EXPECT_EQ(Json::parse(learnt.out)["type"], type);
    const Outcome ids = run_well(
        {"tokenizer", "encode", "--tokenizer", "vocabulary", "--format", "json"}, text);
    EXPECT_FALSE(Json::parse(ids.out).empty());
    EXPECT_EQ(run_well({"tokenizer", "decode", "--tokenizer", "vocabulary"}, ids.out).out, text);

    const Outcome prepared = run_well({"prepare", "text.txt", "--tokenizer", "vocabulary", "-o",
                                       "data", "--json", "--threads", "1"});
    expect_keys(Json::parse(prepared.out), {"documents", "train", "val", "dropped", "warnings"});

    const Outcome trained = run_well(
        training("run", {"--steps", "40", "--eval-every", "20", "--log-every", "5",
                         "--sample-every", "20", "--json"}));
    const auto events = json_lines(trained.out);
    expect_keys(events.front(),
                {"event", "step", "loss", "lr", "grad_norm", "tokens_per_s", "elapsed_s"});
    EXPECT_EQ(events.back()["event"], "end");
    EXPECT_EQ(events.back()["reason"], "done");

    const Outcome written = run_well(
        {"generate", "run", "--json", "--max-tokens", "12", "--threads", "1"});
    expect_keys(Json::parse(written.out),
                {"prompt", "text", "tokens", "log_probs", "finish", "seed"});
    const Outcome scored = run_well(
        {"score", "run", "--context", "9 little", "--completion", " ducks", "--json"});
    const Json score = Json::parse(scored.out);
    double sum = 0;
    for (const Json& token : score["tokens"]) sum += token["log_prob"].get<double>();
    EXPECT_NEAR(score["log_prob"].get<double>(), sum, 1e-9);
    const Outcome total = run_well(
        {"score", "run", "--context", "9 little", "--completion", " ducks"});
    EXPECT_NEAR(std::stod(total.out), sum, 1e-5);
    const Json evaluated = Json::parse(
        run_well({"eval", "run", "text.txt", "--json", "--threads", "1"}).out);
    EXPECT_NEAR(evaluated["perplexity"].get<double>(), std::exp(evaluated["loss"].get<double>()),
                1e-6);
    EXPECT_EQ(evaluated["bytes"], text.size());
    const double nats = evaluated["loss"].get<double>() * evaluated["tokens"].get<double>();
    const double characters = static_cast<double>(count_characters(text));
    EXPECT_EQ(evaluated["characters"], characters);
    EXPECT_NEAR(evaluated["nats_per_character"].get<double>(), nats / characters, 1e-9);
    EXPECT_NEAR(evaluated["bits_per_byte"].get<double>(),
                nats / std::log(2.0) / static_cast<double>(text.size()), 1e-9);

    run_well(
        {"finetune", "run", "--data", "data", "-o", "tuned", "--steps", "20", "--threads", "1"});
    EXPECT_EQ(Json::parse(run_well({"info", "tuned", "--json"}).out)["kind"], "run");
    run_well({"train", "--resume", "tuned", "--steps", "25", "--threads", "1"});
    EXPECT_EQ(Json::parse(run_well({"info", "tuned", "--json"}).out)["last"]["step"], 25);
  }
}

TEST_F(MainJobTest, TheFewestWordsAreEnough) {
  write("book.txt", verses(80));
  run_well({"tokenizer", "train", "book.txt", "-o", "vocabulary"});
  run_well({"prepare", "book.txt", "--tokenizer", "vocabulary", "-o", "data"});
  const Outcome trained = run_well(
      {"train", "--data", "data", "-o", "run", "--steps", "2", "--batch", "2", "--threads", "1"});
  EXPECT_NE(trained.err.find("gpt-micro"), std::string::npos)
      << "it says which shape it chose: " << trained.err;
  EXPECT_NE(trained.err.find("inkstone chat run"), std::string::npos)
      << "it says what comes next: " << trained.err;
  EXPECT_FALSE(run_well({"generate", "run"}).out.empty());
}

TEST_F(MainJobTest, MetricsHaveTheKeysThatScriptsRelyOn) {
  make_run();
  const auto lines = json_lines(read("run/metrics.jsonl"));
  ASSERT_EQ(lines.size(), 6u);
  for (const Json& line : lines) {
    expect_keys(line, {"step", "tokens", "loss", "lr", "grad_norm", "tokens_per_s", "elapsed_s"});
    for (const char* key :
         {"val_loss", "val_tokens", "val_nats_per_character", "val_bits_per_byte"})
      EXPECT_EQ(line.contains(key), line["step"].get<int64_t>() % 20 == 0) << key;
  }
  EXPECT_LT(lines.back()["loss"].get<double>(), lines.front()["loss"].get<double>());
}

TEST_F(MainJobTest, LossesPerTextAreShownWhereverLossesAre) {
  make_data(verses(60), "bpe");
  const Outcome trained = run_well(training("run", {"--steps", "40", "--eval-every", "20"}));
  const Json line = json_lines(read("run/metrics.jsonl")).back();
  const std::string both = fmt::format(" ({:.4f} per character, {:.4f} bits per byte)",
                                       line["val_nats_per_character"].get<double>(),
                                       line["val_bits_per_byte"].get<double>());
  EXPECT_NE(trained.err.find(fmt::format("val loss {:.4f}", line["val_loss"].get<double>()) + both),
            std::string::npos)
      << trained.err;
  EXPECT_NE(trained.err.find("nats per token" + both), std::string::npos) << trained.err;
  const Json info = Json::parse(run_well({"info", "run", "--json"}).out);
  for (const char* link : {"last", "best"}) {
    for (const char* key : {"val_loss", "val_nats_per_character", "val_bits_per_byte"})
      EXPECT_EQ(info.at(link).value(key, Json()), line.at(key)) << key;
  }
  const auto end =
      json_lines(run_well(training("again", {"--steps", "40", "--eval-every", "20", "--json"})).out)
          .back();
  EXPECT_NEAR(end["best_val_bits_per_byte"].get<double>(), line["val_bits_per_byte"].get<double>(),
              1e-12);
  EXPECT_NEAR(end["best_val_nats_per_character"].get<double>(),
              line["val_nats_per_character"].get<double>(), 1e-12);
  // TensorBoard's too.
  std::string events;
  for (const auto& entry : fs::directory_iterator(*this / "run")) {
    if (entry.path().filename().string().starts_with("events.out.tfevents"))
      events += read_file(entry.path());
  }
  for (const char* tag :
       {"loss/validation", "loss_per_character/validation", "bits_per_byte/validation"})
    EXPECT_NE(events.find(tag), std::string::npos) << tag;
}

TEST_F(MainJobTest, OfTextWithoutBlanksNothingIsSaidOfWords) {
  make_run();
  const auto says_words = [&](const std::string& text) {
    write("eval.txt", text);
    const bool says = Json::parse(run_well({"eval", "run", "eval.txt", "--json"}).out)
                          .contains("word_perplexity");
    EXPECT_EQ(run_well({"eval", "run", "eval.txt"}).out.find("per word") != std::string::npos,
              says);
    return says;
  };
  EXPECT_TRUE(says_words("Over the hill and far away.\n"));
  EXPECT_TRUE(says_words("하늘 천 땅 지, 검을 현 누를 황\n"));
  EXPECT_TRUE(says_words("3 4 5\n"));
  EXPECT_FALSE(says_words("床前明月光，疑是地上霜。\n举头望明月，低头思故乡。\n"));
  EXPECT_FALSE(says_words("いろはにほへと ちりぬるを\n"));
  EXPECT_FALSE(says_words("สวัสดีชาวโลก ยินดีต้อนรับ\n"));
  EXPECT_FALSE(says_words("GPT-2 写的红楼梦\n"));
}

TEST_F(MainJobTest, FineTuningTellsAVocabularyThatDoesNotSuit) {
  make_data(verses(300), "bpe");
  run_well(training("run", {"--steps", "2"}));
  std::string poem;
  for (int i = 0; i < 60; ++i) poem += std::to_string(i) + "床前明月光，疑是地上霜。\n";
  write("poem.txt", poem);
  write("more.txt", verses(200));
  const auto warns = [&](const char* text, const char* tuned) {
    return run_well({"finetune", "run", text, "-o", tuned, "--steps", "1", "--threads", "1"})
               .err.find("warning: the model's vocabulary does not suit this text") !=
           std::string::npos;
  };
  EXPECT_TRUE(warns("poem.txt", "tuned"));
  EXPECT_FALSE(warns("more.txt", "tuned_more"));
}

TEST_F(MainJobTest, InfoKnowsEveryKindOfThing) {
  make_run();
  const auto kind = [&](const std::string& path) {
    EXPECT_NE(run_well({"info", path}).out.find("kind: "), std::string::npos);
    return Json::parse(run_well({"info", path, "--json"}).out)["kind"].get<std::string>();
  };
  EXPECT_EQ(kind("run"), "run");
  EXPECT_EQ(kind("run/last"), "model");
  EXPECT_EQ(kind("data"), "prepared data");
  EXPECT_EQ(kind("data/train_000000.bin"), "token shard");
  EXPECT_EQ(kind("vocabulary"), "tokenizer");
  EXPECT_EQ(kind("vocabulary/tokenizer.json"), "tokenizer");
}

TEST_F(MainJobTest, InfoShowsAShardsBeginningAndChecksIt) {
  make_data("The first song.\n<|endoftext|>\nThe second song.\n<|endoftext|>\nThe third song.\n",
            "char");
  const std::string shard = "data/train_000000.bin";
  const Json found = Json::parse(run_well({"info", shard, "--json"}).out);
  expect_keys(found, {"kind", "path", "tokens", "bits", "hash128", "checksum", "end_of_text_tokens",
                      "beginning"});
  EXPECT_EQ(found["checksum"], "as in report.json");
  EXPECT_NE(found["beginning"].get<std::string>().find(" song.\n<|endoftext|>\n"),
            std::string::npos)
      << found;
  EXPECT_EQ(found["end_of_text_tokens"],
            Json::parse(read("data/report.json"))["train"]["documents"]);

  fs::create_directory(*this / "alone");
  fs::copy(*this / shard, *this / "alone/train_000000.bin");
  const Json alone = Json::parse(run_well({"info", "alone/train_000000.bin", "--json"}).out);
  EXPECT_EQ(alone["checksum"], "not in a report.json");
  EXPECT_FALSE(alone.contains("beginning"));
  const Json given = Json::parse(
      run_well({"info", "alone/train_000000.bin", "--tokenizer", "vocabulary", "--json"}).out);
  EXPECT_EQ(given["beginning"], found["beginning"]);
  expect_refused(2, {"info", "data", "--tokenizer", "vocabulary"}, {"--tokenizer", "token shard"});

  std::string bytes = read(shard);
  std::swap(bytes[1024], bytes[1026]);
  write(shard, bytes);
  const Json damaged = Json::parse(run_well({"info", shard, "--json"}).out);
  EXPECT_EQ(damaged["checksum"], "DIFFERS");
  EXPECT_EQ(damaged["reported_hash128"], found["hash128"]);
}

TEST_F(MainJobTest, InfoOfADataFolderIsAReportToRead) {
  make_data();
  const std::string text = run_well({"info", "data"}).out;
  for (const char* part : {"  train:\n", "    documents: ",
                           "    shards: 1\n      file train_000000.bin, tokens ", "  warnings: "}) {
    EXPECT_NE(text.find(part), std::string::npos) << part << "\n" << text;
  }
  EXPECT_TRUE(Json::parse(run_well({"info", "data", "--json"}).out)["report"] ==
              Json::parse(read("data/report.json")));
}

TEST_F(MainJobTest, MixesDataSets) {
  make_data();
  run_well(
      {"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "more", "--val-fraction", "0.5"});
  Words words = training("run", {"--data", "more", "--weights", "3,1", "--steps", "60"});
  const Outcome outcome = run_well(words);
  EXPECT_NE(outcome.err.find("data: 75.00 % of the windows"), std::string::npos) << outcome.err;
  const Json last = json_lines(read("run/metrics.jsonl")).back();
  expect_keys(last, {"val_loss", "val_loss_data", "val_loss_more"});
  run_well({"train", "--resume", "run", "--steps", "70", "--threads", "1"});
  words = training("other", {"--data", "more", "--weights", "3,nan"});
  expect_refused(2, words, {"--weights has nan"});
  expect_refused(2, training("other", {"--data", "data"}), {"given twice"});
  expect_refused(2, training("other", {"--align-documents"}),
                 {"one document", "--align-documents"});
}

TEST_F(MainJobTest, LogitsAreANumpyFileOfTokensByVocabulary) {
  make_run();
  run_well({"logits", "run", "--tokens", "1,2,3", "-o", "logits.npy"});
  const std::string file = read("logits.npy");
  const auto vocab = Json::parse(run_well({"info", "run/last", "--json"}).out)["vocab_size"]
                         .get<size_t>();
  EXPECT_EQ(file.substr(1, 5), "NUMPY");
  EXPECT_NE(file.find("(3, " + std::to_string(vocab) + ")"), std::string::npos);
  EXPECT_EQ(file.size() % 64, (3 * vocab * 4) % 64);
}

TEST_F(MainJobTest, TextComesThroughStandardInput) {
  const std::string text = verses(40);
  run_well({"tokenizer", "train", "-", "-o", "vocabulary", "--type", "char"}, text);
  run_well({"prepare", "-", "--tokenizer", "vocabulary", "-o", "piped"}, text);
  write("text.txt", text);
  run_well({"prepare", "text.txt", "--tokenizer", "vocabulary", "-o", "data"});
  EXPECT_EQ(read("piped/train_000000.bin"), read("data/train_000000.bin"));
}

TEST_F(MainJobTest, IdsComeInEveryFormat) {
  make_data(verses(20), "bpe");
  const std::string text = "9 little ducks, über alles\n";
  for (const char* format : {"text", "json", "u16", "u32"}) {
    const Outcome ids = run_well(
        {"tokenizer", "encode", "--tokenizer", "vocabulary", "--format", format}, text);
    EXPECT_EQ(
        run_well({"tokenizer", "decode", "--tokenizer", "vocabulary", "--format", format}, ids.out)
            .out,
        text);
  }
}

TEST_F(MainJobTest, BenchPrintsTheKeysThatScriptsRelyOn) {
  for (const char* what : {"gemm", "train", "prefill", "decode"}) {
    const Outcome outcome = run_well({"bench", what, "--json", "--model", "gpt-nano", "--batch",
                                      "2", "--context", "16", "--prompt", "16", "--repetitions",
                                      "3", "--threads", "1"});
    const auto lines = json_lines(outcome.out);
    ASSERT_FALSE(lines.empty());
    for (const Json& line : lines) expect_keys(line, {"name", "dtype", "threads", "shape", "ms"});
    if (std::string(what) == "gemm") {
      expect_keys(lines.back(), {"gflops"});
    } else {
      expect_keys(lines.back(), {"tokens_per_s", "floor_ms", "floor_fraction"});
      if (std::string(what) != "train") expect_keys(lines.back(), {"type", "cache"});
    }
  }
}

TEST_F(MainJobTest, LearnsRealText) {
  INK_SHARED_DATA_OR_SKIP(shakespeare, "text/tinyshakespeare.txt");
  make_data(read_file(shakespeare).substr(0, 300'000), "char");
  const Outcome trained = run_well(
      {"train", "--data",        "data", "-o",      "run",       "--layers",
       "2",     "--heads",       "2",    "--width", "48",        "--context",
       "32",    "--batch",       "8",    "--lr",    "3e-3",      "--steps",
       "300",   "--eval-tokens", "8000", "--json",  "--threads", "1"});
  // Characters drawn by their frequencies cost 3.3 nats: it has learnt from what stands before
  // them.
  EXPECT_LT(json_lines(trained.out).back()["best_val_loss"].get<double>(), 2.9);
}

}  // namespace
}  // namespace inkstone::test
