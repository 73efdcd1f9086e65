// The text of pages.
#include "corpus/read/html_text.h"

#include "read_support.h"

namespace inkstone {
namespace {
using test::content_of;
using Texts = std::vector<std::string>;

TEST(HtmlText, LaysOutBlocksAndLeavesOutWhatNobodyReads) {
  EXPECT_EQ(
      html_text("<!DOCTYPE "
                "html><html><head><title>T</title><style>p{}</style></head><body><nav>Home</nav>"
                "<h1>Head</h1><p>One  <b>bold</b>\n<i>word</i>.<p>Two<br>lines<br><br>far"
                "<script>var a = '<p>x</p>';</script><div>a<div>b</div></div>c</body></html>"),
      "Head\n\nOne bold word.\n\nTwo\nlines\n\nfar\n\na\nb\nc\n");
  EXPECT_EQ(html_text("<ul><li>one<li> two </ul>after<table><tr><td>1<td>2<tr><td>3<td>4</table>"),
            "one\ntwo\n\nafter\n\n1\t2\n3\t4\n");
}

TEST(HtmlText, KeepsThePreformatted) {
  EXPECT_EQ(html_text("a<pre>  x\n    y  z\n</pre>b"), "a\n\n  x\n    y  z\n\n\nb\n");
}

TEST(HtmlText, DecodesEntitiesAndKeepsWhatIsNone) {
  EXPECT_EQ(html_text("<p>&lt;b&gt; &amp;amp; &#20013;&#x6587; &eacute;&nbsp;&unknown; AT&T 1 < 2"),
            "<b> &amp; \u4E2D\u6587 \u00E9\u00A0&unknown; AT&T 1 < 2\n");
  EXPECT_EQ(html_text("\u7EA2\u697C\u68A6 <b>\U0001F600</b>"), "\u7EA2\u697C\u68A6 \U0001F600\n");
  EXPECT_EQ(html_text(std::string_view("a\0b<p>c", 7)), "ab\n\nc\n");
  EXPECT_EQ(html_text(""), "");
}

TEST(HtmlText, EndsAtAbsurdNesting) {
  std::string deep;
  for (int i = 0; i < 20'000; ++i) deep += "<div>";
  const auto content = content_of("a.html", deep + "x");
  EXPECT_TRUE(content.documents.empty());
  EXPECT_EQ(content.dropped, Texts{"a.html#1: elements nested more than 10000 deep"});
}

TEST(HtmlText, TakesNoEntityFromThePageOrTheNetwork) {
  EXPECT_EQ(html_text("<!DOCTYPE html [<!ENTITY a \"aaaa\"><!ENTITY b SYSTEM "
                      "\"file:///etc/passwd\">]><p>&a;&b;")
                .find("root:"),
            std::string::npos);
}

TEST(LooksLikeHtml, WantsADoctypeOrTheElement) {
  EXPECT_TRUE(looks_like_html(" \n<!-- a --> <!DocType HTML PUBLIC"));
  EXPECT_TRUE(looks_like_html("<html lang=zh>"));
  EXPECT_FALSE(looks_like_html("<htmlx>"));
  EXPECT_FALSE(looks_like_html("# <html>"));
  EXPECT_FALSE(looks_like_html("<!-- <html>"));
}

TEST(Html, IsFoundByNameOrDoctype) {
  EXPECT_EQ(content_of("a.htm", "<p>x</p>").documents, Texts{"x\n"});
  EXPECT_EQ(content_of("a", "<!doctype html><p>x</p>").documents, Texts{"x\n"});
  EXPECT_EQ(content_of("a", "<p>x</p>").documents, Texts{"<p>x</p>"});
  EXPECT_EQ(content_of("a.html", "<p>x</p>", {.format = InputFormat::kText}).documents,
            Texts{"<p>x</p>"});
  EXPECT_EQ(content_of("a.html", "<script>x</script>").dropped,
            Texts{"a.html#1: a page without text"});
}

TEST(Html, IsDecodedAsItDeclares) {
  const std::string gb =
      "<html><head><meta http-equiv=Content-Type content='text/html; "
      "charset=gb2312'></head>\xD6\xD0\xCE\xC4";
  EXPECT_EQ(content_of("a.html", gb).documents, Texts{"\u4E2D\u6587\n"});
  EXPECT_EQ(
      content_of("a.html", "<meta charset=\"windows-1251\"><p>\xCF\xF0\xE8\xE2\xE5\xF2").documents,
      Texts{"\u041F\u0440\u0438\u0432\u0435\u0442\n"});
  // Valid UTF-8 is UTF-8, whatever the page says.
  EXPECT_EQ(content_of("a.html", "<meta charset=gb2312><p>\u4E2D\u6587").documents,
            Texts{"\u4E2D\u6587\n"});
  const std::string utf16("\xFF\xFE<\0p\0>\0\x2D\x4E", 10);
  EXPECT_EQ(content_of("a.html", utf16).documents, Texts{"\u4E2D\n"});
  const auto broken = content_of(
      "a.html",
      "<meta charset=utf-8><p>\u4E2D\u6587\u4E2D\u6587\u4E2D\u6587\u4E2D\u6587\u4E2D\u6587\xFF");
  EXPECT_EQ(broken.documents,
            Texts{"\u4E2D\u6587\u4E2D\u6587\u4E2D\u6587\u4E2D\u6587\u4E2D\u6587\uFFFD\n"});
  EXPECT_EQ(broken.replaced, std::vector<int64_t>{1});
}

TEST(Html, DropsPagesTooLongToHold) {
  const auto read = [left = size_t{65} << 20](char* out, size_t n) mutable {
    const size_t size = std::min(n, left);
    std::memset(out, 'x', size);
    left -= size;
    return size;
  };
  EXPECT_EQ(content_of("a.html", read).dropped, Texts{"a.html#1: a page longer than 64 MiB"});
}

}  // namespace
}  // namespace inkstone
