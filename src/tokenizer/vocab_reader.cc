#include "tokenizer/vocab_reader.h"

#include <nlohmann/json.hpp>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr size_t kMaxDepth = 64;
constexpr size_t kMaxMembers = 10'000;  // of an object, as in base/json

// Receives the events of nlohmann's SAX parser.
class VocabularyHandler {
 public:
  VocabularyHandler(VocabularyPlace place, VocabularyLists& lists) : place_(place), lists_(lists) {}

  bool null() { return value(nullptr); }
  bool boolean(bool v) { return value(v); }
  bool number_integer(int64_t v) { return value(v); }
  bool number_unsigned(uint64_t v) { return value(v); }
  bool number_float(double v, const std::string&) { return value(v); }
  bool string(std::string& v);
  bool binary(Json::binary_t&) { return false; }  // JSON text has none
  bool start_object(size_t);
  bool key(std::string& v);
  bool end_object();
  bool start_array(size_t);
  bool end_array();
  bool parse_error(size_t byte, const std::string&, const nlohmann::detail::exception& e) {
    fail(ErrorCode::kInvalidData, "not valid JSON at byte {}: {}", byte, e.what());
  }

  Json take_rest() { return std::move(rest_); }

 private:
  enum class Inside { kRest, kVocabulary, kMerges, kMergePair };

  // An open object or array of the rest, and the key that awaits its value.
  struct Level {
    Json* container;
    std::string key;
  };

  bool value(Json v);
  Json& place(Json v);
  void open(Json container);
  bool is_at_model_member(std::string_view name) const;
  [[noreturn]] void fail_merge(std::string_view found) const;

  VocabularyPlace place_;
  VocabularyLists& lists_;
  Inside inside_ = Inside::kRest;
  Json rest_;
  std::vector<Level> levels_;
  std::string token_;              // key in the vocabulary
  std::vector<std::string> pair_;  // of a merge written as an array
};

// At root.model.<name>, whose value comes next.
bool VocabularyHandler::is_at_model_member(std::string_view name) const {
  return place_ == VocabularyPlace::kModel && inside_ == Inside::kRest && levels_.size() == 2 &&
         levels_[0].key == "model" && levels_[1].key == name;
}

void VocabularyHandler::fail_merge(std::string_view found) const {
  fail(ErrorCode::kInvalidData, "merge {} is {}, expected \"A B\" or [\"A\", \"B\"]",
       lists_.merges.size() + 1, found);
}

// Puts a value into the innermost open container of the rest.
Json& VocabularyHandler::place(Json v) {
  if (levels_.empty()) return rest_ = std::move(v);
  Level& level = levels_.back();
  if (level.container->is_object()) {
    // An ordered object looks each new member up among all before it.
    if (level.container->size() >= kMaxMembers) {
      fail(ErrorCode::kInvalidData, "JSON object with more than {} members", kMaxMembers);
    }
    return (*level.container)[level.key] = std::move(v);
  }
  level.container->push_back(std::move(v));
  return level.container->back();
}

void VocabularyHandler::open(Json container) {
  if (levels_.size() >= kMaxDepth)
    fail(ErrorCode::kInvalidData, "JSON nested deeper than {} levels", kMaxDepth);
  Json& placed = place(std::move(container));
  levels_.push_back({&placed, ""});
}

bool VocabularyHandler::value(Json v) {
  if (inside_ == Inside::kRest) {
    place(std::move(v));
  } else if (inside_ != Inside::kVocabulary) {
    fail_merge(v.dump());
  } else {
    if (!v.is_number_unsigned() || v.get<uint64_t>() > static_cast<uint64_t>(kMaxTokenId)) {
      fail(ErrorCode::kInvalidData, "token '{}' has the id {}, expected an integer from 0 to {}",
           token_, v.dump(), kMaxTokenId);
    }
    lists_.vocabulary.push_back({token_, v.get<TokenId>()});
  }
  return true;
}

bool VocabularyHandler::string(std::string& v) {
  if (inside_ == Inside::kMergePair) {
    pair_.push_back(std::move(v));
  } else if (inside_ == Inside::kMerges) {
    auto merge = split_merge(v);
    if (!merge) fail_merge("'" + v + "'");
    lists_.merges.push_back(*std::move(merge));
  } else {
    return value(std::move(v));
  }
  return true;
}

bool VocabularyHandler::start_object(size_t) {
  const bool is_root = place_ == VocabularyPlace::kRoot && levels_.empty() &&
                       inside_ == Inside::kRest;
  if (is_root || is_at_model_member("vocab")) {
    if (lists_.has_vocabulary) fail(ErrorCode::kInvalidData, "there are two vocabularies");
    lists_.has_vocabulary = true;
    inside_ = Inside::kVocabulary;
  } else if (inside_ == Inside::kVocabulary) {
    fail(ErrorCode::kInvalidData, "token '{}' has an object for an id, expected an integer",
         token_);
  } else if (inside_ != Inside::kRest) {
    fail_merge("an object");
  } else {
    open(Json::object());
  }
  return true;
}

bool VocabularyHandler::key(std::string& v) {
  (inside_ == Inside::kVocabulary ? token_ : levels_.back().key) = std::move(v);
  return true;
}

bool VocabularyHandler::end_object() {
  if (inside_ == Inside::kVocabulary) {
    inside_ = Inside::kRest;
  } else {
    levels_.pop_back();
  }
  return true;
}

bool VocabularyHandler::start_array(size_t) {
  if (is_at_model_member("merges")) {
    if (lists_.has_merges) fail(ErrorCode::kInvalidData, "there are two lists of merges");
    lists_.has_merges = true;
    inside_ = Inside::kMerges;
  } else if (inside_ == Inside::kMerges) {
    inside_ = Inside::kMergePair;
    pair_.clear();
  } else if (inside_ == Inside::kMergePair) {
    fail_merge("an array in an array");
  } else if (inside_ == Inside::kVocabulary) {
    fail(ErrorCode::kInvalidData, "token '{}' has an array for an id, expected an integer", token_);
  } else {
    open(Json::array());
  }
  return true;
}

bool VocabularyHandler::end_array() {
  if (inside_ == Inside::kMergePair) {
    if (pair_.size() != 2) fail_merge(fmt::format("an array of {}", pair_.size()));
    lists_.merges.emplace_back(std::move(pair_[0]), std::move(pair_[1]));
    inside_ = Inside::kMerges;
  } else if (inside_ == Inside::kMerges) {
    inside_ = Inside::kRest;
  } else {
    levels_.pop_back();
  }
  return true;
}

}  // namespace

Json read_vocabulary_json(std::string_view text, VocabularyPlace place, VocabularyLists& lists) {
  VocabularyHandler handler(place, lists);
  Json::sax_parse(text, &handler);
  return handler.take_rest();
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
