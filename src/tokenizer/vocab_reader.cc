#include "tokenizer/vocab_reader.h"

#include <simdjson.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "base/error.h"

namespace inkstone {
namespace {

namespace ondemand = simdjson::ondemand;

constexpr size_t kMaxMembers = 10'000;  // of an object, as in base/json

TokenId read_id(std::string_view token, ondemand::value value) {
  if (value.type() == ondemand::json_type::number) {
    uint64_t id = 0;
    if (value.get_uint64().get(id) == simdjson::SUCCESS && id <= uint64_t{kMaxTokenId}) {
      return static_cast<TokenId>(id);
    }
  }
  fail(ErrorCode::kInvalidData, "token '{}' has the id {}, expected an integer from 0 to {}", token,
       std::string_view(simdjson::to_json_string(value)), kMaxTokenId);
}

// Walks over a document; errors of its syntax leave as simdjson::simdjson_error.
class VocabularyReader {
 public:
  // The lists of a text of so many bytes are not moved while they grow: seldom has it more than a
  // token or a merge in 16 bytes. What is not used of the room is never touched.
  VocabularyReader(VocabularyLists& lists, size_t text_bytes)
      : lists_(lists), room_(std::min(text_bytes / 16, size_t{1} << 20)) {}

  void read_vocabulary(ondemand::object object) {
    if (lists_.has_vocabulary) fail(ErrorCode::kInvalidData, "there are two vocabularies");
    lists_.has_vocabulary = true;
    lists_.vocabulary.reserve(room_);
    for (ondemand::field field : object) {
      const std::string_view token = field.unescaped_key();
      lists_.vocabulary.push_back({std::string(token), read_id(token, field.value())});
    }
  }

  // The members of the root, without the lists.
  Json read_root(ondemand::object root) {
    return read_members(root, [this](std::string_view key, ondemand::value value, Json& rest) {
      if (key != "model" || value.type() != ondemand::json_type::object) return false;
      rest = read_model(value.get_object());
      return true;
    });
  }

 private:
  Json read_model(ondemand::object model) {
    return read_members(model, [this](std::string_view key, ondemand::value value, Json&) {
      if (key == "vocab" && value.type() == ondemand::json_type::object) {
        read_vocabulary(value.get_object());
      } else if (key == "merges" && value.type() == ondemand::json_type::array) {
        read_merges(value.get_array());
      } else {
        return false;
      }
      return true;
    });
  }

  // take(key, value, place) reads a large member itself, and leaves `place` null if nothing of it
  // belongs in the rest.
  template <typename Take>
  Json read_members(ondemand::object object, Take&& take) {
    Json rest = Json::object();
    for (ondemand::field field : object) {
      const std::string key(std::string_view(field.unescaped_key()));
      Json place;
      const bool is_taken = take(key, field.value(), place);
      if (!is_taken) place = parse_json(simdjson::to_json_string(field.value()));
      if (is_taken && place.is_null()) continue;
      // An ordered object looks each new member up among all before it.
      if (rest.size() >= kMaxMembers) {
        fail(ErrorCode::kInvalidData, "JSON object with more than {} members", kMaxMembers);
      }
      rest[key] = std::move(place);
    }
    return rest;
  }

  void read_merges(ondemand::array merges) {
    if (lists_.has_merges) fail(ErrorCode::kInvalidData, "there are two lists of merges");
    lists_.has_merges = true;
    lists_.merges.reserve(room_);
    for (ondemand::value merge : merges) {
      if (merge.type() == ondemand::json_type::string) {
        const std::string_view text = merge.get_string();
        auto parts = split_merge(text);
        if (!parts) fail_merge(fmt::format("'{}'", text));
        lists_.merges.push_back(*std::move(parts));
      } else if (merge.type() == ondemand::json_type::array) {
        lists_.merges.push_back(read_pair(merge.get_array()));
      } else {
        fail_merge(std::string(std::string_view(simdjson::to_json_string(merge))));
      }
    }
  }

  std::pair<std::string, std::string> read_pair(ondemand::array array) const {
    std::vector<std::string_view> parts;
    for (ondemand::value part : array) {
      if (part.type() != ondemand::json_type::string)
        fail_merge(marked("an array of other than strings"));
      parts.push_back(part.get_string());
    }
    if (parts.size() != 2) fail_merge(message("an array of {}", parts.size()));
    return {std::string(parts[0]), std::string(parts[1])};
  }

  [[noreturn]] void fail_merge(const Message& found) const {
    fail(ErrorCode::kInvalidData, "merge {} is {}, expected \"A B\" or [\"A\", \"B\"]",
         lists_.merges.size() + 1, found);
  }

  VocabularyLists& lists_;
  size_t room_;
};

Json read_document(ondemand::document& document, std::string_view text, VocabularyPlace place,
                   VocabularyLists& lists) {
  if (document.type() != ondemand::json_type::object) return parse_json(text);
  VocabularyReader reader(lists, text.size());
  Json rest;
  if (place == VocabularyPlace::kRoot) {
    reader.read_vocabulary(document.get_object());
  } else {
    rest = reader.read_root(document.get_object());
  }
  const bool is_at_end = document.current_location().error() == simdjson::OUT_OF_BOUNDS;
  if (!is_at_end) throw simdjson::simdjson_error(simdjson::TRAILING_CONTENT);
  return rest;
}

}  // namespace

Json read_vocabulary_json(std::string_view text, VocabularyPlace place, VocabularyLists& lists) {
  const simdjson::padded_string padded(text);
  ondemand::parser parser;
  ondemand::document document;
  // As a whole: its encoding, its strings, nothing between them that could not be.
  if (const auto error = parser.iterate(padded).get(document)) {
    fail(ErrorCode::kInvalidData, "not valid JSON: {}", simdjson::error_message(error));
  }
  try {
    return read_document(document, text, place, lists);
  } catch (const simdjson::simdjson_error& e) {
    const char* at = nullptr;
    const bool is_known = document.current_location().get(at) == simdjson::SUCCESS;
    if (!is_known) fail(ErrorCode::kInvalidData, "not valid JSON: {}", e.what());
    fail(ErrorCode::kInvalidData, "not valid JSON at byte {}: {}", at - padded.data(), e.what());
  }
}

std::optional<std::pair<std::string, std::string>> split_merge(std::string_view line) {
  const size_t space = line.find(' ');
  if (space == 0 || space == std::string_view::npos || space + 1 == line.size())
    return std::nullopt;
  const std::string_view right = line.substr(space + 1);
  if (right.find(' ') != std::string_view::npos) return std::nullopt;
  return std::pair(std::string(line.substr(0, space)), std::string(right));
}

}  // namespace inkstone
