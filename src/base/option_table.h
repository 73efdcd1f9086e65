// One table of options for a plain struct: each has a name, a range, a help text and the member
// that holds it (whose initialiser is its default). Checks, the command line and files come from
// it.
#pragma once

#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace inkstone {

struct WholeRange {
  int64_t low = 0;
  int64_t high = std::numeric_limits<int64_t>::max();  // then messages say "or more"
};
struct NumberRange {
  double low = 0, high = 0;
};

struct OptionInfo {
  const char* name = "";         // "top-k": --top-k on the command line, "top_k" in a file
  const char* help = "";         // marked()
  const char* letter = nullptr;  // of the short form, such as "n"
  bool when_given = true;        // of a switch: what the member becomes when it is given
};

// An option and where its value lies in one struct.
struct BoundOption {
  OptionInfo info;
  std::variant<std::monostate, WholeRange, NumberRange> range;  // of numbers
  std::variant<int64_t*, double*, bool*, std::vector<std::string>*> value;
};

template <typename Struct>
class OptionTable {
 public:
  OptionTable& add(const OptionInfo& info, int64_t Struct::*member, const WholeRange& range) {
    return push(info, range, member);
  }
  OptionTable& add(const OptionInfo& info, double Struct::*member, const NumberRange& range) {
    return push(info, range, member);
  }
  OptionTable& add(const OptionInfo& info, bool Struct::*member) {
    return push(info, std::monostate(), member);
  }
  OptionTable& add(const OptionInfo& info, std::vector<std::string> Struct::*member) {
    return push(info, std::monostate(), member);
  }
  // The options of a struct inside.
  template <typename Part>
  OptionTable& include(Part Struct::*member, const OptionTable<Part>& table) {
    for (const auto& row : table.rows_)
      rows_.push_back([row, member](Struct& options) { return row(options.*member); });
    return *this;
  }

  // In the order of the table; valid as long as the struct.
  std::vector<BoundOption> bind(Struct& options) const {
    std::vector<BoundOption> bound;
    for (const auto& row : rows_) bound.push_back(row(options));
    return bound;
  }

 private:
  template <typename>
  friend class OptionTable;

  template <typename Range, typename Value>
  OptionTable& push(const OptionInfo& info, const Range& range, Value Struct::*member) {
    rows_.push_back([info, range, member](Struct& options) {
      return BoundOption{info, range, &(options.*member)};
    });
    return *this;
  }

  std::vector<std::function<BoundOption(Struct&)>> rows_;
};

// Throws kUsage for a number out of its range: "top-p is 2, expected 0 to 1".
void validate(std::span<const BoundOption> options);

// The option of this name; null: there is none.
const BoundOption* find_option(std::span<const BoundOption> options, std::string_view name);

// Sets a number by what a user typed. Throws kUsage unless it is one, of the option's range, and
// for an option that is no number; the old value stays then.
void set_number(const BoundOption& option, std::string_view text);

// An object with all options, by their names with _ in the place of -.
Json to_json(std::span<const BoundOption> options);
// Sets the options that the object has; others keep their values. Throws kInvalidData for a value
// of another type or out of range.
void from_json(std::span<const BoundOption> options, const Json& object);

}  // namespace inkstone
