// Records in windows: best fit as TRL's, what is cut, and the order of the epochs.
#include "corpus/load/packed_records.h"

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>
#include <set>

#include "base/json.h"
#include "base/file.h"
#include "support.h"

namespace inkstone {
namespace {

struct Record {
  int64_t tokens;
  std::vector<TrainedSpan> spans;
};

TrainedSpans spans_of(const std::vector<Record>& records) {
  const test::ScratchFolder folder;
  TrainedSpansWriter writer(folder / "spans");
  for (const Record& r : records) writer.write(r.tokens, r.spans);
  writer.commit();
  return TrainedSpans::parse(read_file(folder / "spans"));
}

// Records of these numbers of inputs, of which the last token is trained.
TrainedSpans of_inputs(const std::vector<int64_t>& lengths) {
  std::vector<Record> records;
  for (const int64_t inputs : lengths) {
    const auto last = static_cast<uint32_t>(inputs);
    records.push_back({inputs + 1, {{last, last + 1}}});
  }
  return spans_of(records);
}

std::vector<std::vector<PackedText>> epoch_of(const PackedRecords& packed, int64_t epoch) {
  std::vector<std::vector<PackedText>> windows;
  for (int64_t i = 0; i < packed.windows_per_epoch(); ++i)
    windows.push_back(packed.texts(epoch * packed.windows_per_epoch() + i));
  return windows;
}

std::vector<int64_t> documents_in_order(const std::vector<std::vector<PackedText>>& windows) {
  std::vector<int64_t> documents;
  for (const auto& texts : windows) {
    for (const PackedText& text : texts) documents.push_back(text.document);
  }
  return documents;
}

TEST(PackedRecords, WindowsAreThoseOfTrlsBestFit) {
  const Json golden = read_json(test::fixture("completion/goldens.json"))["packing"];
  const TrainedSpans spans = of_inputs(golden["texts"].get<std::vector<int64_t>>());
  const PackedRecords packed(spans, golden["length"].get<int64_t>(), 1);
  std::vector<std::vector<int64_t>> windows;
  for (const auto& texts : epoch_of(packed, 0)) {
    windows.emplace_back();
    for (const PackedText& text : texts) windows.back().push_back(text.inputs);
    std::sort(windows.back().rbegin(), windows.back().rend());
  }
  const auto expected = golden["windows"].get<std::vector<std::vector<int64_t>>>();
  EXPECT_EQ(windows.size(), expected.size());
  int64_t inputs = 0;
  for (const auto& lengths : windows) {
    const int64_t sum = std::accumulate(lengths.begin(), lengths.end(), int64_t{0});
    EXPECT_LE(sum, 32);
    inputs += sum;
  }
  EXPECT_EQ(inputs, packed.counts().inputs);
}

TEST(PackedRecords, EveryEpochHasEveryRecordOnceInAnotherOrder) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < 300; ++i) lengths.push_back(1 + i % 9);
  const TrainedSpans spans = of_inputs(lengths);
  const PackedRecords packed(spans, 16, 5), again(spans, 16, 5), other(spans, 16, 6);
  const auto first = documents_in_order(epoch_of(packed, 0)),
             second = documents_in_order(epoch_of(packed, 1));
  EXPECT_EQ(std::set<int64_t>(first.begin(), first.end()).size(), 300u);
  EXPECT_EQ(first.size(), 300u);
  EXPECT_EQ(std::set<int64_t>(second.begin(), second.end()).size(), 300u);
  EXPECT_NE(first, second);
  EXPECT_EQ(documents_in_order(epoch_of(again, 1)), second);
  EXPECT_NE(documents_in_order(epoch_of(other, 0)), first);
  // Not only the windows change their places: records do between windows.
  const auto neighbours = [](const std::vector<int64_t>& documents) {
    std::set<std::pair<int64_t, int64_t>> pairs;
    for (size_t i = 0; i + 1 < documents.size(); ++i) pairs.emplace(documents[i], documents[i + 1]);
    return pairs;
  };
  std::vector<std::pair<int64_t, int64_t>> common;
  const auto a = neighbours(first), b = neighbours(second);
  std::set_intersection(a.begin(), a.end(), b.begin(), b.end(), std::back_inserter(common));
  EXPECT_LT(common.size(), 60u);
}

TEST(PackedRecords, TextsEndWithTheLastTrainedTokenAndAreCutFromTheLeft) {
  // Prompt and completion, and what follows them; a context of 8.
  const TrainedSpans spans = spans_of({{12, {{3, 6}}},            // fits: tokens 0 to 5
                                       {20, {{15, 18}}},          // 17 inputs: 9 tokens remain
                                       {20, {{5, 20}}},           // the end is cut too
                                       {12, {{2, 3}, {10, 12}}},  // the second answer is cut
                                       {4, {{0, 4}}},             // no prompt: the first is none
                                       {1, {{0, 1}}},
                                       {5, {}}});  // nothing to train
  const PackedRecords packed(spans, 8, 1);
  const PackedCounts& c = packed.counts();
  EXPECT_EQ(c.records, 7);
  EXPECT_EQ(c.untrained, 2);
  EXPECT_EQ(c.prompts_cut, 3);
  EXPECT_EQ(c.completions_cut, 2);
  EXPECT_EQ(c.inputs, 5 + 8 + 8 + 8 + 3);
  EXPECT_EQ(c.trained_tokens, 3 + 3 + 8 + 1 + 3);
  std::map<int64_t, PackedText> texts;
  for (const auto& window : epoch_of(packed, 0)) {
    for (const PackedText& text : window) texts[text.document] = text;
  }
  const auto expect = [&](int64_t document, int64_t begin, int64_t inputs) {
    EXPECT_EQ(texts.at(document).begin, spans.begin(document) + begin) << document;
    EXPECT_EQ(texts.at(document).inputs, inputs) << document;
  };
  expect(0, 0, 5);
  expect(1, 9, 8);
  expect(2, 4, 8);  // one token of the prompt stays: the first trained one has it before it
  expect(3, 1, 8);
  expect(4, 0, 3);
  EXPECT_EQ(texts.size(), 5u);
}

TEST(PackedRecords, FewTokensMakeAShortWindow) {
  const TrainedSpans spans = of_inputs({3, 2});
  EXPECT_EQ(PackedRecords(spans, 64, 1).length(), 5);
  EXPECT_EQ(PackedRecords(spans, 64, 1).windows_per_epoch(), 1);
  EXPECT_EQ(PackedRecords(spans, 64, 1, PackedRecords::Length::kContext).length(), 64);
  EXPECT_EQ(PackedRecords(spans_of({{4, {}}}), 64, 1).length(), 0);
}

}  // namespace
}  // namespace inkstone
