#include "formats/safetensors_header.h"

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "base/check.h"
#include "base/error.h"
#include "base/json.h"

namespace inkstone {
namespace {

constexpr std::pair<DType, std::string_view> kTypes[] = {
    {DType::kF32, "F32"}, {DType::kBF16, "BF16"}, {DType::kF16, "F16"}, {DType::kF64, "F64"},
    {DType::kI32, "I32"}, {DType::kI64, "I64"},   {DType::kU8, "U8"},   {DType::kI8, "I8"},
    {DType::kU16, "U16"}, {DType::kBool, "BOOL"}};
// Of the format, but not of DType.
constexpr std::string_view kOtherTypes[] = {"I16",     "U32",     "U64",     "C64", "F8_E4M3",
                                            "F8_E5M2", "F8_E8M0", "F6_E2M3", "F4",  "F6_E3M2"};

DType dtype_of(std::string_view text) {
  for (const auto& [type, name] : kTypes) {
    if (text == name) return type;
  }
  if (std::ranges::find(kOtherTypes, text) != std::end(kOtherTypes)) {
    fail(ErrorCode::kUnsupported, "elements of type {} are not supported", text);
  }
  fail(ErrorCode::kInvalidData, "unknown element type '{}'", text);
}

// Receives the events of nlohmann's parser, which keeps its own stack: no input makes it recurse. A
// document tree would hide names that occur twice and look members up one by one.
class HeaderReader {
 public:
  SafetensorsHeader take() { return std::move(header_); }

  bool null() { return wrong(marked("null")); }
  bool boolean(bool) { return wrong(marked("a boolean")); }
  bool number_float(double, const std::string& text) {
    return wrong(message("the number {}", text));
  }
  bool binary(Json::binary_t&) { return wrong(marked("binary data")); }

  bool number_integer(int64_t value) { return wrong(message("the number {}", value)); }
  bool number_unsigned(uint64_t value) {
    if (place_ != Place::kNumbers || value > uint64_t{INT64_MAX}) {
      return wrong(message("the number {}", value));
    }
    numbers_.push_back(static_cast<int64_t>(value));
    return true;
  }

  bool string(const std::string& text) {
    if (place_ == Place::kMetadata) {
      header_.metadata[field_] = text;
    } else if (place_ == Place::kTensor && field_ == "dtype") {
      entry_.dtype = with_context(subject(), [&] { return dtype_of(text); });
    } else {
      return wrong(message("the string '{}'", text));
    }
    return true;
  }

  bool start_array(size_t) {
    if (place_ != Place::kTensor || field_ == "dtype") return wrong(marked("an array"));
    place_ = Place::kNumbers;
    numbers_.clear();
    return true;
  }

  bool end_array() {
    place_ = Place::kTensor;
    if (field_ == "shape") {
      entry_.shape = numbers_;
    } else {
      if (numbers_.size() != 2) return wrong(message("{} numbers", numbers_.size()));
      entry_.begin = numbers_[0];
      entry_.end = numbers_[1];
    }
    return true;
  }

  bool start_object(size_t) {
    if (place_ == Place::kStart) {
      place_ = Place::kRoot;
    } else if (place_ == Place::kRoot) {
      place_ = name_ == "__metadata__" ? Place::kMetadata : Place::kTensor;
      fields_seen_.clear();
      entry_ = {};
    } else {
      return wrong(marked("an object"));
    }
    return true;
  }

  bool key(const std::string& text) {
    if (place_ == Place::kRoot) {
      name_ = text;
      const bool twice = text == "__metadata__" ? std::exchange(metadata_seen_, true)
                                                : header_.tensors.contains(text);
      if (twice) fail(ErrorCode::kInvalidData, "header has '{}' twice", text);
      return true;
    }
    field_ = text;
    const bool known = place_ == Place::kMetadata || text == "dtype" || text == "shape" ||
                       text == "data_offsets";
    if (!known) fail(ErrorCode::kInvalidData, "{}: unknown member '{}'", subject(), text);
    if (!fields_seen_.insert(text).second) {
      fail(ErrorCode::kInvalidData, "{}: '{}' occurs twice", subject(), text);
    }
    return true;
  }

  bool end_object() {
    if (place_ == Place::kTensor) {
      for (const char* field : {"dtype", "shape", "data_offsets"}) {
        if (!fields_seen_.contains(field)) {
          fail(ErrorCode::kInvalidData, "{}: '{}' is missing", subject(), field);
        }
      }
      header_.tensors.emplace(name_, std::move(entry_));
    }
    place_ = Place::kRoot;
    return true;
  }

  bool parse_error(size_t, const std::string&, const nlohmann::detail::exception& e) {
    fail(ErrorCode::kInvalidData, "the header is not valid JSON: {}", e.what());
  }

 private:
  enum class Place { kStart, kRoot, kTensor, kMetadata, kNumbers };

  Message subject() const {
    return name_ == "__metadata__" ? Message(name_) : message("tensor '{}'", name_);
  }

  [[noreturn]] bool wrong(const Message& found) const {
    if (place_ == Place::kStart) {
      fail(ErrorCode::kInvalidData, "the header is {}, expected an object", found);
    }
    if (place_ == Place::kRoot) {
      fail(ErrorCode::kInvalidData, "{} is {}, expected an object", subject(), found);
    }
    fail(ErrorCode::kInvalidData, "{}: '{}' has {}, expected {}", subject(), field_, found,
         expected());
  }

  Message expected() const {
    if (place_ == Place::kMetadata) return marked("a string");
    if (field_ == "dtype") return marked("a type's name");
    return field_ == "shape" ? marked("an array of sizes from 0 on")
                             : marked("[begin, end], both from 0 on");
  }

  SafetensorsHeader header_;
  Place place_ = Place::kStart;
  bool metadata_seen_ = false;
  std::string name_, field_;  // keys of the root and of the object in it
  std::set<std::string> fields_seen_;
  SafetensorsHeader::Entry entry_;
  std::vector<int64_t> numbers_;
};

}  // namespace

SafetensorsHeader parse_safetensors_header(std::string_view json) {
  HeaderReader reader;
  Json::sax_parse(json, &reader);
  return reader.take();
}

std::string_view safetensors_name(DType type) {
  for (const auto& [known, name] : kTypes) {
    if (known == type) return name;
  }
  INK_CHECK(false, "element type without a name in safetensors");
  return {};
}

}  // namespace inkstone
