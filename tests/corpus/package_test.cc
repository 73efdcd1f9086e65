// DOCX, ODT and EPUB.
#include "base/json.h"
#include "corpus/read/package.h"

#include "base/file.h"
#include "base/utf8.h"
#include "read_support.h"
#include "support.h"

namespace inkstone {
namespace {
using test::content_of;
using Files = std::vector<test::ArchiveFile>;
using Texts = std::vector<std::string>;

std::string zip(const Files& files) {
  return test::make_archive(&archive_write_set_format_zip, &archive_write_add_filter_none, files);
}

std::string stored_zip(const Files& files) {
  const auto stored = [](struct archive* out) {
    const int result = archive_write_set_format_zip(out);
    return result != ARCHIVE_OK ? result : archive_write_set_options(out, "zip:compression=store");
  };
  return test::make_archive(stored, &archive_write_add_filter_none, files);
}

const std::string kWordXml =
    "<?xml version=\"1.0\" encoding=\"UTF-8\"?><w:document "
    "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\" "
    "xmlns:mc=\"http://schemas.openxmlformats.org/markup-compatibility/2006\" "
    "xmlns:wps=\"wps\" xmlns:v=\"v\"><w:body>";
const std::string kRelationships =
    "<Relationships><Relationship Id=\"1\" Type=\"http://x/core-properties\" "
    "Target=\"docProps/core.xml\"/><Relationship Id=\"2\" Type=\"http://x/officeDocument\" "
    "Target=\"word/document.xml\"/></Relationships>";

std::string docx(const std::string& body, const Files& more = {}) {
  Files files = {{"[Content_Types].xml", "<Types/>"},
                 {"_rels/.rels", kRelationships},
                 {"docProps/core.xml", "<core><title>not text</title></core>"},
                 {"word/document.xml", kWordXml + body + "</w:body></w:document>"},
                 {"word/styles.xml", "<w:styles><w:p><w:r><w:t>style</w:t></w:r></w:p></w:styles>"},
                 {"word/media/image1.png", std::string("\x89PNG\r\n\0\0", 8)}};
  files.insert(files.end(), more.begin(), more.end());
  return zip(files);
}

std::string run(const std::string& text) { return "<w:r><w:t>" + text + "</w:t></w:r>"; }
std::string paragraph(const std::string& text) { return "<w:p>" + run(text) + "</w:p>"; }
std::string text_of_docx(const std::string& body, const Files& more = {}) {
  const auto content = content_of("a.docx", docx(body, more));
  EXPECT_EQ(content.dropped, Texts{});
  return content.documents.size() == 1 ? content.documents[0] : "(several, or none)";
}

TEST(Docx, AParagraphIsALine) {
  EXPECT_EQ(
      text_of_docx(paragraph("第一回") + "<w:p/>" +
                   "<w:p><w:pPr><w:tabs><w:tab w:val=\"left\"/></w:tabs></w:pPr>" +
                   run("甲 &amp; ") + run("乙") +
                   "<w:r><w:tab/><w:t>丙</w:t><w:br/><w:t>丁</w:t><w:noBreakHyphen/></w:r></w:p>"),
      "第一回\n\n甲 & 乙\t丙\n丁\u2011\n");
}

TEST(Docx, IsOneDocumentWhateverItsNameAndPlace) {
  const std::string bytes = docx(paragraph("one") + paragraph("two"));
  EXPECT_EQ(content_of("a", bytes).documents, Texts{"one\ntwo\n"});
  EXPECT_EQ(content_of("a.zip", bytes).documents, Texts{"one\ntwo\n"});
  EXPECT_EQ(content_of("a", bytes, {.format = InputFormat::kText}).documents, Texts{"one\ntwo\n"});
  for (const auto filter : {&archive_write_add_filter_gzip, &archive_write_add_filter_xz,
                            &archive_write_add_filter_zstd, &archive_write_add_filter_bzip2}) {
    for (const char* name : {"a", "a.docx.xz"}) {
      const auto compressed = content_of(name, test::compress(filter, bytes));
      EXPECT_EQ(compressed.documents, Texts{"one\ntwo\n"});
      EXPECT_EQ(compressed.dropped, Texts{});
    }
  }
  const auto inside = content_of("all.zip", zip({{"x/a.docx", bytes}, {"b.txt", "plain"}}));
  EXPECT_EQ(inside.documents, (Texts{"one\ntwo\n", "plain"}));
  EXPECT_EQ(inside.places, (Texts{"all.zip/x/a.docx#1", "all.zip/b.txt#1"}));
}

TEST(Docx, KeepsInsertionsAndLeavesOutDeletions) {
  EXPECT_EQ(text_of_docx("<w:p>" + run("a") + "<w:ins>" + run("b") +
                         "</w:ins><w:del><w:r><w:delText>c</w:delText><w:tab/></w:r></w:del>"
                         "<w:moveFrom>" +
                         run("d") + "</w:moveFrom><w:moveTo>" + run("e") +
                         "</w:moveTo></w:p>"
                         "<w:p><w:pPr><w:rPr><w:del/></w:rPr></w:pPr>" +
                         run("f") + "</w:p>" + paragraph("g")),
            "abe\nfg\n");
}

TEST(Docx, ATableIsRowsOfCells) {
  const auto cell = [](const std::string& content) {
    return "<w:tc><w:tcPr/>" + content + "</w:tc>";
  };
  EXPECT_EQ(text_of_docx(paragraph("before") + "<w:tbl><w:tblPr/><w:tr>" + cell(paragraph("a")) +
                         cell(paragraph("b1") + paragraph("b2")) + "</w:tr><w:tr>" +
                         cell(paragraph("")) + cell(paragraph("d")) + "</w:tr><w:tr>" +
                         cell(paragraph("")) + "</w:tr></w:tbl>" + paragraph("after")),
            "before\na\tb1\nb2\n\td\nafter\n");
}

TEST(Docx, TakesATextBoxOnce) {
  const std::string box = "<w:txbxContent>" + paragraph("box") + "</w:txbxContent>";
  EXPECT_EQ(text_of_docx("<w:p>" + run("around") +
                         "<w:r><mc:AlternateContent><mc:Choice Requires=\"wps\"><wps:txbx>" + box +
                         "</wps:txbx></mc:Choice><mc:Fallback><w:pict><v:textbox>" + box +
                         "</v:textbox></w:pict></mc:Fallback></mc:AlternateContent></w:r>" +
                         run(" it") + "</w:p>" + paragraph("next")),
            "around it\nbox\nnext\n");
  EXPECT_EQ(
      text_of_docx("<w:p><w:r><w:pict><v:textbox>" + box + "</v:textbox></w:pict></w:r></w:p>"),
      "box\n");
}

TEST(Docx, NotesFollowTheText) {
  const Files notes = {
      {"word/footnotes.xml",
       "<w:footnotes xmlns:w=\"w\"><w:footnote w:type=\"separator\" w:id=\"-1\">" +
           paragraph("line") + "</w:footnote><w:footnote w:id=\"2\">" + paragraph(" second") +
           "</w:footnote><w:footnote w:id=\"1\">" + paragraph("first") +
           "</w:footnote></w:footnotes>"},
      {"word/ends.xml", "<w:endnotes xmlns:w=\"w\"><w:endnote w:id=\"1\">" + paragraph("end") +
                            "</w:endnote></w:endnotes>"},
      {"word/_rels/document.xml.rels",
       "<Relationships><Relationship Type=\"x/endnotes\" Target=\"ends.xml\"/></Relationships>"}};
  EXPECT_EQ(
      text_of_docx("<w:p>" + run("a") + "<w:r><w:footnoteReference w:id=\"1\"/></w:r>" + run("b") +
                       "<w:r><w:footnoteReference w:id=\"2\"/>"
                       "<w:endnoteReference w:id=\"1\"/></w:r></w:p>",
                   notes),
      "ab\n\nfirst\nsecond\nend\n");
}

TEST(Docx, LeavesOutTablesOfContentsFieldsAndReadings) {
  const std::string begin = "<w:r><w:fldChar w:fldCharType=\"begin\"/></w:r>",
                    separate = "<w:r><w:fldChar w:fldCharType=\"separate\"/></w:r>",
                    end = "<w:r><w:fldChar w:fldCharType=\"end\"/></w:r>";
  EXPECT_EQ(text_of_docx(
                "<w:sdt><w:sdtPr><w:docPartObj><w:docPartGallery w:val=\"Table of Contents\"/>"
                "</w:docPartObj></w:sdtPr><w:sdtContent>" +
                paragraph("contents 1") + "</w:sdtContent></w:sdt><w:sdt><w:sdtPr/><w:sdtContent>" +
                paragraph("control") + "</w:sdtContent></w:sdt><w:p>" + begin +
                "<w:r><w:instrText> TOC \\o </w:instrText></w:r>" + separate + run("Chapter 1\t3") +
                "</w:p>" + paragraph("Chapter 2\t9") + "<w:p>" + end + "</w:p><w:p>" + begin +
                "<w:r><w:instrText> DATE </w:instrText></w:r>" + separate + run("today") + end +
                "<w:r><w:ruby><w:rt>" + run("reading") + "</w:rt><w:rubyBase>" + run("字") +
                "</w:rubyBase></w:ruby></w:r></w:p>"),
            "control\ntoday字\n");
}

TEST(Docx, GivesWhatStandsBeforeTheDamage) {
  const std::string whole = docx(paragraph("kept"));
  std::string broken = kWordXml + paragraph("one") + "<w:p>" + run("two");
  const auto cut = content_of(
      "a.docx", zip({{"[Content_Types].xml", "<Types/>"}, {"word/document.xml", broken}}));
  EXPECT_EQ(cut.documents, Texts{"one\ntwo\n"});
  ASSERT_EQ(cut.facts.size(), 1u);
  ASSERT_EQ(cut.facts[0].notes.size(), 1u);
  EXPECT_TRUE(cut.facts[0].notes[0].english().starts_with("its XML is damaged"));
  const auto nothing = content_of("a.docx", "PK\x03\x04xxxx");
  ASSERT_EQ(nothing.dropped.size(), 1u);
  EXPECT_TRUE(nothing.dropped[0].starts_with("a.docx#0: damaged: ")) << nothing.dropped[0];
  for (size_t size = 4; size < whole.size(); size += 7) {
    const auto content = content_of("a.docx", whole.substr(0, size));
    EXPECT_LE(content.documents.size(), 1u);
    EXPECT_GE(content.documents.size() + content.dropped.size(), 1u) << size;
  }
}

TEST(Docx, SaysWhyNoTextIsFound) {
  const auto reason = [](const std::string& name, const std::string& bytes) {
    const auto content = content_of(name, bytes);
    EXPECT_EQ(content.documents, Texts{});
    return content.dropped.size() == 1 ? content.dropped[0] : "";
  };
  std::string damaged = docx(paragraph("text that is compressed, and then damaged"));
  const size_t document = damaged.find("word/document.xml");
  damaged.replace(document + 60, 20, 20, '\xFF');
  EXPECT_TRUE(reason("a.docx", damaged).starts_with("a.docx#0: damaged: "));
  EXPECT_EQ(reason("a.docx", damaged).find('\n'), std::string::npos)
      << "libarchive ends some with one";
  const Files files = {{"[Content_Types].xml", "<Types/>"}, {"word/document.xml", kWordXml}};
  EXPECT_EQ(reason("a.docx", test::make_archive(&archive_write_set_format_zip,
                                                &archive_write_add_filter_none, files, "password")),
            "a.docx#0: encrypted");
}

TEST(Docx, SaysWhatOtherPackagesAre) {
  const auto reason = [](const std::string& name, const Files& files) {
    const auto content = content_of(name, zip(files));
    EXPECT_EQ(content.documents, Texts{});
    return content.dropped.size() == 1 ? content.dropped[0] : "";
  };
  EXPECT_EQ(reason("a.xlsx", {{"[Content_Types].xml", "<Types>spreadsheetml</Types>"},
                              {"xl/workbook.xml", "<workbook/>"}}),
            "a.xlsx#0: a workbook (XLSX); save its sheets as CSV first");
  EXPECT_EQ(reason("a", {{"mimetype", "application/vnd.oasis.opendocument.presentation"},
                         {"content.xml", "<p/>"}}),
            "a#0: a presentation (ODP); save its outline as text first");
  EXPECT_EQ(reason("a.docx", {{"letter.txt", "text"}}),
            "a.docx#0: by its name a document, and not found to be a DOCX, ODT or EPUB; save it as "
            "one of these, or as text");
  EXPECT_EQ(reason("a.docx", {{"[Content_Types].xml", "<Types/>"},
                              {"word/document.xml", kWordXml + "</w:body></w:document>"}}),
            "a.docx#0: a document without text");
}

TEST(Odt, ParagraphsSpacesTablesAndNotes) {
  const auto text = [](const std::string& body) {
    const auto content = content_of(
        "a", zip({{"mimetype", "application/vnd.oasis.opendocument.text"},
                  {"meta.xml", "<meta><p>no</p></meta>"},
                  {"content.xml",
                   "<office:document-content xmlns:office=\"o\" xmlns:text=\"t\" xmlns:table=\"b\" "
                   "xmlns:draw=\"d\" xmlns:svg=\"s\"><office:automatic-styles><x>no</x>"
                   "</office:automatic-styles><office:body><office:text>" +
                       body + "</office:text></office:body></office:document-content>"}}));
    return content.documents.size() == 1 ? content.documents[0] : "(several, or none)";
  };
  EXPECT_EQ(
      text("<text:h>一</text:h><text:p>\n  a  b<text:s text:c=\"2\"/>c <text:span> d</text:span> "
           "</text:p><text:p/><text:p>e<text:tab/>f<text:line-break/>g</text:p>"),
      "一\na b  c d\n\ne\tf\ng\n");
  EXPECT_EQ(text("<text:tracked-changes><text:p>deleted</text:p></text:tracked-changes>"
                 "<text:table-of-content><text:p>contents</text:p></text:table-of-content>"
                 "<text:p>a<text:note><text:note-citation>1</text:note-citation><text:note-body>"
                 "<text:p>note</text:p></text:note-body></text:note>b<office:annotation><text:p>"
                 "comment</text:p></office:annotation><text:ruby><text:ruby-base>字"
                 "</text:ruby-base><text:ruby-text>zi</text:ruby-text></text:ruby><draw:frame>"
                 "<svg:title>picture</svg:title><draw:text-box><text:p>box</text:p></draw:text-box>"
                 "</draw:frame></text:p><table:table><table:table-row><table:table-cell><text:p>c"
                 "</text:p></table:table-cell><table:table-cell><text:p>d</text:p>"
                 "</table:table-cell></table:table-row></table:table>"),
            "ab字\nbox\nc\td\n\nnote\n");
}

std::string page(const std::string& body) {
  return "<?xml version=\"1.0\"?><html xmlns=\"http://www.w3.org/1999/xhtml\"><head><title/></head>"
         "<body>" +
         body + "</body></html>";
}

Files book(const std::string& package, const Files& pages) {
  Files files = {{"mimetype", "application/epub+zip"},
                 {"META-INF/container.xml",
                  "<container><rootfiles><rootfile full-path=\"OEBPS/x/content.opf\"/></rootfiles>"
                  "</container>"}};
  files.insert(files.end(), pages.begin(), pages.end());
  files.push_back({"OEBPS/x/content.opf", package});
  return files;
}

TEST(Epub, ChaptersComeInTheOrderOfTheSpine) {
  const Files files = book(
      "<package><metadata><dc:title>Title</dc:title></metadata><manifest>"
      "<item id=\"n\" href=\"nav.xhtml\" properties=\"nav\"/>"
      "<item id=\"two\" href=\"../text/a%20b%26.xhtml\"/><item id=\"one\" href=\"c.xhtml#top\"/>"
      "<item id=\"toc\" href=\"contents.html\"/><item id=\"css\" href=\"s.css\"/></manifest>"
      "<spine toc=\"ncx\"><itemref idref=\"n\"/><itemref idref=\"toc\"/><itemref idref=\"one\"/>"
      "<itemref idref=\"two\"/><itemref idref=\"one\"/></spine>"
      "<guide><reference type=\"toc\" href=\"contents.html\"/></guide></package>",
      {{"OEBPS/text/a b&.xhtml", page("<p>second</p>")},
       {"OEBPS/x/nav.xhtml", page("<h1>Contents</h1><nav><ol><li>first</li></ol></nav>")},
       {"OEBPS/x/contents.html", page("<p>Contents</p>")},
       {"OEBPS/x/c.xhtml",
        page("<h1>一</h1><p>甲<ruby>乙<rp>(</rp><rt>yi</rt><rp>)</rp></ruby></p>")},
       {"OEBPS/x/s.css", "p {}"},
       {"OEBPS/x/unused.xhtml", page("<p>unused</p>")}});
  for (const char* name : {"a.epub", "a", "a.zip"}) {
    const auto content = content_of(name, zip(files));
    EXPECT_EQ(content.documents, Texts{"一\n\n甲乙\n\nsecond\n"}) << name;
    EXPECT_EQ(content.dropped, Texts{}) << name;
  }
}

TEST(Epub, APageOfContentsIsKnownByItsNameToo) {
  const auto content = content_of(
      "a.epub",
      zip(book("<package><manifest><item id=\"t\" href=\"Text/TOC.xhtml\"/><item id=\"a\" "
               "href=\"Text/a.xhtml\"/></manifest><spine><itemref idref=\"t\"/><itemref "
               "idref=\"a\"/></spine></package>",
               {{"OEBPS/x/Text/TOC.xhtml", page("<p>contents</p>")},
                {"OEBPS/x/Text/a.xhtml", page("<p>one</p>")}})));
  EXPECT_EQ(content.documents, Texts{"one\n"});
}

TEST(Epub, WithoutASpineItsPagesComeByTheirNames) {
  const auto content = content_of("a.epub", zip(book("<package><manifest/><spine/></package>",
                                                     {{"OEBPS/ch10.xhtml", page("<p>ten</p>")},
                                                      {"OEBPS/toc.xhtml", page("<p>contents</p>")},
                                                      {"OEBPS/ch2.xhtml", page("<p>two</p>")}})));
  EXPECT_EQ(content.documents, Texts{"two\n\nten\n"});
  ASSERT_EQ(content.facts.size(), 1u);
  EXPECT_EQ(in_english(content.facts[0].notes),
            Texts{"the book does not say in which order it is read; its pages were taken by their "
                  "names"});
}

TEST(Epub, ADamagedChapterCostsNoOther) {
  std::string bytes = zip(book(
      "<package><manifest><item id=\"a\" href=\"a.xhtml\"/><item id=\"b\" href=\"b.xhtml\"/>"
      "</manifest><spine><itemref idref=\"a\"/><itemref idref=\"b\"/></spine></package>",
      {{"OEBPS/x/a.xhtml", page("<p>first</p>")}, {"OEBPS/x/b.xhtml", page("<p>second</p>")}}));
  bytes[bytes.find("PK\x07\x08", bytes.find("a.xhtml")) + 4] ^= 1;  // its checksum
  const auto content = content_of("a.epub", bytes);
  EXPECT_EQ(content.documents, Texts{"first\n\nsecond\n"});
  ASSERT_EQ(content.dropped.size(), 1u);
  EXPECT_TRUE(content.dropped[0].starts_with("a.epub#0: damaged: ")) << content.dropped[0];
}

TEST(Epub, SaysWhatIsEncryptedOrMissing) {
  const std::string package =
      "<package><manifest><item id=\"a\" href=\"a.xhtml\"/><item id=\"b\" href=\"b.xhtml\"/>"
      "</manifest><spine><itemref idref=\"a\"/><itemref idref=\"b\"/></spine></package>";
  const test::ArchiveFile key = {
      "META-INF/encryption.xml",
      "<encryption><CipherReference URI=\"OEBPS/x/a.xhtml\"/></encryption>"};
  const auto locked = content_of("a.epub",
                                 zip(book(package, {key, {"OEBPS/x/a.xhtml", page("<p>x</p>")}})));
  EXPECT_EQ(locked.dropped,
            Texts{"a.epub#0: an encrypted book (DRM), which only its own reader opens"});
  const auto unreadable = content_of(
      "a.epub", zip(book(package, {key, {"OEBPS/x/a.xhtml", std::string("\0\1\2", 3)}})));
  EXPECT_EQ(unreadable.dropped, locked.dropped);
  const auto partly = content_of("a.epub",
                                 zip(book(package, {{"OEBPS/x/b.xhtml", page("<p>x</p>")}})));
  EXPECT_EQ(partly.documents, Texts{"x\n"});
  ASSERT_EQ(partly.facts.size(), 1u);
  EXPECT_EQ(in_english(partly.facts[0].notes), Texts{"1 of its chapters are not in the file"});
  const auto unnamed = content_of(
      "a.epub", zip(book("<package><manifest><item id=\"b\" href=\"b.xhtml\"/></manifest><spine>"
                         "<itemref idref=\"b\"/><itemref idref=\"c\"/></spine></package>",
                         {{"OEBPS/x/b.xhtml", page("<p>x</p>")}})));
  ASSERT_EQ(unnamed.facts.size(), 1u);
  EXPECT_EQ(in_english(unnamed.facts[0].notes), Texts{"1 of its chapters are not in the file"});
}

TEST(Package, NamesOfMembers) {
  EXPECT_EQ(member_name("OEBPS/x/content.opf", "../text/a%20b.html#c"), "OEBPS/text/a b.html");
  EXPECT_EQ(member_name("", "/word/document.xml"), "word/document.xml");
  EXPECT_EQ(member_name("a/b", "./c/./d"), "a/c/d");
  EXPECT_EQ(member_name("a/b", "../../../%zz"), "%zz");
}

TEST(Package, IsKnownByItsFirstMembers) {
  for (const auto& make : {&zip, &stored_zip})
    EXPECT_TRUE(is_package(make({{"mimetype", "application/epub+zip"}}), "a"));
  EXPECT_FALSE(is_package(stored_zip({{"mimetype", "text/plain"}, {"a.txt", "x"}}), "a"));
  EXPECT_FALSE(is_package(zip({{"a.txt", "x"}}), "a.zip"));
  EXPECT_TRUE(is_package(zip({{"a.txt", "x"}}), "a.DOCX"));
  EXPECT_FALSE(is_package("text", "a.docx"));
  // A document inside an archive makes no document of the archive.
  for (const auto& make : {&zip, &stored_zip})
    EXPECT_FALSE(is_package(make({{"x.docx", docx(paragraph("x"))}, {"y", "y"}}), "a.zip"));
}

TEST(Package, WhatIsNoCharacterInABrokenDocumentIsReplaced) {
  Package package;
  package.members["word/document.xml"] =
      "<w:document "
      "xmlns:w=\"http://schemas.openxmlformats.org/wordprocessingml/2006/main\"><w:body>"
      "<w:p><w:r><w:t>\xE4\xB8\x80 &amp;\xBA\xE4\xBA\x8C</w:t></w:r></w:p></w:body></w:document>";
  const PackageText text = text_of_package(package);
  EXPECT_TRUE(is_valid_utf8(text.text)) << text.text;
  EXPECT_TRUE(text.text.starts_with("一 &")) << text.text;
}

TEST(Package, ReadsTheExamples) {
  INK_SHARED_DATA_OR_SKIP(word, "faults/zh/我的小说.docx");
  INK_SHARED_DATA_OR_SKIP(epub, "faults/zh/我的小说.epub");
  const auto novel = content_of("a", read_file(word));
  ASSERT_EQ(novel.documents.size(), 1u);
  EXPECT_TRUE(novel.documents[0].starts_with("《红楼梦》曹雪芹\n第一回  甄士隐"));
  EXPECT_EQ(novel.documents[0].find('<'), std::string::npos);
  const auto chapters = content_of("a", read_file(epub));
  ASSERT_EQ(chapters.documents.size(), 1u);
  EXPECT_TRUE(chapters.documents[0].starts_with("第0章\n\n《红楼梦》曹雪芹\n\n"));
  EXPECT_LT(chapters.documents[0].find("第1章"), chapters.documents[0].find("第2章"));
}

}  // namespace
}  // namespace inkstone
