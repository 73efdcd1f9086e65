#include "corpus/read/mixed_text.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <utility>

#include "base/message.h"
#include "base/utf8.h"

namespace inkstone {
namespace {

constexpr size_t kMixedBlock_bytes = 256 * 1024;
constexpr size_t kHeld_bytes = 64 * 1024;
// Of what is not valid UTF-8: less does not tell an encoding, or a known one.
constexpr size_t kLeastEvidence_bytes = 24, kLeastEvidenceOfKnown_bytes = 6;
constexpr size_t kMixedEvidence_bytes = 1200;
constexpr size_t kLookedAhead_bytes = 8 * 1024;
// A damaged text shall not be guessed at for ever.
constexpr int kMostFailedGuesses = 64;

// Behind the line's end; npos where it has none.
size_t line_end_of(std::string_view text) {
  const size_t at = text.find_first_of("\r\n");
  return at == text.npos ? at : at + 1;
}

size_t beyond_ascii(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(),
                                           [](char c) { return static_cast<uint8_t>(c) >= 0x80; }));
}

int64_t evidence_of_step(const Utf8Step& step) {
  constexpr int64_t kEvidence[] = {0, 0, 1, 3, 4};
  return kEvidence[step.size_bytes];
}

// Where a line of two encodings changes, and what of it is valid UTF-8 there.
struct ValidParts {
  size_t first_invalid = std::string_view::npos, behind_last_invalid = 0;
  int64_t before = 0, behind = 0;     // evidence
  int64_t evidence = 0, invalid = 0;  // of all that is valid; sequences that are not
};

ValidParts valid_parts(std::string_view line) {
  ValidParts parts;
  for (size_t at = 0; at < line.size();) {
    const Utf8Step step = decode_utf8(line, at);
    const size_t end = at + static_cast<size_t>(step.size_bytes);
    if (step.ok) {
      parts.behind += evidence_of_step(step);
      parts.evidence += evidence_of_step(step);
    } else {
      if (parts.first_invalid == line.npos) {
        parts.first_invalid = at;
        parts.before = parts.behind;
      }
      parts.behind_last_invalid = end;
      parts.behind = 0;
      ++parts.invalid;
    }
    at = end;
  }
  return parts;
}

bool decodes(std::string_view bytes, const std::string& encoding) {
  if (beyond_ascii(bytes) == 0) return true;
  std::string text;
  Converter converter(encoding);
  converter.add(bytes, true, text);
  return converter.replaced() == 0;
}

}  // namespace

int64_t utf8_evidence(std::string_view line) {
  int64_t evidence = 0;
  for (size_t at = 0; at < line.size();) {
    const Utf8Step step = decode_utf8(line, at);
    if (!step.ok) return -1;
    evidence += evidence_of_step(step);
    at += static_cast<size_t>(step.size_bytes);
  }
  return evidence;
}

std::string without_utf8_lines(std::string_view text) {
  std::string rest;
  while (!text.empty()) {
    const std::string_view line = text.substr(0, line_end_of(text));
    text.remove_prefix(line.size());
    const ValidParts parts = valid_parts(line);
    if (parts.invalid == 0) {
      if (parts.evidence < kUtf8Line) rest += line;
      continue;
    }
    const size_t begin = parts.before >= kUtf8Line ? parts.first_invalid : 0;
    const size_t end = parts.behind >= kUtf8Line ? parts.behind_last_invalid : line.size();
    rest += line.substr(begin, end - begin);
  }
  return rest;
}

MixedText::MixedText(ReadBytes read, EncodingGuess guess, int64_t line)
    : read_(std::move(read)),
      first_(std::move(guess.encoding)),
      certainty_(guess.certainty),
      is_utf8_(first_ == "UTF-8"),
      line_(line) {
  if (!is_utf8_) other_ = first_;
}

size_t MixedText::read(char* out, size_t size_bytes) {
  return out_.read(out, size_bytes, [this] { return make_more(); });
}

// False at the end. Blocks are cut at the same places whatever the size of the reads.
bool MixedText::make_more() {
  while (out_.text.empty() && !end_) {
    in_.erase(0, std::exchange(in_at_, 0));
    const size_t wanted = kMixedBlock_bytes - in_.size();
    end_ = read_more(read_, wanted, in_) < wanted;
    const size_t last = end_ ? in_.npos : in_.find_last_of("\r\n");
    in_at_ = last == in_.npos ? in_.size() : last + 1;
    add_block(std::string_view(in_).substr(0, in_at_), end_);
  }
  return !out_.text.empty();
}

void MixedText::add_block(std::string_view block, bool is_end) {
  if (is_utf8_ && held_.empty() && simdjson::validate_utf8(block.data(), block.size())) {
    has_given_ = true;
    line_ += std::count(block.begin(), block.end(), '\n');
    out_.text += block;
  } else {
    for (std::string_view rest = block; !rest.empty();) {
      const std::string_view line = rest.substr(0, line_end_of(rest));
      rest.remove_prefix(line.size());
      add_line(line, rest);
      line_ += line.ends_with('\n') ? 1 : 0;
    }
  }
  if (!is_end) return;
  give_held(is_utf8_);
  if (converter_) converter_->add("", true, out_.text);
}

// `rest`: what follows, as far as it is known.
void MixedText::add_line(std::string_view line, std::string_view rest) {
  if (is_utf8_) {
    add_line_in_utf8(line, rest);
  } else {
    add_line_in_other(line);
  }
}

void MixedText::add_line_in_other(std::string_view line) {
  const int64_t evidence = utf8_evidence(line);
  if (evidence >= kUtf8Line) {
    give_held(true);
    give(line, true);
  } else if (evidence > 0 || (evidence == 0 && !held_.empty())) {
    held_ += line;
    if (held_.size() > kHeld_bytes) give_held(false);
  } else if (evidence == 0) {
    give(line, false);
  } else {
    give_held(false);
    const ValidParts parts = valid_parts(line);
    const bool changes = parts.behind >= kUtf8Line;
    const size_t end = changes ? parts.behind_last_invalid : line.size();
    give(line.substr(0, end), false);
    if (changes) give(line.substr(end), true);
  }
}

void MixedText::add_line_in_utf8(std::string_view line, std::string_view rest) {
  const ValidParts parts = valid_parts(line);
  if (parts.first_invalid == line.npos) return give(line, true);
  const bool changes = parts.before >= kUtf8Line;  // inside the line
  const size_t begin = changes ? parts.first_invalid : 0;
  const bool is_other = is_in_other(line.substr(begin), rest);
  give(line.substr(0, begin), true);
  give(line.substr(begin), !is_other);
}

// A line that is not valid UTF-8.
bool MixedText::is_in_other(std::string_view line, std::string_view rest) {
  const ValidParts parts = valid_parts(line);
  // Of other encodings, some sequences of two bytes are valid by chance.
  if (2 * parts.invalid < parts.evidence || failed_guesses_ >= kMostFailedGuesses) return false;
  rest = rest.substr(0, kLookedAhead_bytes);
  std::string bytes(line);
  while (!rest.empty()) {
    const std::string_view next = rest.substr(0, line_end_of(rest));
    rest.remove_prefix(next.size());
    const int64_t evidence = utf8_evidence(next);
    if (evidence >= kUtf8Line) break;
    if (evidence < 0) bytes += next;
  }
  const std::string found = encoding_evidence(bytes);
  const size_t least = other_.empty() ? kLeastEvidence_bytes : kLeastEvidenceOfKnown_bytes;
  if (beyond_ascii(found) < least) return false;
  const EncodingGuess guess = guess_encoding(found, evidence_);
  if (other_.empty() && guess.certainty >= kSureEncoding) other_ = guess.encoding;
  if (guess.encoding == other_) return true;
  ++failed_guesses_;
  return false;
}

void MixedText::give(std::string_view bytes, bool is_utf8) {
  if (bytes.empty()) return;
  if (is_utf8 != is_utf8_) {
    if (!has_given_) {
      first_ = is_utf8 ? "UTF-8" : other_;
    } else if (changes_++ == 0) {
      first_change_line_ = line_;
    }
    if (converter_ && is_utf8) converter_->add("", true, out_.text);
    is_utf8_ = is_utf8;
  }
  has_given_ = has_given_ || beyond_ascii(bytes) > 0;
  if (is_utf8) {
    out_.text += bytes;
  } else {
    if (!converter_) converter_ = std::make_unique<Converter>(other_);
    if (evidence_.size() < kMixedEvidence_bytes)
      evidence_ += encoding_evidence(bytes, kMixedEvidence_bytes - evidence_.size());
    converter_->add(bytes, false, out_.text);
  }
}

// What is held is valid UTF-8, and so it is read where the other encoding has no characters for it.
void MixedText::give_held(bool is_utf8) {
  const std::string held = std::exchange(held_, {});
  give(held, is_utf8 || !decodes(held, other_));
}

Message MixedText::note() const {
  if (changes_ == 0) return "";
  const std::string second = first_ == "UTF-8" ? other_ : "UTF-8";
  if (changes_ == 1)
    return message("in two encodings: {}, from line {} on {}", first_, first_change_line_, second);
  return message("in two encodings: {}, from line {} on {}, and {} more changes", first_,
                 first_change_line_, second, changes_ - 1);
}

}  // namespace inkstone
