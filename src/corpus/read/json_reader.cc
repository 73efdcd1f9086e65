// JSON lines, arrays and sequences of values: cut into records here, since simdjson cannot read an
// array in parts.
#include <simdjson.h>

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/lenient_json.h"
#include "base/utf8.h"
#include "corpus/read/dialogue.h"
#include "corpus/read/json_dialogue.h"
#include "corpus/read/json_members.h"
#include "corpus/read/record_reader.h"
#include "corpus/read/shape_notes.h"

namespace inkstone {
namespace {

constexpr size_t kJsonBlock_bytes = 256 * 1024;

bool is_json_space(char c) { return c == ' ' || c == '\t' || c == '\n' || c == '\r'; }

// The bytes of one value. simdjson reads up to SIMDJSON_PADDING bytes behind it.
struct RawRecord {
  std::string_view text;  // padded; valid until the next call
  int64_t line = 1;       // in which it begins
  Message why_not;        // as in Record, without the line
};

// Finds where an object, an array or a string ends, by brackets and quotes alone. No string goes on
// in the next line: one that is open there ends, and the value with it when the next line begins
// like it, so that a missing quote loses no other record.
class ValueEnd {
 public:
  ValueEnd(char first, char line_end) : first_(first), line_end_(line_end) {}

  // Behind the value, which goes on at `at`; `end` when it does not end before.
  const char* find(const char* at, const char* end) {
    for (; at < end; ++at) {
      if (in_string_) {
        while (!escaped_ && at < end && *at != '"' && *at != '\\' && *at != line_end_) ++at;
        if (at == end) break;
        step_in_string(*at);
        found_ = !in_string_ && depth_ == 0;
        if (found_) return *at == line_end_ ? at : at + 1;
        continue;
      }
      if (broken_ && !is_json_space(*at)) {
        broken_ = false;
        found_ = *at == first_;
        if (found_) return at;
      }
      step(*at);
      found_ = !in_string_ && depth_ == 0;
      if (found_) return at + 1;
    }
    return end;
  }

  bool is_found() const { return found_; }

 private:
  void step(char c) {
    if (c == '"') {
      in_string_ = true;
    } else if (c == '{' || c == '[') {
      ++depth_;
    } else if (c == '}' || c == ']') {
      --depth_;
    }
  }

  void step_in_string(char c) {
    if (c == line_end_) {
      in_string_ = false;
      broken_ = true;
    } else if (c == '"' && !escaped_) {
      in_string_ = false;
    }
    escaped_ = c == '\\' && !escaped_ && in_string_;
  }

  char first_, line_end_;
  int64_t depth_ = 0;
  bool in_string_ = false, escaped_ = false;
  bool broken_ = false;  // a string was open at the last line's end
  bool found_ = false;
};

// Cuts a stream into values by their brackets and quotes alone, or by lines.
class JsonCutter {
 public:
  JsonCutter(ReadBytes read, JsonFraming framing)
      : read_(std::move(read)), are_lines_(framing == JsonFraming::kLines) {}

  bool next(RawRecord& record) {
    record.why_not = {};
    if (mode_ == Mode::kUnknown) start();
    const bool found = mode_ == Mode::kLines ? next_line(record) : next_value(record);
    // One value in a line: so are the others, and a malformed one then ends with its line.
    if (found && (mode_ == Mode::kFirstValue || (mode_ == Mode::kValues && are_lines_))) {
      mode_ = record.text.find(line_end_) == record.text.npos ? Mode::kLines : Mode::kValues;
      scan_ = begin_;
    }
    return found;
  }

 private:
  enum class Mode { kUnknown, kLines, kFirstValue, kValues, kArray, kAfterArray };

  void start() {
    skip_spaces();
    mode_ = are_lines_ && !is_spread_over_lines() ? Mode::kLines : Mode::kFirstValue;
    if (mode_ == Mode::kFirstValue && begin_ < end_ && buffer_[begin_] == '[') {
      mode_ = Mode::kArray;
      ++begin_;
    }
  }

  // JSON of some other kind under the name of JSON lines: a bracket stands alone in the first line,
  // and the next one goes on as it would inside it, not as a record by itself.
  bool is_spread_over_lines() const {
    const std::string_view text(buffer_.data() + begin_, end_ - begin_);
    if (!text.starts_with('[') && !text.starts_with('{')) return false;
    const auto skip = [&](size_t at) {
      return std::min(text.find_first_not_of(" \t\r\n", at), text.size());
    };
    const size_t second = skip(1);
    if (text.substr(0, second).find(line_end_) == text.npos) return false;
    const size_t second_end = std::min(text.find(line_end_, second), text.size());
    const std::string_view line = text.substr(second, second_end - second);
    if (text[0] == '{') return line.starts_with('"') && line.find("\":") != line.npos;
    if (!line.starts_with('"') && !line.starts_with('{')) return false;
    const char last = line[line.find_last_not_of(" \t\r")];
    const bool is_record = line.size() > 1 && last == (line[0] == '{' ? '}' : '"');
    return !is_record || !text.substr(skip(second_end)).starts_with(line[0]);
  }

  bool next_line(RawRecord& record) {
    for (bool more = true; more;) {
      const char* found = static_cast<const char*>(
          std::memchr(data() + scan_, line_end_, end_ - scan_));
      if (found == nullptr && (more = refill())) continue;
      const size_t line_end = found != nullptr ? static_cast<size_t>(found - data()) : end_;
      const bool blank = !dropping_ &&
                         std::all_of(data() + begin_, data() + line_end, is_json_space);
      if (!blank) take(line_end, record);
      begin_ = scan_ = std::min(line_end + 1, end_);
      if (found != nullptr) ++line_;
      if (!blank) return true;
      more = found != nullptr;
    }
    return false;
  }

  bool next_value(RawRecord& record) {
    skip_spaces();
    while (mode_ == Mode::kArray && begin_ < end_ &&
           (buffer_[begin_] == ',' || buffer_[begin_] == ']')) {
      if (buffer_[begin_++] == ']') mode_ = Mode::kAfterArray;
      skip_spaces();
    }
    if (begin_ == end_) return end_of_values(record);
    if (mode_ == Mode::kAfterArray) return rest_after_array(record);
    scan_ = begin_;
    const int64_t line = line_;
    const bool whole = scan_value();
    take(scan_, record);
    if (!whole && mode_ == Mode::kFirstValue && looks_like_lines()) {
      mode_ = Mode::kLines;
      scan_ = begin_;
      record = {};
      return next_line(record);
    }
    if (!whole && record.why_not.empty())
      record.why_not = marked("malformed JSON: the text ends inside the record");
    count_lines(begin_, scan_);
    record.line = line;
    begin_ = scan_;
    return true;
  }

  // An array that the text's end leaves open has lost records.
  bool end_of_values(RawRecord& record) {
    if (mode_ != Mode::kArray) return false;
    mode_ = Mode::kAfterArray;
    record = {.text = {},
              .line = line_,
              .why_not = marked("malformed JSON: the text ends inside the array")};
    return true;
  }

  bool rest_after_array(RawRecord& record) {
    record = {.text = {},
              .line = line_,
              .why_not = marked("malformed JSON: more after the end of the array, left out")};
    do begin_ = scan_ = end_;
    while (refill());
    begin_ = scan_ = end_;
    return true;
  }

  // Moves scan_ behind the value that begins at begin_; false when the text ends inside it.
  bool scan_value() {
    const char first = buffer_[begin_];
    if (first != '{' && first != '[' && first != '"') return scan_scalar();
    ValueEnd value_end(first, line_end_);
    do {
      const char* found = value_end.find(data() + scan_, data() + end_);
      scan_ = static_cast<size_t>(found - data());
      if (value_end.is_found()) return true;
    } while (refill());
    return false;
  }

  // A first line that leaves a bracket or a quotation mark open would take all others with it.
  bool looks_like_lines() const {
    const std::string_view rest(buffer_.data() + begin_, end_ - begin_);
    const size_t line_end = std::min(rest.find(line_end_), rest.size());
    return (rest[0] == '{' || rest[0] == '"') &&
           rest.substr(line_end).substr(0, 2) == std::string({line_end_, rest[0]});
  }

  // A number, a word, or what is no JSON: up to the next comma, bracket or space.
  bool scan_scalar() {
    ++scan_;
    do {
      for (; scan_ < end_; ++scan_) {
        const char c = buffer_[scan_];
        if (is_json_space(c) || c == ',' || c == ']' || c == '{' || c == '"') return true;
      }
    } while (refill());
    return true;
  }

  void skip_spaces() {
    do {
      for (; begin_ < end_ && is_json_space(buffer_[begin_]); ++begin_)
        line_ += buffer_[begin_] == line_end_ ? 1 : 0;
      scan_ = begin_;
    } while (begin_ == end_ && refill());
  }

  void count_lines(size_t from, size_t to) {
    line_ += std::count(data() + from, data() + to, line_end_);
  }

  void take(size_t end, RawRecord& record) {
    record.text = {data() + begin_, end - begin_};
    record.line = line_;
    if (std::exchange(dropping_, false)) {
      record = {.text = {}, .line = line_, .why_not = ""};
      record.why_not = message("a record longer than {} MiB", kLongestRecord_bytes >> 20);
    }
  }

  // Makes room by moving what is left to the front; a record too long to keep is forgotten while it
  // is scanned. False at the end of the text.
  bool refill() {
    scan_ = end_;
    if (at_end_) return false;
    if (scan_ - begin_ > kLongestRecord_bytes) {
      dropping_ = true;
      if (mode_ != Mode::kLines) count_lines(begin_, scan_);
      begin_ = scan_;
    }
    buffer_.resize(end_);
    buffer_.erase(0, begin_);
    end_ = scan_ = buffer_.size();
    begin_ = 0;
    const size_t got = read_more(read_, kJsonBlock_bytes, buffer_);
    end_ += got;
    at_end_ = got < kJsonBlock_bytes;
    if (line_end_ == 0) find_line_end();
    buffer_.append(simdjson::SIMDJSON_PADDING, ' ');
    return got > 0;
  }

  // CR in a text of which the first block has no LF.
  void find_line_end() {
    const bool has_lf = buffer_.find('\n') != buffer_.npos;
    line_end_ = !has_lf && buffer_.find('\r') != buffer_.npos ? '\r' : '\n';
  }

  char* data() { return buffer_.data(); }

  ReadBytes read_;
  bool are_lines_;
  Mode mode_ = Mode::kUnknown;
  std::string buffer_;  // its last SIMDJSON_PADDING bytes are never text
  size_t begin_ = 0;    // of what has not been returned
  size_t scan_ = 0;     // the value that begins at begin_ reaches at least here
  size_t end_ = 0;      // of what has been read
  int64_t line_ = 1;    // of begin_
  char line_end_ = 0;   // 0: nothing has been read
  bool dropping_ = false, at_end_ = false;
};

// True if an escape in `json` may be a surrogate: \ud8 to \udf.
bool may_have_surrogates(std::string_view json) {
  return json.find("\\ud") != json.npos || json.find("\\uD") != json.npos;
}

using Element = simdjson::dom::element;

// The member `field` of an object: by its whole name, else, at each dot, inside the member that
// stands before it.
simdjson::simdjson_result<Element> find_member(Element element, std::string_view field) {
  const auto whole = last_member(element, field);
  if (whole.error() != simdjson::NO_SUCH_FIELD) return whole;
  for (size_t dot = field.find('.'); dot != field.npos; dot = field.find('.', dot + 1)) {
    Element inner;
    if (last_member(element, field.substr(0, dot)).get(inner) != simdjson::SUCCESS ||
        !inner.is_object())
      continue;
    const auto found = find_member(inner, field.substr(dot + 1));
    if (found.error() == simdjson::SUCCESS) return found;
  }
  return whole;
}

// The names in "a,b": without white space around them; at least one.
std::vector<std::string> field_names(std::string_view list) {
  std::vector<std::string> names;
  for (size_t at = 0; at <= list.size();) {
    const size_t end = std::min(list.find(',', at), list.size());
    const std::string_view name = list.substr(at, end - at);
    const size_t begin = std::min(name.find_first_not_of(' '), name.size());
    names.emplace_back(name.substr(begin, name.find_last_not_of(' ') + 1 - begin));
    at = end + 1;
  }
  return names;
}

// Appends a string, or the strings of an array, each on a line of its own; else says what `value`
// is.
Message append_lines(Element value, std::string& text) {
  std::string_view line;
  if (value.get(line) == simdjson::SUCCESS) {
    text.append(text.empty() ? "" : "\n").append(line);
    return "";
  }
  if (!value.is_array()) return type_name(value.type());
  for (const Element element : simdjson::dom::array(value)) {
    if (const Message found = append_lines(element, text); !found.empty())
      return found.english().starts_with("an array") ? found : message("an array with {}", found);
  }
  return "";
}

class JsonReader : public RecordReader {
 public:
  JsonReader(ReadBytes read, std::string field, JsonFraming framing, RecordRules rules)
      : cutter_(std::move(read), framing),
        field_(std::move(field)),
        fields_(field_names(field_)),
        rules_(std::move(rules)) {}

  bool next(Record& record) override {
    RawRecord raw;
    if (!cutter_.next(raw)) return false;
    record = {};
    if (raw.why_not.empty()) raw.why_not = read_text(raw.text, record);
    if (!raw.why_not.empty()) record.why_not = message("line {}: {}", raw.line, raw.why_not);
    return true;
  }

  std::vector<Message> notes() const override { return shapes_.notes(); }

 private:
  // The reason when there is none.
  Message read_text(std::string_view padded, Record& record) {
    Element root;
    auto error = parser_.parse(padded.data(), padded.size(), false).get(root);
    if (!error && !may_have_surrogates(padded)) return text_of(root, record);
    std::string repaired(padded);
    if (error == simdjson::UTF8_ERROR) {
      record.replaced += count_invalid_utf8(padded);
      repaired = replace_invalid_utf8(padded);
    }
    record.replaced += repair_surrogates(repaired);
    if (record.replaced > 0) error = parser_.parse(repaired).get(root);
    if (error) {
      zero_numbers(repaired);
      error = parser_.parse(repaired).get(root);
    }
    return error ? read_deep(repaired, error, record) : text_of(root, record);
  }

  Message text_of(Element root, Record& record) {
    record.text.clear();
    if (rules_.records == Records::kCompletion && !root.is_object())
      return message("the record is {}, no object", Message(type_name(root.type())));
    if (!root.is_object()) {
      const Message found = append_lines(root, record.text);
      return found.empty() ? "" : message("the record is {}, no object and no string", found);
    }
    if (rules_.records != Records::kText) {
      const bool forced = rules_.records == Records::kCompletion;
      const auto shape = shape_of(root);
      if (shape && (forced || !has_text(root))) return take_dialogue(root, *shape, record);
      if (forced) return no_dialogue(root);
      if (shape) shapes_.count_as_text(*shape);
    }
    return text_of_object(root, record);
  }

  bool has_text(Element root) const {
    return find_member(root, field_).error() == simdjson::SUCCESS ||
           std::any_of(fields_.begin(), fields_.end(), [&](const std::string& field) {
             return find_member(root, field).error() == simdjson::SUCCESS;
           });
  }

  Message take_dialogue(Element root, RecordShape shape, Record& record) {
    Dialogue dialogue;
    Message why_not = read_dialogue(root, shape, rules_.roles, dialogue);
    if (!why_not.empty()) return why_not;
    shapes_.count(shape);
    record.is_dialogue = true;
    record.text = pack(dialogue);
    return {};
  }

  Message no_dialogue(Element root) const {
    if (Message why_not = missing_member(root); !why_not.empty()) return why_not;
    return message(
        "there is {}, expected prompt and completion, or messages, or instruction and "
        "output",
        member_names(root));
  }

  Message text_of_object(Element root, Record& record) const {
    Element value;
    if (find_member(root, field_).get(value) == simdjson::SUCCESS)
      return append_field(field_, value, record);
    int found = 0;
    for (const std::string& field : fields_) {
      const bool is_there = find_member(root, field).get(value) == simdjson::SUCCESS;
      if (!is_there || (fields_.size() > 1 && value.is_null())) continue;
      ++found;
      if (const Message why_not = append_field(field, value, record); !why_not.empty())
        return why_not;
    }
    return found > 0 ? "" : missing_field(root);
  }

  static Message append_field(const std::string& field, Element value, Record& record) {
    const Message found = append_lines(value, record.text);
    return found.empty() ? "" : message("the field '{}' is {}, no string", field, found);
  }

  // Of the first five members.
  static std::string member_names(Element root) {
    std::string names;
    int count = 0;
    for (const auto member : simdjson::dom::object(root)) {
      if (++count > 5) break;
      names += fmt::format("{}'{}'", count > 1 ? ", " : "", utf8_beginning(member.key, 40));
    }
    return names;
  }

  Message missing_field(Element root) const {
    const std::string names = member_names(root);
    if (names.empty()) return message("no field '{}'; there is none", field_);
    return message("no field '{}'; there is {} (--json-field NAME, or NAME,NAME)", field_, names);
  }

  // simdjson takes 1024 levels, and the text hardly lies among the deepest. `why_not`: what it
  // said.
  Message read_deep(std::string_view json, simdjson::error_code why_not, Record& record) {
    constexpr int kDeepest = 1000;  // dump() is recursive
    const auto handler = [](int depth, nlohmann::json::parse_event_t, nlohmann::json&) {
      return depth < kDeepest;
    };
    const auto clean = nlohmann::json::parse(json, handler, false);
    if (!clean.is_discarded()) {
      const std::string text = clean.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
      Element root;
      why_not = parser_.parse(text).get(root);
      if (!why_not) return text_of(root, record);
    }
    return message("malformed JSON ({})", simdjson::error_message(why_not));
  }

  JsonCutter cutter_;
  std::string field_;
  std::vector<std::string> fields_;
  RecordRules rules_;
  ShapeNotes shapes_;
  simdjson::dom::parser parser_;
};

}  // namespace

std::unique_ptr<RecordReader> open_json(ReadBytes read, std::string field, JsonFraming framing,
                                        RecordRules rules) {
  return std::make_unique<JsonReader>(std::move(read), std::move(field), framing, std::move(rules));
}

}  // namespace inkstone
