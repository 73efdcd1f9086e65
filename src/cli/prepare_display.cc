#include "cli/prepare_display.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/clock.h"
#include "base/message.h"
#include "cli/reading_options.h"

namespace inkstone::cli {
namespace {

std::string megabytes(int64_t bytes) {
  return fmt::format("{:.2f} MB", static_cast<double>(bytes) / 1e6);
}

// Some examples of each reason, then how many more there are.
void note_dropped(const PrepareReport& r, const std::string& output) {
  constexpr int64_t kShown = 3;
  std::map<Message, int64_t> shown;
  for (const DroppedDocument& d : r.dropped) {
    if (++shown[d.reason] > kShown) continue;
    note(message("left out: {}: {}", place_of(d), d.reason));
  }
  for (const auto& [reason, count] : r.dropped_reasons) {
    if (count.documents <= kShown) continue;
    note(message("left out: {} in all: {} ({}; more examples in {}/report.json)", count.documents,
                 reason, megabytes(count.bytes), output));
  }
}

void note_lengths(const PrepareReport& r) {
  int64_t documents = 0;
  for (const int64_t n : r.token_lengths) documents += n;
  if (documents < 2) return;
  int64_t below = 0;
  for (size_t i = 0; i < r.token_lengths.size(); ++i) {
    below += r.token_lengths[i];
    if (2 * below < documents) continue;
    note(message("half of the documents have less than {} tokens", int64_t{2} << i));
    return;
  }
}

void note_records(const PrepareReport& r) {
  if (!r.records) return;
  const int64_t trained = (r.train.spans ? r.train.spans->trained_tokens : 0) +
                          (r.val.spans ? r.val.spans->trained_tokens : 0);
  note(message("records with a completion, in the template {}: {} of {} tokens are trained",
               r.records->turns.empty() ? Message(marked("of your own")) : r.records->turns,
               trained, r.train.tokens + r.val.tokens));
}

std::string reading_text(const VocabularyProgress& p, double seconds) {
  const double megabytes = static_cast<double>(p.bytes_done) / 1e6;
  const std::string text = localized("reading {:.1f} MB, {:.1f} MB/s", megabytes,
                                     megabytes / seconds);
  if (p.bytes_total == 0) return text;
  return text + localized(", {:.0f} %", 100 * static_cast<double>(p.bytes_done) /
                                            static_cast<double>(p.bytes_total));
}

std::string merges_text(const VocabularyProgress& p, double seconds) {
  const double rate = static_cast<double>(p.merges) / seconds;
  return localized("merge {} of {}, {:.0f} a second, at most {} left", p.merges, p.merges_wanted,
                   rate, duration_text(static_cast<double>(p.merges_wanted - p.merges) / rate));
}

}  // namespace

std::string place_of(const DroppedDocument& d) {
  const std::string source = shown_source(d.source);
  return d.document > 0 ? fmt::format("{} #{}", source, d.document) : source;
}

PrepareProgressLine::PrepareProgressLine(StatusLine& status)
    : status_(status), stage_start_(seconds_now()) {}

void PrepareProgressLine::operator()(const PrepareProgress& p) {
  const double now = seconds_now();
  if (p.stage != stage_) restart(p, now);
  if (now - shown_ < 0.2) return;
  shown_ = now;
  status_.show(text(p, now - stage_start_));
}

void PrepareProgressLine::restart(const PrepareProgress& p, double now) {
  stage_ = p.stage;
  stage_start_ = now;
  bytes_before_ = p.bytes_done;
  tokens_before_ = p.tokens;
}

std::string PrepareProgressLine::text(const PrepareProgress& p, double seconds) const {
  seconds = std::max(seconds, 1e-3);
  const double done = static_cast<double>(p.bytes_done), total = static_cast<double>(p.bytes_total);
  const double rate = (done - static_cast<double>(bytes_before_)) / seconds;
  const bool scans = p.stage == PrepareProgress::Stage::kScanning;
  std::string text = translated(scans ? marked("reading (1 of 2)") : marked("encoding (2 of 2)"));
  if (total > 0) text += fmt::format(" {:.0f} %", 100 * done / total);
  text += localized(", {:.1f} MB, {:.1f} MB/s", done / 1e6, rate / 1e6);
  if (!scans) {
    text += localized(", {:.2f} M tokens/s",
                      static_cast<double>(p.tokens - tokens_before_) / seconds / 1e6);
  }
  if (total > 0 && rate > 0) text += localized(", {} left", duration_text((total - done) / rate));
  return text;
}

void LearningProgress::operator()(const VocabularyProgress& p) {
  const auto now = Clock::now();
  if (p.merges == 1) begin_ = now;
  if (now - shown_ < std::chrono::milliseconds(200)) return;
  shown_ = now;
  const double seconds = std::chrono::duration<double>(now - begin_).count() + 1e-9;
  status_.show(p.merges_wanted > 0 ? merges_text(p, seconds) : reading_text(p, seconds));
}

void print_prepare_report(const PrepareReport& r, const std::string& output) {
  note_dropped(r, output);
  const CharacterCounts& c = r.cleaned;
  if (c.line_ends + c.control_characters + c.invalid_sequences + r.lines_removed > 0) {
    note(
        message("cleaned: {} line ends, {} control characters removed, {} invalid sequences, "
                "{} lines removed",
                c.line_ends, c.control_characters, c.invalid_sequences, r.lines_removed));
  }
  note_sources(r.sources);
  for (const Message& warning : r.warnings) note(message("note: {}", warning));
  note_lengths(r);
  note_records(r);
  note(
      message("{}: {} of {} documents, {} of {}: {} training and {} validation tokens, {:.2f} "
              "bytes per token",
              output, r.single_document ? 1 : r.train.documents + r.val.documents - r.cut_documents,
              r.documents_in, megabytes(r.train.bytes + r.val.bytes), megabytes(r.bytes_in),
              r.train.tokens, r.val.tokens, r.bytes_per_token));
}

}  // namespace inkstone::cli
