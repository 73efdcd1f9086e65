// A page as one record.
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/read/charset.h"
#include "corpus/read/html_text.h"
#include "corpus/read/page.h"
#include "corpus/read/record_reader.h"

namespace inkstone {
namespace {

constexpr size_t kPageBlock_bytes = size_t{1} << 20;

// All that `read` gives. A page that is too long is read to its end first.
std::string read_page(const ReadBytes& read) {
  std::string page;
  bool too_long = false;
  for (size_t got = kPageBlock_bytes; got == kPageBlock_bytes;) {
    got = read_more(read, kPageBlock_bytes, page);
    too_long = too_long || page.size() > kLongestHtml_bytes;
    if (too_long) page.clear();
  }
  if (too_long)
    fail(ErrorCode::kInvalidData, "a page longer than {} MiB", kLongestHtml_bytes >> 20);
  return page;
}

// Valid UTF-8 is UTF-8, whatever the page declares.
EncodingGuess encoding_of_page(const std::string& page) {
  EncodingGuess detected = detect_encoding(page);
  if (detected.encoding == "UTF-8") return detected;
  const std::string declared = encoding_of_label(html_declared_encoding(page));
  return declared.empty() || declared.starts_with("UTF-") ? detected
                                                          : EncodingGuess{.encoding = declared};
}

class HtmlReader : public RecordReader {
 public:
  HtmlReader(ReadBytes read, std::string encoding)
      : read_(std::move(read)), guess_{.encoding = std::move(encoding)} {}

  bool next(Record& record) override {
    if (std::exchange(done_, true)) return false;
    record = {};
    try {
      const DecodedPage page = decode_page(read_page(read_), guess_.encoding);
      guess_ = page.guess;
      record.replaced = page.replaced;
      record.text = html_text(page.text);
      if (record.text.empty()) record.why_not = marked("a page without text");
    } catch (const Error& e) {
      record.why_not = e.message();
    }
    return true;
  }

  SourceFacts facts(const std::string& source) const override {
    return {.source = source, .encoding = guess_.encoding, .certainty = guess_.certainty};
  }

 private:
  ReadBytes read_;
  EncodingGuess guess_;  // of the page, once it is read; or given
  bool done_ = false;
};

}  // namespace

DecodedPage decode_page(std::string page, const std::string& encoding) {
  const TextStart start = examine_text(page, encoding);
  page.erase(0, start.mark_bytes);
  DecodedPage result{.text = "", .guess = {.encoding = start.encoding}};
  if (result.guess.encoding.empty()) result.guess = encoding_of_page(page);
  Utf8Stream stream(read_from(page), result.guess.encoding);
  if (stream.converts()) {
    result.text = read_page([&](char* out, size_t n) { return stream.read(out, n); });
    result.replaced = stream.replaced();
  } else {
    result.replaced = count_invalid_utf8(page);
    result.text = result.replaced > 0 ? replace_invalid_utf8(page) : std::move(page);
  }
  return result;
}

std::unique_ptr<RecordReader> open_html(ReadBytes read, std::string encoding) {
  return std::make_unique<HtmlReader>(std::move(read), std::move(encoding));
}

}  // namespace inkstone
