#include "cli/yaml_reader.h"

#include <yaml.h>

#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/utf8.h"

namespace inkstone::cli {
namespace {

constexpr size_t kMostBytes = 1 << 20;
constexpr int kDeepest = 16;

[[noreturn]] void fail_at(const yaml_mark_t& mark, const Message& what) {
  fail(ErrorCode::kInvalidData, "line {}, column {}: {}", mark.line + 1, mark.column + 1, what);
}

// An event of libyaml's, which goes with the object.
class Event {
 public:
  explicit Event(yaml_parser_t& parser) {
    if (yaml_parser_parse(&parser, &event_) != 0) return;
    const std::string_view problem = parser.problem != nullptr ? parser.problem : "no YAML";
    fail_at(parser.problem_mark, Message(std::string(problem)));
  }
  ~Event() { yaml_event_delete(&event_); }
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;

  yaml_event_type_t type() const { return event_.type; }
  const yaml_mark_t& mark() const { return event_.start_mark; }
  std::string scalar() const {
    const auto& scalar = event_.data.scalar;
    return {reinterpret_cast<const char*>(scalar.value), scalar.length};
  }

  // What an experiment has no use for, and a reader would have to look up.
  void require_plain() const {
    const yaml_char_t *anchor = nullptr, *tag = nullptr;
    if (type() == YAML_SCALAR_EVENT)
      anchor = event_.data.scalar.anchor, tag = event_.data.scalar.tag;
    if (type() == YAML_SEQUENCE_START_EVENT)
      anchor = event_.data.sequence_start.anchor, tag = event_.data.sequence_start.tag;
    if (type() == YAML_MAPPING_START_EVENT)
      anchor = event_.data.mapping_start.anchor, tag = event_.data.mapping_start.tag;
    if (anchor != nullptr || tag != nullptr || type() == YAML_ALIAS_EVENT)
      fail_at(mark(), marked("anchors (&), aliases (*) and tags (!) are not read: write it out"));
  }

 private:
  yaml_event_t event_ = {};
};

class Reader {
 public:
  explicit Reader(std::string_view text) {
    if (yaml_parser_initialize(&parser_) == 0) throw std::bad_alloc();
    yaml_parser_set_encoding(&parser_, YAML_UTF8_ENCODING);
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(text.data()),
                                 text.size());
  }
  ~Reader() { yaml_parser_delete(&parser_); }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;

  Json document() {
    skip(YAML_STREAM_START_EVENT);
    const Event begin(parser_);
    if (begin.type() == YAML_STREAM_END_EVENT)
      fail(ErrorCode::kInvalidData, "there is nothing in it");
    Json json = node(Event(parser_), 0);
    skip(YAML_DOCUMENT_END_EVENT);
    const Event end(parser_);
    if (end.type() != YAML_STREAM_END_EVENT)
      fail_at(end.mark(), marked("a second document begins here, expected one"));
    return json;
  }

 private:
  void skip(yaml_event_type_t type) {
    const Event event(parser_);
    if (event.type() != type) fail_at(event.mark(), marked("found something else than expected"));
  }

  Json node(const Event& event, int depth) {
    event.require_plain();
    if (event.type() == YAML_SCALAR_EVENT) return event.scalar();
    if (depth == kDeepest) fail_at(event.mark(), message("nested deeper than {}", kDeepest));
    return event.type() == YAML_SEQUENCE_START_EVENT ? sequence(depth) : mapping(depth);
  }

  Json sequence(int depth) {
    Json list = Json::array();
    for (;;) {
      const Event event(parser_);
      if (event.type() == YAML_SEQUENCE_END_EVENT) return list;
      list.push_back(node(event, depth + 1));
    }
  }

  Json mapping(int depth) {
    constexpr size_t kMostMembers = 1000;  // of an ordered object, which looks at each
    Json object = Json::object();
    for (;;) {
      const Event name(parser_);
      if (name.type() == YAML_MAPPING_END_EVENT) return object;
      name.require_plain();
      if (name.type() != YAML_SCALAR_EVENT)
        fail_at(name.mark(), marked("found a list or a mapping, expected a name"));
      if (object.contains(name.scalar()))
        fail_at(name.mark(), message("'{}' is there twice", shown_text(name.scalar())));
      if (object.size() == kMostMembers)
        fail_at(name.mark(), message("more than {} names in one mapping", kMostMembers));
      object[name.scalar()] = node(Event(parser_), depth + 1);
    }
  }

  yaml_parser_t parser_ = {};
};

}  // namespace

Json json_from_yaml(std::string_view text) {
  if (text.size() > kMostBytes) {
    fail(ErrorCode::kInvalidData, "it has {} bytes, expected at most {}", text.size(), kMostBytes);
  }
  return Reader(text).document();
}

}  // namespace inkstone::cli
