// One table of options for a plain struct: each has a name, a range, a help text and the member
// that holds it (whose initialiser is its default). Checks, the command line, files and documents
// come from it.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <limits>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "base/json.h"

namespace inkstone {

struct WholeRange {
  int64_t low = 0;
  int64_t high = std::numeric_limits<int64_t>::max();  // then messages say "or more"
};

// [low, high], without its ends where these are open. NaN is in no range.
struct NumberRange {
  static constexpr double kNoLimit = 1e9;  // more than any option means; messages say "or more"
  double low = 0, high = kNoLimit;
  bool above_low = false, below_high = false;  // the end itself is not allowed
};

// "1 or more", "0 to below 1", "a number above 0".
Message range_text(const WholeRange& range);
Message range_text(const NumberRange& range);
// "one number or LOW:HIGH, each 0 to 1"
Message interval_text(const NumberRange& range);
bool contains(const NumberRange& range, double value);

// What is different in one of the commands that share a table.
struct OptionInCommand {
  const char* command = nullptr;  // null: nothing is
  // The default there, as it would be typed; "": it follows from the rest, and `help` says how;
  // null: the same.
  const char* value = nullptr;
  const char* help = nullptr;  // marked(); null: the same
};

struct OptionInfo {
  const char* name = "";         // "top-k": --top-k on the command line, "top_k" in a file
  const char* help = "";         // marked()
  const char* letter = nullptr;  // of the short form, such as "n"
  const char* type = nullptr;    // what help calls the value, such as "N"; null: by its type
  bool when_given = true;        // of a switch: what the member becomes when it is given
  // Not given, the value follows from the rest, and the help says how: no default is shown.
  bool derived = false;
  // The only one of the commands that share the table which takes it; "": none, it is set by
  // programs and stands in files.
  const char* only_in = nullptr;
  OptionInCommand in = {};
  // Files that lack the option were written when this was its default; null: when today's was.
  const char* default_before = nullptr;
  // False: it says what is told on the way and when, and changes nothing of what comes out.
  bool affects_result = true;
  const char* group = nullptr;  // its heading in help and documents: see OptionTable::group
};

// A value that is one of named choices.
struct BoundChoice {
  std::vector<std::string_view> names;
  std::function<size_t()> get;
  std::function<void(size_t)> set;

  std::string_view name() const { return names[get()]; }
  // False, and nothing is set: there is no choice of this name.
  bool set_name(std::string_view name) const;
};

// The names of an enumeration, each value once.
template <typename Enum, size_t N>
using ChoiceNames = std::array<std::pair<Enum, std::string_view>, N>;

template <typename Enum, size_t N>
BoundChoice bind_choice(Enum& value, const ChoiceNames<Enum, N>& names) {
  BoundChoice choice;
  for (const auto& [known, name] : names) choice.names.push_back(name);
  choice.get = [&value, names] {
    const auto found = std::ranges::find(names, value, &std::pair<Enum, std::string_view>::first);
    return static_cast<size_t>(found - names.begin());
  };
  choice.set = [&value, names](size_t index) { value = names[index].first; };
  return choice;
}

// An option and where its value lies in one struct.
struct BoundOption {
  OptionInfo info;
  std::variant<std::monostate, WholeRange, NumberRange> range = {};  // of numbers
  // A pair is the ends of an interval: 0.05:0.15, or one number for both.
  std::variant<int64_t*, uint64_t*, double*, std::pair<double, double>*, std::vector<double>*,
               bool*, std::string*, std::vector<std::string>*, BoundChoice>
      value;
  bool in_effect = true;  // false: the struct's other options make it mean nothing
};

// A line is added by add(); what follows from the member's type:
//   int64_t, double, std::pair<double, double>: a number, or an interval, in the range;
//   uint64_t: a seed; bool: a switch; std::string: text; std::vector<std::string>: texts, given
//   one by one; std::vector<double>: numbers with commas between them;
//   an enumeration: one of the names.
template <typename Struct>
class OptionTable {
 public:
  OptionTable& add(const OptionInfo& info, int64_t Struct::*member, const WholeRange& range) {
    return push(info, range, member);
  }
  OptionTable& add(const OptionInfo& info, double Struct::*member, const NumberRange& range) {
    return push(info, range, member);
  }
  OptionTable& add(const OptionInfo& info, std::pair<double, double> Struct::*member,
                   const NumberRange& range) {
    return push(info, range, member);
  }
  template <typename Value>
  OptionTable& add(const OptionInfo& info, Value Struct::*member) {
    static_assert(!std::is_same_v<Value, int64_t> && !std::is_same_v<Value, double>,
                  "a number has a range");
    return push(info, std::monostate(), member);
  }
  template <typename Enum, size_t N>
  OptionTable& add(const OptionInfo& info, Enum Struct::*member,
                   const ChoiceNames<Enum, N>& names) {
    return push_row([info, member, names](Struct& options) {
      return BoundOption{.info = info, .value = bind_choice(options.*member, names)};
    });
  }
  // The last one means something only where this holds of the others.
  OptionTable& only_if(std::function<bool(const Struct&)> holds) {
    rows_.back() = [row = rows_.back(), holds = std::move(holds)](Struct& options) {
      BoundOption option = row(options);
      option.in_effect = holds(options);
      return option;
    };
    return *this;
  }
  // The heading of those that are added after it.
  OptionTable& group(const char* heading) {
    group_ = heading;
    return *this;
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
    return push_row([info, range, member](Struct& options) {
      return BoundOption{.info = info, .range = range, .value = &(options.*member)};
    });
  }
  template <typename Row>
  OptionTable& push_row(Row row) {
    rows_.push_back([row = std::move(row), group = group_](Struct& options) {
      BoundOption option = row(options);
      option.info.group = group;
      return option;
    });
    return *this;
  }

  const char* group_ = nullptr;
  std::vector<std::function<BoundOption(Struct&)>> rows_;
};

// Throws kUsage for a number out of its range: "top-p is 2, expected 0 to 1". `dashes` stands
// before the names of options that a command line takes.
void validate(std::span<const BoundOption> options, std::string_view dashes = "");

// The option of this name; null: there is none.
const BoundOption* find_option(std::span<const BoundOption> options, std::string_view name);

// Whether the command takes it, and as what: the info of the option in that command.
bool is_option_of(const OptionInfo& info, std::string_view command);
OptionInfo info_in(const OptionInfo& info, std::string_view command);
// Gives the options the defaults that they have in the command.
void set_defaults_of(std::string_view command, std::span<const BoundOption> options);

// Sets a number by what a user typed. Throws kUsage unless it is one, of the option's range, and
// for an option that is no number; the old value stays then.
void set_number(const BoundOption& option, std::string_view text);
// Sets any option by a text, a switch by "on" and "off", a list by its one item.
void set_text(const BoundOption& option, std::string_view text);
// The interval "0.05:0.15", or one number for both ends. False: it is none, or not within the
// range.
bool parse_interval(std::string_view text, const NumberRange& range,
                    std::pair<double, double>& interval);
// The value as it is typed; of a list the items with commas between them.
std::string value_text(const BoundOption& option);

// The option's key in files: its name with _ in the place of -.
std::string key_of(const OptionInfo& info);
// An object with all options, by their keys. Of an interval with equal ends: one number.
Json to_json(std::span<const BoundOption> options);
// Sets the options that the object has; others keep their values, or take what was their default
// before. Throws kInvalidData for a value of another type or out of range.
void from_json(std::span<const BoundOption> options, const Json& object);

}  // namespace inkstone
