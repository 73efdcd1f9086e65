#include "corpus/read/subtitles.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "corpus/read/line_stream.h"

namespace inkstone {
namespace {

constexpr std::string_view kLineSpaces = " \t\r\n\f\v";

bool is_ascii_digit(char c) { return c >= '0' && c <= '9'; }

std::string_view trimmed_line(std::string_view line) {
  const size_t begin = line.find_first_not_of(kLineSpaces);
  if (begin == line.npos) return "";
  return line.substr(begin, line.find_last_not_of(kLineSpaces) + 1 - begin);
}

// Takes `least` to `most` digits from the front; false where there are fewer.
bool take_digits(std::string_view& text, size_t least, size_t most) {
  size_t n = 0;
  while (n < most && n < text.size() && is_ascii_digit(text[n])) ++n;
  if (n < least) return false;
  text.remove_prefix(n);
  return true;
}

bool take(std::string_view& text, std::string_view start) {
  if (!text.starts_with(start)) return false;
  text.remove_prefix(start.size());
  return true;
}

// Takes a time from the front: 00:01.500, 00:00:01,500, 0:00:01.
bool take_time(std::string_view& text) {
  if (!take_digits(text, 1, 4) || !take(text, ":") || !take_digits(text, 1, 2)) return false;
  if (take(text, ":") && !take_digits(text, 1, 2)) return false;
  if (take(text, ",") || take(text, ".")) return take_digits(text, 1, 3);
  return true;
}

// "00:00:01,000 --> 00:00:02,000", and what stands behind it.
bool is_cue_time(std::string_view line) {
  if (!take_time(line)) return false;
  line = trimmed_line(line);
  if (!take(line, "-->")) return false;
  line = trimmed_line(line);
  return take_time(line);
}

// What the end of a file leaves of such a line.
bool is_cut_time(std::string_view line) {
  return !line.empty() && is_ascii_digit(line[0]) && line.find(':') != line.npos &&
         line.find_first_not_of("0123456789:,.-> ") == line.npos;
}

bool is_cue_number(std::string_view line) {
  return !line.empty() && line.size() < 10 && std::all_of(line.begin(), line.end(), is_ascii_digit);
}

// The name of the tag that `text` begins with ("v" of "<v.loud Ann>", "1" of a time), "" for none.
std::string_view tag_name(std::string_view text) {
  take(text, "<");
  take(text, "/");
  size_t n = 0;
  while (n < text.size() &&
         ((text[n] >= 'a' && text[n] <= 'z') || (text[n] >= 'A' && text[n] <= 'Z')))
    ++n;
  if (n == 0 && !text.empty() && is_ascii_digit(text[0])) {
    std::string_view time = text;
    return take_time(time) && time.starts_with('>') ? text.substr(0, 1) : "";
  }
  return text.substr(0, n);
}

bool is_tag(std::string_view name) {
  constexpr std::string_view kTags[] = {"b",    "i",    "u",    "s",  "c",  "v",      "em",
                                        "font", "lang", "ruby", "rt", "br", "strong", "span"};
  std::string lower;
  for (const char c : name) lower += static_cast<char>(c | 0x20);
  return is_ascii_digit(name.empty() ? ' ' : name[0]) ||
         std::find(std::begin(kTags), std::end(kTags), lower) != std::end(kTags);
}

// How much of `text` from `at` on is markup, and what stands for it.
struct Markup {
  size_t size = 0;
  std::string_view text = "";
};

Markup markup_at(std::string_view text) {
  constexpr std::pair<std::string_view, std::string_view> kEscapes[] = {
      {"&amp;", "&"}, {"&lt;", "<"}, {"&gt;", ">"}, {"&nbsp;", " "}, {"&quot;", "\""},
      {"&#39;", "'"}, {"&lrm;", ""}, {"&rlm;", ""}, {"\\N", "\n"},   {"\\h", " "}};
  for (const auto& [escape, meaning] : kEscapes) {
    if (text.starts_with(escape)) return {escape.size(), meaning};
  }
  if (text[0] == '<') {
    const size_t end = text.find('>');
    const std::string_view name = tag_name(text);
    if (end == text.npos || !is_tag(name)) return {};
    if (name == "rt" && text[1] != '/')  // what is read above the line, with its end
      return {std::min(text.find("</rt>"), text.size()), ""};
    return {end + 1, name == "br" ? "\n" : ""};
  }
  const bool is_override = text.starts_with("{\\") ||
                           (text[0] == '{' && text.size() > 2 && text[2] == ':');
  const size_t end = is_override ? text.find('}') : text.npos;
  return end == text.npos ? Markup{} : Markup{end + 1, ""};
}

std::string speech_of_line(std::string_view line) {
  std::string speech;
  for (size_t at = 0; at < line.size();) {
    const size_t next = std::min(line.find_first_of("<{&\\", at), line.size());
    speech += line.substr(at, next - at);
    at = next;
    if (at == line.size()) break;
    const Markup markup = markup_at(line.substr(at));
    speech += markup.size > 0 ? markup.text : line.substr(at, 1);
    at += std::max<size_t>(markup.size, 1);
  }
  return std::string(trimmed_line(speech));
}

void add_speech(std::string_view line, std::string& out) {
  const std::string speech = speech_of_line(line);
  if (!speech.empty()) out.append(speech).append("\n");
}

// SubRip has no rules: a time is known by its form, and a number by the time behind it.
class SubRipLines {
 public:
  void add(std::string_view line, std::string& out) {
    if (is_cue_time(line) || (held_ && is_cut_time(line))) {
      if (held_) last_number_ = number_of(*held_);
      held_.reset();
      return;
    }
    give_held(out);
    if (is_cue_number(line)) {
      held_ = line;
    } else if (!is_cut_time(line) || line.find_first_of(",.") == line.npos) {
      add_speech(line, out);
    }
  }

  // A number that goes on counting is one whose time the end of the file cut off.
  void end(std::string& out) {
    if (held_ && number_of(*held_) != last_number_ + 1) give_held(out);
  }

 private:
  static int64_t number_of(std::string_view digits) {
    int64_t number = 0;
    std::from_chars(digits.data(), digits.data() + digits.size(), number);
    return number;
  }

  void give_held(std::string& out) {
    if (held_) add_speech(*held_, out);
    held_.reset();
  }

  std::optional<std::string> held_;  // perhaps a number
  int64_t last_number_ = 0;
};

// Source: https://www.w3.org/TR/webvtt1, section 4.1 and 6.
class WebVttLines {
 public:
  void add(std::string_view line, std::string& out) {
    if (is_cue_time(line)) {
      state_ = State::kCue;
    } else if (line.empty()) {
      state_ = State::kBetween;
    } else if (state_ == State::kBetween) {
      state_ = is_block(line) ? State::kSkipped : State::kName;
    } else if (state_ == State::kName) {
      state_ = State::kSkipped;
    } else if (state_ == State::kCue) {
      add_speech(line, out);
    }
  }

 private:
  enum class State { kSkipped, kBetween, kName, kCue };  // the header first

  static bool is_block(std::string_view line) {
    for (const std::string_view name : {"NOTE", "STYLE", "REGION"}) {
      if (line.starts_with(name) &&
          (line.size() == name.size() || line[name.size()] == ' ' || line[name.size()] == '\t'))
        return true;
    }
    return false;
  }

  State state_ = State::kSkipped;
};

bool is_web_vtt(std::string_view line) {
  return take(line, "WEBVTT") && (line.empty() || line[0] == ' ' || line[0] == '\t');
}

// Of either kind: the first line tells.
class SubtitleLines {
 public:
  void add(std::string_view line, std::string& out) {
    line = trimmed_line(line);
    if (!std::exchange(begun_, true) && is_web_vtt(line)) {
      web_vtt_.emplace();
    } else if (web_vtt_) {
      web_vtt_->add(line, out);
    } else {
      sub_rip_.add(line, out);
    }
  }
  void end(std::string& out) {
    if (!web_vtt_) sub_rip_.end(out);
  }

 private:
  bool begun_ = false;
  std::optional<WebVttLines> web_vtt_;
  SubRipLines sub_rip_;
};

}  // namespace

bool looks_like_subtitles(std::string_view head) {
  std::array<std::string_view, 2> lines;  // with ink
  size_t count = 0;
  for (size_t at = 0; at < head.size() && count < lines.size();) {
    const size_t end = std::min(head.find_first_of("\r\n", at), head.size());
    const std::string_view line = trimmed_line(head.substr(at, end - at));
    at = end + 1;
    if (!line.empty()) lines[count++] = line;
  }
  return is_web_vtt(lines[0]) || is_cue_time(lines[0]) ||
         (is_cue_number(lines[0]) && is_cue_time(lines[1]));
}

ReadBytes speech_of_subtitles(ReadBytes read) {
  const auto lines = std::make_shared<SubtitleLines>();
  const auto stream = std::make_shared<LineStream>(
      std::move(read), [lines](std::string_view line, std::string& out) { lines->add(line, out); },
      [lines](std::string& out) { lines->end(out); });
  return [stream](char* out, size_t size_bytes) { return stream->read(out, size_bytes); };
}

}  // namespace inkstone
