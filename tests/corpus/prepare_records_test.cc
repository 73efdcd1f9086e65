// prepare() of records with a completion: ids, trained spans, templates, faults, interruptions.
#include <nlohmann/json.hpp>

#include "base/hash.h"
#include "base/json.h"
#include "corpus/load/record_spans.h"
#include "prepare_fixture.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;

Tokenizer golden_tokenizer() { return Tokenizer::load(test::fixture("completion/model")); }

std::string pair_line(const std::string& prompt, const std::string& completion) {
  return Json({{"prompt", prompt}, {"completion", completion}}).dump() + "\n";
}

std::string pair_lines(int count) {
  std::string lines;
  for (int i = 0; i < count; ++i)
    lines += pair_line("count to " + std::to_string(i) + ": ", std::string(i % 7 + 1, 'x'));
  return lines;
}

class PrepareRecords : public test::PrepareFixture {
 protected:
  PrepareOptions options_of(const std::vector<fs::path>& inputs, double val_fraction) const {
    PrepareOptions options{.inputs = inputs, .output = out, .val_fraction = val_fraction};
    options.read.records = Records::kAuto;
    options.runtime = runtime;
    return options;
  }
  PrepareReport run_records(const std::string& lines, double val_fraction = 0.0) {
    return prepare(options_of({test::write_text(scratch / "in.jsonl", lines)}, val_fraction),
                   golden_tokenizer());
  }
  TrainedSpans spans(const std::string& split = "train") const {
    auto found = find_trained_spans(TokenStream(out, split), split);
    EXPECT_TRUE(found.has_value());
    return *std::move(found);
  }
  std::vector<int> mask(const std::string& split = "train") const {
    const TrainedSpans all = spans(split);
    std::vector<int> mask(static_cast<size_t>(all.begin(all.documents())));
    for (int64_t i = 0; i < all.documents(); ++i) {
      for (const TrainedSpan& span : all.spans(i))
        std::fill(mask.begin() + all.begin(i) + span.begin, mask.begin() + all.begin(i) + span.end,
                  1);
    }
    return mask;
  }
};

TEST_F(PrepareRecords, IdsAndMasksEqualTrls) {
  PrepareOptions options = options_of({test::fixture("completion/pairs.jsonl")}, 0.0);
  options.turns = load_turn_template("plain");
  prepare(options, golden_tokenizer());
  std::vector<TokenId> ids;
  std::vector<int> trained;
  const Json golden = read_json(test::fixture("completion/goldens.json"));
  for (const Json& pair : golden["sft"]["pairs"]) {
    const auto own = pair["ids"].get<std::vector<TokenId>>();
    const auto own_mask = pair["mask"].get<std::vector<int>>();
    ids.insert(ids.end(), own.begin(), own.end());
    // TRL trains no first label; we leave that to training, for it is known there what is first.
    trained.insert(trained.end(), own_mask.begin(), own_mask.end());
    if (pair["prompt"] == "") trained[trained.size() - own_mask.size()] = 1;
  }
  EXPECT_EQ(test::tokens_of(out, "train"), ids);
  EXPECT_EQ(mask(), trained);
  // Blanks at the end of two prompts, each before a word.
  EXPECT_EQ(read_json(out / "report.json")["records"]["shared_tokens"], 2);
}

TEST_F(PrepareRecords, PairsWithWhiteSpaceBetweenThemAreJoinedAsTheyStand) {
  const PrepareReport report = run_records(pair_line("one: ", "two") + pair_line("a\n", "b"));
  ASSERT_TRUE(report.records);
  EXPECT_EQ(report.records->turns, "plain");
  EXPECT_EQ(report.records->shapes, (std::map<std::string, int64_t>{{"{prompt, completion}", 2}}));
  EXPECT_EQ(test::documents_of(out, "train", golden_tokenizer()),
            (std::vector<std::string>{"one: two", "a\nb"}));
  EXPECT_EQ(*Tokenizer::load(out).turn_template(), load_turn_template("plain"));
}

TEST_F(PrepareRecords, OtherRecordsAreWrittenInTurns) {
  const PrepareReport report = run_records(pair_line("one", "two") + pair_line("a\n", "b"));
  EXPECT_EQ(report.records->turns, "turns");
  EXPECT_EQ(
      test::documents_of(out, "train", golden_tokenizer()),
      (std::vector<std::string>{"User:\none\n\nAssistant:\ntwo", "User:\na\n\n\nAssistant:\nb"}));
}

TEST_F(PrepareRecords, TheTokenizersTemplateComesBeforeAChosenOne) {
  TurnTemplate own = load_turn_template("turns");
  own.roles[1].before = "Q ";
  const Tokenizer tokenizer = golden_tokenizer().with_turn_template(own);
  const auto in = test::write_text(scratch / "in.jsonl", pair_line("one", "two"));
  EXPECT_EQ(prepare(options_of({in}, 0), tokenizer).records->turns, "");
  EXPECT_EQ(test::documents_of(out, "train", tokenizer)[0], "Q one\n\nAssistant:\ntwo");
  PrepareOptions options = options_of({in}, 0);
  options.turns = load_turn_template("plain");
  const PrepareReport report = prepare(options, tokenizer);
  EXPECT_EQ(test::documents_of(out, "train", tokenizer)[0], "onetwo");
  ASSERT_FALSE(report.warnings.empty());
  EXPECT_NE(report.warnings.back().english().find("cannot tell where a prompt ends"),
            std::string::npos);
}

TEST_F(PrepareRecords, RolesAreThoseOfTheTemplate) {
  TurnTemplate own = load_turn_template("turns");
  own.roles.push_back({"tool", "Tool:\n", "\n"});
  PrepareOptions options = options_of(
      {test::write_text(scratch / "in.jsonl", R"({"messages": [{"role": "tool", "content": "x"},)"
                                              R"({"role": "assistant", "content": "y"}]})")},
      0);
  options.turns = own;
  EXPECT_EQ(prepare(options, golden_tokenizer()).train.documents, 1);
  options.turns = std::nullopt;
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { prepare(options, golden_tokenizer()); }),
                             "the role 'tool' has no place"));
}

TEST_F(PrepareRecords, SplitsAndDropsDuplicatesLikeDocuments) {
  const PrepareReport report = run_records(pair_lines(100) + pair_lines(100), 0.2);
  EXPECT_EQ(report.train.documents + report.val.documents, 100);
  EXPECT_GE(report.val.documents, 5);
  EXPECT_EQ(report.cut_documents, 0);
  EXPECT_EQ(spans("train").documents(), report.train.documents);
  EXPECT_EQ(spans("val").documents(), report.val.documents);
  EXPECT_EQ(spans("val").trained_tokens(), report.val.spans->trained_tokens);
  const Json json = read_json(out / "report.json");
  EXPECT_EQ(json["train"]["spans"]["hash128"], hash128_hex_of_file(out / "train.spans"));
}

TEST_F(PrepareRecords, ARecordAloneTrainsWhole) {
  const PrepareReport report = run_records(pair_line("a ", std::string(5000, 'b')), 0.5);
  EXPECT_EQ(report.train.documents, 1);
  EXPECT_EQ(report.val.documents, 0);
  EXPECT_EQ(test::tokens_of(out, "train").back(), *golden_tokenizer().end_of_text());
}

TEST_F(PrepareRecords, ContentsAreCleanedAndWhatIsEmptyThenIsLeftOut) {
  const PrepareReport report = run_records(pair_line("a\r\n", "b\x01") + pair_line("a ", "\x01"));
  EXPECT_EQ(report.train.documents, 1);
  EXPECT_EQ(test::documents_of(out, "train", golden_tokenizer()), std::vector<std::string>{"a\nb"});
  EXPECT_EQ(report.dropped_reasons.count("blank"), 1u);
}

TEST_F(PrepareRecords, TextAndRecordsAreNotMixed) {
  const auto records = test::write_text(scratch / "a.jsonl", pair_lines(3));
  const auto text = test::write_text(scratch / "b.txt", "a text\n");
  PrepareOptions options = options_of({records, text}, 0);
  const Error error = test::thrown_by([&] { prepare(options, golden_tokenizer()); });
  EXPECT_EQ(error.code(), ErrorCode::kUsage);
  EXPECT_TRUE(test::mentions(error, "1 documents are text, and 3 are records"));
  options.read.records = Records::kCompletion;
  const PrepareReport report = prepare(options, golden_tokenizer());
  EXPECT_EQ(report.train.documents, 3);
  EXPECT_EQ(test::reason_for(report.dropped, text),
            "text, and records with a completion are wanted");
}

TEST_F(PrepareRecords, WithoutAnyRecordItSaysWhy) {
  const Error error = test::thrown_by(
      [&] { run_records(pair_line("a", "") + pair_line("b", "")); });
  EXPECT_EQ(error.code(), ErrorCode::kInvalidData);
  EXPECT_TRUE(test::mentions(error, "the completion is empty"));
}

TEST_F(PrepareRecords, AnotherPrepareTakesTheSpansAway) {
  run_records(pair_lines(5));
  ASSERT_TRUE(fs::exists(out / "train.spans"));
  PrepareOptions options = options_of({test::write_text(scratch / "t.txt", "text\n")}, 0);
  prepare(options, golden_tokenizer());
  EXPECT_FALSE(fs::exists(out / "train.spans"));
  EXPECT_FALSE(fs::exists(out / "turn_template.json"));
  EXPECT_FALSE(find_trained_spans(TokenStream(out, "train"), "train"));
}

TEST_F(PrepareRecords, AnInterruptionAtAnyCheckpointChangesNothing) {
  const auto in = test::write_text(scratch / "in.jsonl", pair_lines(300));
  const auto options_into = [&](const char* name) {
    PrepareOptions options = options_of({in}, 0.2);
    options.output = scratch / name;
    options.checkpoint_seconds = 0;
    options.batch_bytes = 2000;
    return options;
  };
  prepare(options_into("whole"), golden_tokenizer());
  int stops = 0;
  for (bool done = false; !done; ++stops) {
    int asked = 0;
    try {
      prepare(options_into("parts"), golden_tokenizer(),
              {.on_progress = {}, .stop = [&] { return ++asked > 2; }});
      done = true;
    } catch (const Interrupted&) {
    }
    ASSERT_LT(stops, 200);
  }
  EXPECT_GT(stops, 2);
  auto whole = test::snapshot(scratch / "whole"), parts = test::snapshot(scratch / "parts");
  EXPECT_EQ(whole, parts);
}

TEST_F(PrepareRecords, ThreadsChangeNothing) {
  const auto in = test::write_text(scratch / "in.jsonl", pair_lines(200));
  std::map<std::string, std::string> first;
  for (const int threads : {1, 2, 3}) {
    PrepareOptions options = options_of({in}, 0.2);
    options.runtime = Runtime({.threads = threads});
    prepare(options, golden_tokenizer());
    const auto files = test::snapshot(out);
    if (threads == 1) first = files;
    EXPECT_EQ(files, first);
  }
}

TEST_F(PrepareRecords, DamagedOrForeignSpansAreRefused) {
  run_records(pair_lines(5));
  const TokenStream stream(out, "train");
  std::string bytes = read_file(out / "train.spans");
  bytes[bytes.size() - 1] = 1;
  write_file(out / "train.spans", bytes);
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { find_trained_spans(stream, "train"); }),
                             "has the checksum"));
  fs::remove(out / "train.spans");
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { find_trained_spans(stream, "train"); }),
                             "is not there, and report.json lists it"));
  TrainedSpansWriter writer(out / "train.spans");
  writer.write(3, {});
  writer.commit();
  fs::remove(out / "report.json");
  EXPECT_TRUE(test::mentions(test::thrown_by([&] { find_trained_spans(stream, "train"); }),
                             "is of 3 tokens, the shards beside it have"));
}

}  // namespace
}  // namespace inkstone
