// prepare() with documents of every kind: the same shards for every number of threads, and however
// often it is interrupted.
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <random>

#include "base/json.h"
#include "prepare_fixture.h"
#include "read_support.h"

namespace inkstone {
namespace {
namespace fs = std::filesystem;
using test::write_text;
using Documents = std::vector<std::string>;

class PrepareKinds : public test::PrepareFixture {
 protected:
  PrepareKinds() {
    const std::string gbk =
        "\xBB\xB0\xCB\xB5\xCC\xEC\xCF\xC2\xB4\xF3\xCA\xC6\xA3\xAC\xB7\xD6\xBE\xC3\xB1\xD8\xBA\xCF"
        "\xA1"
        "\xA3\n";
    std::string poems, mixed;
    for (int i = 0; i < 300; ++i) {
      poems += fmt::format("第{}首\n牀前明月光，疑是地上霜{}。\n\n", i, i % 200);
      mixed += gbk + (i % 3 == 0 ? "\n" : "") + fmt::format("話說天下大勢，分久必合{}。\n\n", i);
    }
    write_text(scratch / "in/poems.txt", poems);
    write_text(scratch / "in/mixed.txt", mixed);
    write_text(scratch / "in/film.srt", "1\n00:00:01,000 --> 00:00:02,000\n<i>你好</i>\n");
    write_text(scratch / "in/records.json", R"([{"title": "靜夜思", "lines": ["一", "二"]}])");
    write_text(scratch / "in/letter.doc", "\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1 old");
    const std::string word =
        "<w:document xmlns:w='w'><w:body><w:p><w:r><w:t>頭</w:t></w:r></w:p><w:p/><w:p><w:r><w:t>"
        "尾</w:t></w:r></w:p></w:body></w:document>";
    write_text(
        scratch / "in/novel.docx",
        test::make_archive(&archive_write_set_format_zip, &archive_write_add_filter_none,
                           {{"[Content_Types].xml", "<Types/>"}, {"word/document.xml", word}}));
    options = {
        .inputs = {scratch / "in"}, .output = out, .val_fraction = 0.3, .shard_tokens = 3000};
    options.read.separator = "blank";
    options.read.json_field = "title,lines";
    options.clean.conversion = ChineseConversion::kSimplified;
    options.checkpoint_seconds = 0;
    options.batch_bytes = 1500;
  }

  PrepareOptions options;
};

TEST_F(PrepareKinds, GivesTheTextOfEach) {
  options.val_fraction = 0;
  const PrepareReport report = prepare(options, test::byte_tokenizer());
  const Documents found = documents("train");
  const auto has = [&](const std::string& text) {
    return std::find(found.begin(), found.end(), text) != found.end();
  };
  for (const char* text : {"第7首\n床前明月光，疑是地上霜7。\n", "你好\n", "静夜思\n一\n二", "头\n",
                           "尾\n", "话说天下大势，分久必合。\n话说天下大势，分久必合4。\n"})
    EXPECT_TRUE(has(text)) << text;
  EXPECT_TRUE(
      test::reason_for(report.dropped, scratch / "in/letter.doc").starts_with("no text (DOC"));
  ASSERT_EQ(report.sources.size(), 1u);
  EXPECT_EQ(report.sources[0].source, (scratch / "in/mixed.txt").string());
  EXPECT_TRUE(
      report.sources[0].notes.at(0).english().starts_with("in two encodings: GB18030, from line "));
  const Json json = read_json(out / "report.json");
  EXPECT_EQ(json["options"]["separator"], "blank");
  EXPECT_EQ(json["options"]["clean"]["conversion"], "simplified");
}

TEST_F(PrepareKinds, ThreadsAndInterruptionsChangeNothing) {
  options.runtime = Runtime({.threads = 1});
  prepare(options, test::byte_tokenizer());
  const auto expected = test::snapshot(out);
  options.runtime = Runtime({.threads = 3});
  std::mt19937 random(5);
  for (int round = 0; round < 4; ++round) {
    fs::remove_all(out);
    int interruptions = 0;
    for (bool done = round == 0; !done;) {
      int batches = static_cast<int>(random() % 12);
      try {
        prepare(options, test::byte_tokenizer(), {.stop = [&] { return batches-- == 0; }});
        done = true;
      } catch (const Interrupted&) {
        ++interruptions;
      }
    }
    if (round == 0) prepare(options, test::byte_tokenizer());
    EXPECT_TRUE(round == 0 || interruptions > 3);
    EXPECT_EQ(test::snapshot(out), expected) << round;
  }
}

// Other options are another prepare.
TEST_F(PrepareKinds, EachOptionIsPartOfWhatIsGoneOnWith) {
  const auto interrupt = [&] {
    int batches = 3;
    EXPECT_THROW(prepare(options, test::byte_tokenizer(), {.stop = [&] { return batches-- == 0; }}),
                 Interrupted);
  };
  const std::function<void()> changes[] = {
      [&] { options.read.separator = "line"; }, [&] { options.read.json_field = "lines"; },
      [&] { options.clean.conversion = ChineseConversion::kTraditional; },
      [&] { options.clean.normalization = Normalization::kNfkcCjk; }};
  for (const auto& change : changes) {
    interrupt();
    change();
    EXPECT_FALSE(prepare(options, test::byte_tokenizer()).resumed);
  }
}

}  // namespace
}  // namespace inkstone
