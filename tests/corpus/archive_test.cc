// Compressed files and archives.
#include "corpus/read/archive.h"

#include "base/file.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {
using test::compress;
using test::content_of;
using test::make_archive;
using Texts = std::vector<std::string>;

struct Compression {
  const char* name;
  test::ArchiveSetup filter;
};
const Compression kCompressions[] = {{"gzip", &archive_write_add_filter_gzip},
                                     {"xz", &archive_write_add_filter_xz},
                                     {"zstd", &archive_write_add_filter_zstd},
                                     {"bzip2", &archive_write_add_filter_bzip2}};

TEST(Archive, IsKnownByItsContent) {
  for (const auto& [name, filter] : kCompressions)
    EXPECT_EQ(container_name(compress(filter, "x")), name);
  EXPECT_EQ(container_name(make_archive(&archive_write_set_format_zip,
                                        &archive_write_add_filter_none, {{"a", "x"}})),
            "zip");
  EXPECT_EQ(container_name(make_archive(&archive_write_set_format_ustar,
                                        &archive_write_add_filter_none, {{"a", "x"}})),
            "tar");
  EXPECT_EQ(container_name("BZh is how this text begins"), "");
  EXPECT_EQ(container_name("PKK"), "");
}

TEST(Archive, ACompressedFileIsWhatItHolds) {
  for (const auto& [name, filter] : kCompressions) {
    const auto content = content_of("a.jsonl.gz",
                                    compress(filter, "{\"text\": \"one\"}\n{\"text\": \"two\"}\n"));
    EXPECT_EQ(content.documents, (Texts{"one", "two"})) << name;
    EXPECT_EQ(content.places, (Texts{"a.jsonl.gz#1", "a.jsonl.gz#2"}));
    EXPECT_EQ(content_of("a", compress(filter, "x")).documents, Texts{"x"});
    EXPECT_EQ(content_of("a", compress(filter, "")).dropped, Texts{"a#0: empty"}) << name;
    EXPECT_EQ(content_of("a", compress(filter, std::string(10, '\0'))).dropped,
              Texts{"a#0: binary (--encoding NAME takes it as text)"});
  }
}

TEST(Archive, ReadsConcatenatedStreams) {
  for (const auto& [name, filter] : kCompressions) {
    EXPECT_EQ(content_of("a", compress(filter, "one ") + compress(filter, "two")).documents,
              Texts{"one two"})
        << name;
  }
}

TEST(Archive, ReadsMembersInOrderByTheirNames) {
  const std::vector<test::ArchiveFile> files = {{"b/", "", AE_IFDIR},
                                                {"b/two.txt", "two\n<|endoftext|>\nthree"},
                                                {"a.jsonl", "{\"text\": \"four\"}"},
                                                {"b/.hidden.txt", "x"},
                                                {".git/config", "x"},
                                                {"./c.csv", "id,text\n1,five"},
                                                {"empty", ""},
                                                {"binary", std::string(3, '\0')},
                                                {"\u7EA2\u697C\u68A6.txt", "six"}};
  for (const bool zip : {false, true}) {
    const auto content = content_of(
        "x",
        zip ? make_archive(&archive_write_set_format_zip, &archive_write_add_filter_none, files)
            : make_archive(&archive_write_set_format_pax_restricted, &archive_write_add_filter_gzip,
                           files));
    EXPECT_EQ(content.documents, (Texts{"two\n", "three", "four", "five", "six"}));
    EXPECT_EQ(content.places, (Texts{"x/b/two.txt#1", "x/b/two.txt#2", "x/a.jsonl#1", "x/./c.csv#1",
                                     "x/\u7EA2\u697C\u68A6.txt#1"}));
    EXPECT_EQ(content.dropped,
              (Texts{"x/b/.hidden.txt#0: hidden", "x/.git/config#0: hidden", "x/empty#0: empty",
                     "x/binary#0: binary (--encoding NAME takes it as text)"}));
  }
}

// Programs of Windows write names in its own encoding, without a word.
TEST(Archive, ReadsNamesOfWindows) {
  const std::string folder = "\xD0\xA1\xCB\xB5/";                     // 小说
  const std::string first = folder + "\xB5\xDA\xD2\xBB\xBB\xD8.txt";  // 第一回
  const std::string notes = folder + "\xCB\xB5\xC3\xF7.docx";         // 说明
  const std::string hidden = folder + ".\xB5\xDA\xD2\xBB\xBB\xD8";
  const std::string gbk =
      "\xBB\xB0\xCB\xB5\xCC\xEC\xCF\xC2\xB4\xF3\xCA\xC6\xA3\xAC\xB7\xD6\xBE\xC3\xB1\xD8\xBA\xCF\xA1"
      "\xA3";
  for (const std::string& text : {gbk, std::string("ASCII")}) {
    const auto content = content_of(
        "a.zip", make_archive(&archive_write_set_format_zip, &archive_write_add_filter_none,
                              {{first, text}, {notes, "PK\x03\x04xxxx"}, {hidden, "x"}}));
    EXPECT_EQ(content.places, Texts{"a.zip/小说/第一回.txt#1"});
    ASSERT_EQ(content.dropped.size(), 2u);
    EXPECT_TRUE(content.dropped[0].starts_with("a.zip/小说/说明.docx#0: damaged"));
    EXPECT_EQ(content.dropped[1], "a.zip/小说/.第一回#0: hidden");
  }
}

TEST(Archive, ANameThatIsUtf8ByChanceIsReadAsItsNeighboursAre) {
  const std::string novel = "\xD0\xA1\xCB\xB5.txt";  // 小说 in GBK
  const auto places = [&](const std::string& name, const std::string& text) {
    return content_of("a.zip", make_archive(&archive_write_set_format_zip,
                                            &archive_write_add_filter_none, {{name, text}}))
        .places;
  };
  const std::string gbk = "\xBB\xB0\xCB\xB5\xCC\xEC\xCF\xC2\xB4\xF3\xCA\xC6\xA3\xAC";
  EXPECT_EQ(places(novel, gbk), Texts{"a.zip/小说.txt#1"});
  EXPECT_EQ(places(novel, "ASCII"), Texts{"a.zip/" + novel + "#1"});
  EXPECT_EQ(places("小说.txt", gbk), Texts{"a.zip/小说.txt#1"});
  EXPECT_EQ(places("caf\xC3\xA9.txt",
                   "d\xE9j\xE0 vu, \xE0 la fran\xE7"
                   "aise, tr\xE8s bien"),
            Texts{"a.zip/café.txt#1"});
}

TEST(Archive, ReadsTheExample) {
  INK_SHARED_DATA_OR_SKIP(path, "faults/zh/windows_gbk.zip");
  const auto content = content_of("a.zip", read_file(path));
  EXPECT_EQ(content.places, (Texts{"a.zip/小说/第一回.txt#1", "a.zip/小说/第二回.txt#1"}));
  ASSERT_EQ(content.documents.size(), 2u);
  EXPECT_TRUE(content.documents[0].starts_with("《红楼梦》曹雪芹"));
  ASSERT_EQ(content.dropped.size(), 1u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.zip/小说/说明.docx#0: ")) << content.dropped[0];
}

TEST(Archive, LeavesOutLinks) {
  const auto content = content_of(
      "x", make_archive(&archive_write_set_format_ustar, &archive_write_add_filter_none,
                        {{"a", "x"}, {"link", "a", AE_IFLNK}}));
  EXPECT_EQ(content.documents, Texts{"x"});
  EXPECT_EQ(content.dropped, Texts{"x/link#0: a link"});
}

TEST(Archive, LeavesOutArchivesInside) {
  const std::string inner = make_archive(&archive_write_set_format_ustar,
                                         &archive_write_add_filter_none, {{"a", "x"}});
  const std::vector<test::ArchiveFile> files = {
      {"inner.tar", inner},
      {"inner.gz", compress(&archive_write_add_filter_gzip, "x")},
      {"text", "y"}};
  const auto content = content_of("o.tar", make_archive(&archive_write_set_format_ustar,
                                                        &archive_write_add_filter_none, files));
  EXPECT_EQ(content.documents, Texts{"y"});
  EXPECT_EQ(content.dropped, (Texts{"o.tar/inner.tar#0: tar inside an archive; unpack it first",
                                    "o.tar/inner.gz#0: gzip inside an archive; unpack it first"}));
  const std::string zip = make_archive(&archive_write_set_format_zip,
                                       &archive_write_add_filter_none, {{"a", "x"}});
  EXPECT_EQ(content_of("o.gz", compress(&archive_write_add_filter_gzip, zip)).dropped.size() +
                content_of("o.gz", compress(&archive_write_add_filter_gzip, zip)).documents.size(),
            1u);
}

// Text that no compression makes short.
std::string incompressible(size_t size_bytes) {
  std::string text;
  for (uint32_t x = 1; text.size() < size_bytes; x = x * 1664525 + 1013904223) {
    text += static_cast<char>('a' + (x >> 24) % 26);
    if ((x >> 16) % 8 == 0) text += ' ';
  }
  return text;
}

TEST(Archive, KeepsWhatComesBeforeTheDamage) {
  const std::string text = incompressible(3'000'000);
  for (const auto& [name, filter] : kCompressions) {
    const std::string whole = compress(filter, text);
    const auto cut = content_of("a", whole.substr(0, whole.size() / 2));
    ASSERT_EQ(cut.documents.size(), 1u) << name;
    EXPECT_GT(cut.documents[0].size(), 100'000u) << name;
    EXPECT_TRUE(text.starts_with(cut.documents[0])) << name;
    ASSERT_EQ(cut.dropped.size(), 1u) << name;
    EXPECT_TRUE(cut.dropped[0].starts_with("a#0: damaged: ")) << cut.dropped[0];
  }
  const std::string zip = make_archive(&archive_write_set_format_zip,
                                       &archive_write_add_filter_none,
                                       {{"one", "first"}, {"two", text}, {"three", "third"}});
  std::string damaged = zip;
  for (size_t i = 0; i < 100; ++i) damaged[zip.size() / 2 + i] = 'x';
  const auto content = content_of("a.zip", damaged);
  ASSERT_GE(content.documents.size(), 2u);
  EXPECT_EQ(content.documents[0], "first");
  ASSERT_GE(content.dropped.size(), 1u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.zip/two#0: damaged: ")) << content.dropped[0];
}

// One changed bit, which deflate decodes to something else: only the checksum tells.
TEST(Archive, NoticesAChangedBit) {
  const std::string text = incompressible(1'500'000);
  for (const auto& [name, filter] : kCompressions) {
    std::string damaged = compress(filter, text);
    damaged[damaged.size() - 100] ^= 1;         // behind what decides that it is text
    if (std::string(name) == "zstd") continue;  // libarchive writes no checksum
    const auto content = content_of("a", damaged);
    ASSERT_EQ(content.dropped.size(), 1u) << name;
    EXPECT_TRUE(content.dropped[0].starts_with("a#0: damaged: ")) << content.dropped[0];
  }
}

TEST(Archive, AMemberWithAWrongChecksumIsReadAndReported) {
  std::string zip = make_archive(&archive_write_set_format_zip, &archive_write_add_filter_none,
                                 {{"one", "the first"}, {"two", "the second"}});
  zip[zip.find("PK\x07\x08") + 4] ^= 1;  // behind the first member (APPNOTE.TXT 4.3.9)
  const auto content = content_of("a.zip", zip);
  EXPECT_EQ(content.documents, (Texts{"the first", "the second"}));
  ASSERT_EQ(content.dropped.size(), 1u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.zip/one#0: damaged: ")) << content.dropped[0];
}

TEST(Archive, SaysWhatIsEncrypted) {
  const std::string zip = make_archive(&archive_write_set_format_zip,
                                       &archive_write_add_filter_none, {{"secret.txt", "x"}},
                                       "password");
  const auto content = content_of("a.zip", zip);
  EXPECT_TRUE(content.documents.empty());
  ASSERT_GE(content.dropped.size(), 1u);
  EXPECT_EQ(content.dropped[0], "a.zip/secret.txt#0: encrypted");
}

TEST(Archive, NoBytesCrash) {
  const std::string tar = make_archive(&archive_write_set_format_ustar,
                                       &archive_write_add_filter_gzip,
                                       {{"a", "some text"}, {"b", "more text"}});
  for (size_t size = 3; size < tar.size(); ++size) {
    const auto content = content_of("a", tar.substr(0, size));
    EXPECT_FALSE(content.dropped.empty()) << size;
  }
}

}  // namespace
}  // namespace inkstone
