// What is shown while a text is read, learnt from and made into shards.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "cli/command.h"
#include "inkstone/prepare.h"
#include "inkstone/vocabulary.h"

namespace inkstone::cli {

// "encoding 40 %, 12.3 MB/s, 3.1 M tokens/s, 30s left"
class PrepareProgressLine {
 public:
  explicit PrepareProgressLine(StatusLine& status);
  void operator()(const PrepareProgress& p);

 private:
  // What an interrupted prepare had done before does not count.
  void restart(const PrepareProgress& p, double now);

  std::string text(const PrepareProgress& p, double seconds) const;

  StatusLine& status_;
  PrepareProgress::Stage stage_ = PrepareProgress::Stage::kScanning;
  double stage_start_, shown_ = 0;
  int64_t bytes_before_ = 0, tokens_before_ = 0;
};

// Shows what is read, then the merges, a few times a second.
class LearningProgress {
 public:
  explicit LearningProgress(StatusLine& status) : status_(status) {}

  void operator()(const VocabularyProgress& p);

 private:
  using Clock = std::chrono::steady_clock;

  StatusLine& status_;
  Clock::time_point begin_ = Clock::now(), shown_ = begin_;
};

// "corpus.zip/inner/name.txt #3"
std::string place_of(const DroppedDocument& dropped);

// What became of the text, in lines for people.
void print_prepare_report(const PrepareReport& report, const std::string& output);

}  // namespace inkstone::cli
