#include "corpus/prepare/prepare.h"

#include <fmt/ranges.h>

#include <limits>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/file.h"
#include "corpus/read/byte_source.h"
#include "corpus/prepare/corpus_encoder.h"
#include "corpus/folder_layout.h"
#include "corpus/prepare/output_folder.h"
#include "corpus/prepare/prepare_report.h"
#include "corpus/prepare/scan.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// What a shard's header can count.
constexpr int64_t kMaxShardTokens = std::numeric_limits<int32_t>::max();
// GPT-2's context: fewer tokens than this do not fill one window.
constexpr int64_t kUsualContext = 1024;
// Left-out files that an error names.
constexpr size_t kNamedFiles = 10;

void validate(const PrepareOptions& options) {
  if (options.inputs.empty()) fail(ErrorCode::kUsage, "no input is named, expected files, folders or '-'");
  if (options.output.empty()) fail(ErrorCode::kUsage, "no output folder is named");
  if (!(options.val_fraction >= 0 && options.val_fraction < 1)) {
    fail(ErrorCode::kUsage, "the validation fraction is {}, expected at least 0 and less than 1",
         options.val_fraction);
  }
  if (options.shard_tokens < 1 || options.shard_tokens > kMaxShardTokens) {
    fail(ErrorCode::kUsage, "the shard size is {} tokens, expected 1 to {}", options.shard_tokens,
         kMaxShardTokens);
  }
}

// Copies what can be read only once into a file; of a stream that is no text, only the beginning. Returns why
// it cannot be read, "" if it can; throws when the copy cannot be written.
std::string spool(const fs::path& from, const fs::path& to) {
  AtomicFile file(to);
  std::optional<ByteSource> source;
  std::string block(size_t{1} << 20, '\0');
  for (bool at_head = true;; at_head = false) {
    size_t n = 0;
    try {
      if (!source) source.emplace(from);
      n = source->read(block.data(), block.size());
    } catch (const Error& e) {
      return fmt::format("unreadable: {}", e.what());
    }
    const std::string_view text = std::string_view(block).substr(0, n);
    file.write(text);
    if (n < block.size() || (at_head && !reason_against(text.substr(0, kHead_bytes)).empty())) break;
  }
  file.commit();
  return "";
}

// The files to read: those found, with copies in place of standard input and pipes.
std::vector<CorpusFile> readable_files(const std::vector<fs::path>& paths, const fs::path& scratch,
                                       std::vector<DroppedDocument>& dropped) {
  std::vector<CorpusFile> files;
  for (const fs::path& path : paths) {
    CorpusFile file{.path = path, .source = path == "-" ? "standard input" : path.string()};
    std::error_code ignored;
    if (path == "-" || !fs::is_regular_file(path, ignored)) {
      file.path = scratch / fmt::format("{:06}", files.size());
      if (std::string reason = spool(path, file.path); !reason.empty()) {
        dropped.push_back({file.source, std::move(reason)});
        continue;
      }
    }
    files.push_back(std::move(file));
  }
  return files;
}

[[noreturn]] void fail_without_text(const std::vector<fs::path>& inputs,
                                    const std::vector<DroppedDocument>& dropped) {
  if (dropped.empty()) {
    std::vector<std::string> names;
    for (const fs::path& input : inputs) names.push_back(fmt::format("'{}'", input.string()));
    fail(ErrorCode::kInvalidData, "no text found: there is no file in {}", fmt::join(names, ", "));
  }
  std::vector<std::string> named;
  for (const DroppedDocument& d : dropped) {
    if (named.size() == kNamedFiles) break;
    named.push_back(fmt::format("'{}' ({})", d.source, d.reason));
  }
  const size_t more = dropped.size() - named.size();
  fail(ErrorCode::kInvalidData, "no text found: all was left out: {}{}", fmt::join(named, ", "),
       more > 0 ? fmt::format(" and {} more", more) : "");
}

std::vector<std::string> warnings_of(const CorpusScan& scan, const PrepareReport& report,
                                     const PrepareOptions& options, const Tokenizer& tokenizer) {
  std::vector<std::string> warnings;
  if (report.val.tokens == 0 && options.val_fraction > 0) {
    warnings.push_back("the validation part is empty: the text is too short to be divided");
  }
  if (report.train.tokens <= kUsualContext) {
    warnings.push_back(fmt::format("the training part has {} tokens, less than one context of {}",
                                   report.train.tokens, kUsualContext));
  }
  if (!tokenizer.end_of_text() && report.documents_in > 1) {
    warnings.push_back(fmt::format("the tokenizer has no {}: nothing marks where a document ends", kEndOfText));
  }
  if (scan.invalid_utf8_documents > 0) {
    warnings.push_back(fmt::format("{} documents are not valid UTF-8; their bytes are kept as they are",
                                   scan.invalid_utf8_documents));
  }
  if (scan.inline_marks > 0) {
    warnings.push_back(fmt::format(
        "{} documents have {} inside a line, where it is text: only a line of its own separates documents",
        scan.inline_marks, kEndOfText));
  }
  return warnings;
}

void add_shards(SplitReport& split, SplitWriter& writer) {
  split.shard_files = writer.finish();
  split.shards = static_cast<int64_t>(split.shard_files.size());
}

PrepareReport report_of(const CorpusScan& scan) {
  PrepareReport report;
  report.files = static_cast<int64_t>(scan.files.size());
  report.documents_in = static_cast<int64_t>(scan.validates.size());
  report.bytes_in = scan.bytes;
  report.invalid_utf8_documents = scan.invalid_utf8_documents;
  report.single_document = scan.validates.size() == 1;
  return report;
}

// Encodes into `folder`: shards and tokenizer.
void write_tokens(const CorpusScan& scan, const PrepareOptions& options, const Tokenizer& tokenizer,
                  const fs::path& folder, const OnEncoded& on_encoded, PrepareReport& report) {
  const ShardOptions shards{.bits = tokenizer.vocab_size() <= 65536 ? 16 : 32,
                            .shard_tokens = options.shard_tokens};
  SplitWriters writers{.train = SplitWriter(folder, std::string(kTrainSplit), shards),
                       .val = SplitWriter(folder, std::string(kValidationSplit), shards)};
  EncodeOptions encode;
  if (report.single_document) {
    encode.training_characters = training_characters(scan.characters, options.val_fraction);
  }
  SplitReports reports = encode_corpus(scan, tokenizer, encode, writers, on_encoded);
  report.train = std::move(reports.train);
  report.val = std::move(reports.val);
  add_shards(report.train, writers.train);
  add_shards(report.val, writers.val);
  report.bytes_per_token =
      static_cast<double>(report.bytes_in) / static_cast<double>(report.train.tokens + report.val.tokens);
  tokenizer.save(folder);
}

}  // namespace

PrepareReport prepare(const PrepareOptions& options, const Tokenizer& tokenizer,
                      const std::function<void(const PrepareProgress&)>& on_progress) {
  using Stage = PrepareProgress::Stage;
  const auto progress = [&](const PrepareProgress& p) {
    if (on_progress) on_progress(p);
  };
  validate(options);
  std::vector<DroppedDocument> dropped;
  const auto paths = list_inputs(options.inputs, &dropped, options.output);
  OutputFolder folder(options.output);
  const auto files = readable_files(paths, folder.scratch(), dropped);

  CorpusScan scan = scan_corpus(files, options.val_fraction, [&](int64_t bytes) {
    progress({.bytes_done = bytes, .bytes_total = 0, .tokens = 0, .stage = Stage::kScanning});
  });
  dropped.insert(dropped.end(), scan.dropped.begin(), scan.dropped.end());
  if (scan.validates.empty()) fail_without_text(options.inputs, dropped);

  PrepareReport report = report_of(scan);
  const auto on_encoded = [&](int64_t bytes, int64_t tokens) {
    progress({.bytes_done = bytes, .bytes_total = scan.bytes, .tokens = tokens, .stage = Stage::kEncoding});
  };
  write_tokens(scan, options, tokenizer, folder.staged(), on_encoded, report);
  report.warnings = warnings_of(scan, report, options, tokenizer);
  report.dropped = std::move(dropped);
  write_prepare_report(folder.staged(), options, tokenizer, report);
  folder.publish();
  return report;
}

}  // namespace inkstone
