// Files that hold their documents as records: JSON, tables, HTML.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "corpus/read/byte_source.h"

namespace inkstone {

// A record is held in memory as a whole: a longer one is dropped.
inline constexpr size_t kLongestRecord_bytes = size_t{256} << 20;
inline constexpr size_t kLongestHtml_bytes = size_t{64} << 20;

struct Record {
  std::string text;      // UTF-8
  std::string why_not;   // why it gives no text ("line 3: ..."); empty when it does
  int64_t replaced = 0;  // sequences that could not be decoded and became U+FFFD
};

class RecordReader {
 public:
  virtual ~RecordReader() = default;
  // The next record; false at the end. Bad input never throws: it gives records with a reason.
  virtual bool next(Record& record) = 0;
};

enum class JsonFraming {
  kLines,  // one value in each line: what is malformed ends with its line
  kAny,    // an array of values, one value after another, or lines: told by the beginning
};

// The text of each JSON value: the value itself when it is a string, else the string at `field` of
// the object
// ("text"; "meta.text" is the member "meta.text", or else "text" of "meta"). `read` gives UTF-8;
// what is invalid in it, and escaped surrogates without their partner, become U+FFFD. An array
// larger than memory works.
std::unique_ptr<RecordReader> open_json(ReadBytes read, std::string field, JsonFraming framing);

// One column of a table after RFC 4180: fields may be quoted, and then hold the delimiter, line
// ends and doubled quotes. `column` is a name from the first row, or a number from 1; the first row
// is then a header row and no text. In a table of one column every row is text, but a first row
// that is `column`.
std::unique_ptr<RecordReader> open_csv(ReadBytes read, std::string column, char delimiter);

// One document: the text that html_text takes out of the page. `encoding` as in ReadOptions; a byte
// order mark and then <meta charset> come before detection.
std::unique_ptr<RecordReader> open_html(ReadBytes read, std::string encoding);

}  // namespace inkstone
