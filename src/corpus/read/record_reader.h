// Files that hold their documents as records: JSON, tables, HTML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "corpus/read/byte_source.h"
#include "inkstone/reading.h"

namespace inkstone {

// A record is held in memory as a whole: a longer one is dropped.
inline constexpr size_t kLongestRecord_bytes = size_t{256} << 20;
inline constexpr size_t kLongestHtml_bytes = size_t{64} << 20;

struct Record {
  std::string text;          // UTF-8
  Message why_not;           // why it gives no text ("line 3: ..."); empty when it does
  int64_t replaced = 0;      // sequences that could not be decoded and became U+FFFD
  bool is_dialogue = false;  // the text is a packed conversation (dialogue.h)
};

// Which records are conversations, as ReadOptions says.
struct RecordRules {
  Records records = Records::kText;
  std::vector<std::string> roles = {};
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // The next record; false at the end. Bad input never throws: it gives records with a reason.
  virtual bool next(Record& record) = 0;
  // What a user should know of how the records were read, once they are: a sentence each.
  virtual std::vector<Message> notes() const { return {}; }
  // Of a reader that decodes its bytes itself.
  virtual SourceFacts facts(const std::string& source) const { return {source, "UTF-8"}; }
};

enum class JsonFraming {
  kLines,  // one value in each line: what is malformed ends with its line
  kAny,    // an array of values, one value after another, or lines: told by the beginning
};

// The text of each JSON value: the value itself when it is a string or an array of strings, which
// are joined by lines, else what stands at `field` of the object ("text"; "meta.text" is the member
// "meta.text", or else "text" of "meta"; "title,text" is both, a line each, as far as they are
// there). `read` gives UTF-8;
// what is invalid in it, and escaped surrogates without their partner, become U+FFFD. An array
// larger than memory works.
// A record that is a conversation, by `rules`, gives that, packed.
std::unique_ptr<RecordReader> open_json(ReadBytes read, std::string field, JsonFraming framing,
                                        RecordRules rules = {});

struct CsvOptions {
  std::string column;      // a name from the first row, or a number from 1
  std::string delimiters;  // of several, the beginning of the table tells which; at least one
  bool header = true;      // false: the first row is no header
  Records records = Records::kText;  // conversations need a header
};

// One column of a table, cut into rows and fields as CsvRows does. The first row is a header and no
// text; but in a table of one column it is text unless it is `column`, or one word above a text. A
// row of such a table is text as a whole, delimiters and all, unless it is quoted. What was taken
// for a header is told by notes(). Where the header has the columns of a known shape, and
// options.records allows it, rows are conversations, packed.
std::unique_ptr<RecordReader> open_csv(ReadBytes read, CsvOptions options);

// One document: the text that html_text takes out of the page. `encoding` as in ReadOptions; a byte
// order mark and then <meta charset> come before detection.
std::unique_ptr<RecordReader> open_html(ReadBytes read, std::string encoding);

}  // namespace inkstone
