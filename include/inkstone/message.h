// What people are told: in English, and in the language that was set.
#pragma once

#include <compare>
#include <string>
#include <utility>
#include <vector>

namespace inkstone {

// The languages there are: "en" and those of po/.
const std::vector<std::string>& languages();

// The language of Message::shown() from now on, for the whole process: one of languages(), "en" at
// first. Call it before other threads make messages. Throws kUsage for another name.
void set_language(const std::string& name);

// A sentence, or a part of one. Its English does not depend on the language: it is what files,
// JSON and the comparisons of programs get. What is shown to people is shown().
class Message {
 public:
  Message() = default;
  // One that is in the catalogue of the language, if it has it, is shown in that language.
  Message(const char* english) : english_(english) {}
  Message(std::string english) : english_(std::move(english)) {}
  Message(std::string english, std::string shown)
      : english_(std::move(english)), shown_(std::move(shown)) {}

  const std::string& english() const { return english_; }
  std::string shown() const;
  bool empty() const { return english_.empty(); }

  // Two of the same English are the same.
  friend bool operator==(const Message& a, const Message& b) { return a.english_ == b.english_; }
  friend auto operator<=>(const Message& a, const Message& b) { return a.english_ <=> b.english_; }

 private:
  std::string english_;
  std::string shown_;  // empty: what the catalogue has for the English
};

}  // namespace inkstone
