// Files of trained spans: what is written is read, and no damaged byte is.
#include "formats/trained_spans.h"

#include <gtest/gtest.h>

#include <string>

#include "base/error.h"
#include "support.h"

namespace inkstone {
namespace {

struct Document {
  int64_t tokens;
  std::vector<TrainedSpan> spans;
};

const std::vector<Document>& documents() {
  static const std::vector<Document> all = {{5, {{2, 5}}}, {3, {}}, {9, {{0, 1}, {4, 6}, {6, 9}}}};
  return all;
}

std::string written(const std::filesystem::path& path) {
  TrainedSpansWriter writer(path);
  for (const Document& d : documents()) writer.write(d.tokens, d.spans);
  EXPECT_EQ(writer.place().trained_tokens, 9);
  writer.commit();
  return read_file(path);
}

void expect_documents(const TrainedSpans& spans) {
  ASSERT_EQ(spans.documents(), 3);
  int64_t begin = 0;
  for (int64_t i = 0; i < 3; ++i) {
    const Document& d = documents()[static_cast<size_t>(i)];
    EXPECT_EQ(spans.begin(i), begin);
    EXPECT_EQ(spans.tokens(i), d.tokens);
    EXPECT_EQ(std::vector<TrainedSpan>(spans.spans(i).begin(), spans.spans(i).end()), d.spans);
    begin += d.tokens;
  }
  EXPECT_EQ(spans.begin(3), 17);
  EXPECT_EQ(spans.trained_tokens(), 9);
}

TEST(TrainedSpans, WhatIsWrittenIsRead) {
  const test::ScratchFolder folder;
  expect_documents(TrainedSpans::parse(written(folder / "train.spans")));
}

TEST(TrainedSpans, AFileIsGoneOnWith) {
  const test::ScratchFolder folder;
  const std::string whole = written(folder / "whole");
  SpansPlace place;
  {
    TrainedSpansWriter writer(folder / "part");
    writer.write(documents()[0].tokens, documents()[0].spans);
    writer.sync();
    place = writer.place();
    writer.write(100, {});  // lost
  }
  TrainedSpansWriter writer(folder / "part", place);
  for (size_t i = 1; i < documents().size(); ++i)
    writer.write(documents()[i].tokens, documents()[i].spans);
  writer.commit();
  EXPECT_EQ(read_file(folder / "part"), whole);
}

TEST(TrainedSpans, EveryTruncationAndEveryLongerFileIsRefused) {
  const test::ScratchFolder folder;
  const std::string bytes = written(folder / "train.spans");
  for (size_t n = 0; n < bytes.size(); ++n)
    EXPECT_EQ(test::thrown_by([&] { TrainedSpans::parse(bytes.substr(0, n)); }).code(),
              ErrorCode::kInvalidData);
  for (const size_t more : {1u, 8u})
    EXPECT_THROW(TrainedSpans::parse(bytes + std::string(more, '\0')), Error);
}

TEST(TrainedSpans, WhatIsInconsistentIsNamed) {
  const test::ScratchFolder folder;
  const std::string bytes = written(folder / "train.spans");
  const auto with = [&](size_t at, char value) {
    std::string changed = bytes;
    changed[at] = value;
    return test::thrown_by([&] { TrainedSpans::parse(changed); });
  };
  EXPECT_TRUE(test::mentions(with(0, 'X'), "not a file of trained spans"));
  EXPECT_TRUE(test::mentions(with(8, 2), "version 2, expected 1"));
  EXPECT_TRUE(test::mentions(with(16, 4), "of 4 documents"));
  EXPECT_TRUE(test::mentions(with(23, 1), "documents"));
  EXPECT_TRUE(test::mentions(with(24, 9), "and 9 spans"));
  EXPECT_TRUE(test::mentions(with(32, 16), "have 17 tokens, expected 16"));
  EXPECT_TRUE(test::mentions(with(44, 9), "document 1 has 9 trained spans"));
  EXPECT_TRUE(test::mentions(with(48, 5), "trained span [5, 5)"));
  EXPECT_TRUE(test::mentions(with(52, 6), "document 1 has 5 tokens and the trained span [2, 6)"));
  EXPECT_TRUE(test::mentions(with(52, 2), "[2, 2)"));
}

}  // namespace
}  // namespace inkstone
