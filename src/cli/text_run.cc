#include "cli/text_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <functional>
#include <iterator>
#include <nlohmann/json.hpp>
#include <optional>

#include "base/error.h"
#include "base/file.h"
#include "base/folder_lock.h"
#include "cli/prepare_display.h"
#include "corpus/folder_layout.h"
#include "inkstone/prepare.h"
#include "inkstone/vocabulary.h"
#include "train/run_folder.h"

namespace inkstone::cli {
namespace {
namespace fs = std::filesystem;

// A merge whose pair occurs less often is not worth a token: it would be trained on too few places.
constexpr int64_t kLeastOccurrences = 15;

fs::path tokenizer_folder(const fs::path& run) { return run / "tokenizer"; }
fs::path data_folder(const fs::path& run) { return run / "data"; }
fs::path kept_input(const fs::path& run) { return run / "text" / "standard-input"; }

// No program should read what it writes.
void refuse_run_inside_text(const TextRun& t) {
  std::error_code ignored;
  const fs::path run = fs::weakly_canonical(fs::absolute(t.run), ignored);
  for (const std::string& text : t.texts) {
    if (!fs::is_directory(text, ignored)) continue;
    const fs::path folder = fs::weakly_canonical(fs::absolute(text), ignored);
    const auto end = std::mismatch(folder.begin(), folder.end(), run.begin(), run.end()).first;
    if (end != folder.end()) continue;
    fail(ErrorCode::kUsage,
         "the run folder '{}' lies inside the text folder '{}', and would be read as text: choose "
         "another -o",
         t.run.string(), text);
  }
}

// The folder, locked, with the record of the command in it. A record that was written here goes
// again, and a folder that was made here, when the command fails before there is anything to go on
// with.
class ClaimedRun {
 public:
  ClaimedRun(const fs::path& run, const CommandRecord& command) : run_(run), lock_(claim(run)) {
    remove_unfinished(run);
    if (read_command_record(run)) {
      require_same_command(command, run);
    } else {
      require_empty();
      write_command_record(command, run);
      wrote_ = true;
    }
  }
  ~ClaimedRun() {
    if (kept_ || !wrote_) return;
    std::error_code ignored;
    const auto entries = std::distance(fs::directory_iterator(run_, ignored),
                                       fs::directory_iterator());
    if (ignored || entries != 1) return;  // something was made, or is not ours
    fs::remove(run_ / "command.json", ignored);
    if (made_) fs::remove(run_, ignored);
  }
  ClaimedRun(const ClaimedRun&) = delete;
  ClaimedRun& operator=(const ClaimedRun&) = delete;
  void keep() { kept_ = true; }

 private:
  FolderLock claim(const fs::path& run) {
    made_ = !fs::exists(run);
    if (!made_ && !fs::is_directory(run))
      fail(ErrorCode::kUsage, "'{}' is not a folder", run.string());
    make_folders(run);
    return FolderLock(run);
  }

  void require_empty() const {
    if (fs::is_empty(run_)) return;
    fail(ErrorCode::kUsage, "the run folder '{}' is not empty: it holds '{}'; choose another -o",
         run_.string(), fs::directory_iterator(run_)->path().filename().string());
  }

  fs::path run_;
  bool made_ = false, wrote_ = false, kept_ = false;
  FolderLock lock_;
};

// Nothing is kept of an empty one, so that the text can still be given.
void keep_standard_input(const fs::path& kept, const TrainDisplay& display) {
  std::optional<AtomicFile> file;
  std::array<char, 1 << 16> bytes{};
  for (ssize_t n = 0; (n = ::read(STDIN_FILENO, bytes.data(), bytes.size())) != 0;) {
    if (display.stop_requested()) throw Interrupted{};
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) fail(ErrorCode::kInputOutput, "cannot read standard input: {}", errno_text(errno));
    if (!file) {
      make_folders(kept.parent_path());
      file.emplace(kept);
    }
    file->write(bytes.data(), static_cast<size_t>(n));
  }
  if (!file) {
    fail(ErrorCode::kInvalidData,
         "standard input is empty, and '-' stands for it: give it the text");
  }
  file->commit();
}

// Standard input as a file of the run, and the other inputs as they are.
// As the record names them, so that they are the same from whatever folder the run is gone on with.
std::vector<fs::path> inputs_of(const TextRun& t, const CommandRecord& command,
                                const TrainDisplay& display) {
  const std::vector<std::string>& texts = command.given.at("TEXT");
  std::vector<fs::path> inputs(texts.begin(), texts.end());
  const fs::path kept = kept_input(t.run);
  for (fs::path& input : inputs) {
    if (input != "-") continue;
    if (!fs::exists(kept)) keep_standard_input(kept, display);
    input = kept;
  }
  return inputs;
}

void tell_vocabulary(const LearntVocabulary& learnt, TrainDisplay& display) {
  const VocabularyReport& r = learnt.report;
  display.say(message("vocabulary: {} tokens, learnt from {} documents, {:.2f} MB",
                      learnt.tokenizer.vocab_size(), r.documents,
                      static_cast<double>(r.bytes) / 1e6));
  display.event({{"event", "vocabulary"},
                 {"vocab_size", learnt.tokenizer.vocab_size()},
                 {"documents", r.documents},
                 {"bytes", r.bytes}});
}

Tokenizer learn(const TextRun& t, const std::vector<fs::path>& inputs, TrainDisplay& display) {
  VocabularyOptions options;
  options.inputs = inputs;
  options.read = t.read;
  options.clean = t.clean;
  options.train.runtime = make_runtime();
  options.train.vocab_size = t.vocab_size;
  options.train.min_frequency = kLeastOccurrences;
  LearningProgress progress(display.status());
  const LearntVocabulary learnt = learn_vocabulary(
      options,
      {.on_progress = std::ref(progress), .stop = [&] { return display.stop_requested(); }});
  const fs::path folder = tokenizer_folder(t.run), temporary = temporary_beside(folder);
  learnt.tokenizer.save(temporary);
  sync_folder(temporary);
  fs::rename(temporary, folder);
  sync_folder(t.run);
  tell_vocabulary(learnt, display);
  return learnt.tokenizer;
}

Tokenizer tokenizer_of(const TextRun& t, const std::vector<fs::path>& inputs,
                       TrainDisplay& display) {
  if (!t.tokenizer.empty()) return Tokenizer::load(t.tokenizer);
  if (fs::exists(tokenizer_folder(t.run))) return Tokenizer::load(tokenizer_folder(t.run));
  return learn(t, inputs, display);
}

bool is_prepared(const fs::path& data) {
  return fs::exists(data / kReportName) && !fs::exists(data / kWorkName);
}

void make_shards(const TextRun& t, const std::vector<fs::path>& inputs, const Tokenizer& tokenizer,
                 TrainDisplay& display) {
  PrepareOptions options;
  options.inputs = inputs;
  options.output = data_folder(t.run);
  options.read = t.read;
  options.turns = t.turns;
  options.clean = t.clean;
  options.val_fraction = t.val_fraction;
  options.runtime = make_runtime();
  PrepareProgressLine progress(display.status());
  const PrepareReport report = prepare(
      options, tokenizer,
      {.on_progress = std::ref(progress), .stop = [&] { return display.stop_requested(); }});
  display.status().clear();
  if (display.json()) {
    Json event = {{"event", "prepared"}};
    event.update(read_json(options.output / kReportName));
    display.event(event);
  } else {
    print_prepare_report(report, options.output.string());
  }
}

}  // namespace

fs::path prepare_text_run(const TextRun& t, const CommandRecord& command, TrainDisplay& display) {
  refuse_run_inside_text(t);
  const fs::path data = data_folder(t.run);
  ClaimedRun claimed(t.run, command);
  try {
    if (!is_prepared(data)) {
      const std::vector<fs::path> inputs = inputs_of(t, command, display);
      make_shards(t, inputs, tokenizer_of(t, inputs, display), display);
    }
  } catch (const Interrupted&) {
    claimed.keep();
    throw;
  }
  claimed.keep();
  return data;
}

void tell_newer_texts(const fs::path& run, const CommandRecord& command, TrainDisplay& display) {
  const auto texts = command.given.find("TEXT");
  if (texts == command.given.end() || !is_prepared(data_folder(run))) return;
  const auto made = fs::last_write_time(data_folder(run) / kReportName);
  for (const std::string& text : texts->second) {
    std::error_code ignored;
    if (!fs::is_regular_file(text, ignored) || fs::last_write_time(text, ignored) <= made) continue;
    display.say(
        message("inkstone: note: '{}' is newer than the shards that were made of it: the run goes "
                "on with these; for the text as it is now choose another -o",
                text));
  }
}

}  // namespace inkstone::cli
