#include "corpus/read/document_source.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstring>
#include <optional>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/read/archive.h"
#include "corpus/read/charset.h"
#include "corpus/read/gzip_stream.h"
#include "corpus/read/html_text.h"
#include "corpus/read/record_reader.h"

namespace inkstone {
namespace {

// The first name of a format is the one to show.
constexpr std::pair<const char*, InputFormat> kFormats[] = {
    {"auto", InputFormat::kAuto},     {"text", InputFormat::kText},
    {"markdown", InputFormat::kText}, {"jsonl", InputFormat::kJsonLines},
    {"json", InputFormat::kJson},     {"csv", InputFormat::kCsv},
    {"tsv", InputFormat::kTsv},       {"html", InputFormat::kHtml}};

constexpr std::pair<std::string_view, InputFormat> kEndings[] = {
    {".jsonl", InputFormat::kJsonLines}, {".ndjson", InputFormat::kJsonLines},
    {".json", InputFormat::kJson},       {".csv", InputFormat::kCsv},
    {".tsv", InputFormat::kTsv},         {".html", InputFormat::kHtml},
    {".htm", InputFormat::kHtml},        {".xhtml", InputFormat::kHtml}};

constexpr std::string_view kCompressions[] = {".gz", ".xz", ".zst", ".bz2"};

std::string lower_case(std::string_view text) {
  std::string lower(text);
  for (char& c : lower) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
  return lower;
}

InputFormat format_of(std::string_view path, std::string_view head) {
  std::string name = lower_case(path);
  for (const std::string_view ending : kCompressions) {
    if (name.ends_with(ending)) {
      name.resize(name.size() - ending.size());
      break;
    }
  }
  for (const auto& [ending, format] : kEndings) {
    if (name.ends_with(ending)) return format;
  }
  return looks_like_html(head) ? InputFormat::kHtml : InputFormat::kText;
}

// A stream whose first bytes have been looked at.
class HeadedStream {
 public:
  explicit HeadedStream(ReadBytes read) : read_(std::move(read)) {
    read_more(read_, kHead_bytes, head_);
  }

  std::string_view head() const { return head_; }
  void skip(size_t size_bytes) { at_ = size_bytes; }

  size_t read(char* out, size_t size_bytes) {
    const size_t from_head = std::min(head_.size() - at_, size_bytes);
    std::memcpy(out, head_.data() + at_, from_head);
    at_ += from_head;
    return from_head == size_bytes ? from_head
                                   : from_head + read_(out + from_head, size_bytes - from_head);
  }

 private:
  ReadBytes read_;
  std::string head_;
  size_t at_ = 0;
};

// Bytes that may fail in the middle: failure is an end, with a reason to report. `read` may give
// fewer bytes than wanted, and then fail at its next call; 0 is the end.
struct GuardedBytes {
  ReadBytes read;
  int64_t bytes = 0;
  std::string why_ended = "";
  bool ended = false;

  size_t operator()(char* out, size_t size_bytes) {
    size_t done = 0;
    try {
      while (done < size_bytes && !ended) {
        const size_t step = read(out + done, size_bytes - done);
        ended = step == 0;
        done += step;
      }
    } catch (const Error& e) {
      ended = true;
      why_ended = e.what();
    }
    bytes += static_cast<int64_t>(done);
    return done;
  }
};

// One file, or one member of an archive.
class MemberReader {
 public:
  virtual ~MemberReader() = default;
  virtual bool next(DocumentPiece& piece) = 0;
  virtual int64_t document() const = 0;  // the number of the current one
  virtual int64_t replaced() const = 0;
  virtual SourceFacts facts(const std::string& source) const = 0;  // at its end
};

SourceFacts facts_of(const std::string& source, const Utf8Stream& stream) {
  return {.source = source,
          .encoding = stream.encoding().empty() ? "UTF-8" : stream.encoding(),
          .certainty = stream.certainty()};
}

using OnRecord = std::function<void(int64_t document, const std::string& reason)>;

int64_t count_replacements(std::string_view text) {
  int64_t count = 0;
  for (size_t at = text.find(kReplacementCharacter); at != text.npos;
       at = text.find(kReplacementCharacter, at + kReplacementCharacter.size())) {
    ++count;
  }
  return count;
}

// Plain text. What could not be decoded is counted by its U+FFFD: the text is decoded before it is
// cut.
class TextReader : public MemberReader {
 public:
  TextReader(std::shared_ptr<Utf8Stream> stream, const SourceHooks& hooks, OnRecord on_dropped)
      : stream_(std::move(stream)),
        reader_([stream = stream_](char* out, size_t n) { return stream->read(out, n); },
                hooks.piece_bytes, hooks.blank),
        on_dropped_(std::move(on_dropped)) {}

  bool next(DocumentPiece& piece) override {
    const int64_t blank = reader_.blank_documents();
    const bool found = reader_.next(piece);
    for (int64_t i = blank; i < reader_.blank_documents(); ++i) on_dropped_(++document_, "blank");
    if (!found) return false;
    if (piece.first) {
      ++document_;
      replaced_ = 0;
    }
    if (stream_->converts()) replaced_ += count_replacements(piece.text);
    return true;
  }

  int64_t document() const override { return document_; }
  int64_t replaced() const override { return replaced_; }
  SourceFacts facts(const std::string& source) const override { return facts_of(source, *stream_); }

 private:
  std::shared_ptr<Utf8Stream> stream_;
  DocumentReader reader_;
  OnRecord on_dropped_;
  int64_t document_ = 0, replaced_ = 0;
};

// Records, each a document.
class RecordDocuments : public MemberReader {
 public:
  RecordDocuments(std::unique_ptr<RecordReader> records, std::shared_ptr<Utf8Stream> stream,
                  OnRecord on_dropped)
      : records_(std::move(records)),
        stream_(std::move(stream)),
        on_dropped_(std::move(on_dropped)) {}

  bool next(DocumentPiece& piece) override {
    while (at_ == record_.text.size()) {
      if (!next_record()) return false;
    }
    const std::string_view rest = std::string_view(record_.text).substr(at_);
    const size_t end = piece_size(rest);
    piece = {.text = rest.substr(0, end), .first = at_ == 0, .last = end == rest.size()};
    at_ += end;
    return true;
  }

  int64_t document() const override { return document_; }
  int64_t replaced() const override { return record_.replaced; }
  SourceFacts facts(const std::string& source) const override {
    SourceFacts facts = stream_ ? facts_of(source, *stream_) : records_->facts(source);
    facts.notes = records_->notes();
    return facts;
  }

 private:
  // False at the end. The record is empty if it gives no document.
  bool next_record() {
    at_ = 0;
    record_.text.clear();
    if (!records_->next(record_)) return false;
    ++document_;
    if (record_.why_not.empty() && is_blank(record_.text)) record_.why_not = "blank";
    if (!record_.why_not.empty()) {
      on_dropped_(document_, record_.why_not);
      record_.text.clear();
    } else if (stream_ && stream_->converts()) {
      record_.replaced = std::max(record_.replaced, count_replacements(record_.text));
    }
    return true;
  }

  std::unique_ptr<RecordReader> records_;
  std::shared_ptr<Utf8Stream> stream_;  // null where the records are decoded already
  OnRecord on_dropped_;
  Record record_;
  size_t at_ = 0;  // of record_.text, what has been returned
  int64_t document_ = 0;
};

CsvOptions csv_options(InputFormat format, const ReadOptions& options) {
  const std::string told = format == InputFormat::kTsv ? "\t" : ",;\t|";
  return {.column = options.csv_column,
          .delimiters = options.csv_delimiter == 0 ? told : std::string(1, options.csv_delimiter),
          .header = options.csv_header};
}

std::unique_ptr<RecordReader> open_records(InputFormat format, const ReadOptions& options,
                                           ReadBytes read) {
  switch (format) {
    case InputFormat::kJsonLines:
      return open_json(std::move(read), options.json_field, JsonFraming::kLines);
    case InputFormat::kJson:
      return open_json(std::move(read), options.json_field, JsonFraming::kAny);
    default: return open_csv(std::move(read), csv_options(format, options));
  }
}

// The reader for what `stream` holds; null with a reason when it holds no text.
std::unique_ptr<MemberReader> open_member(const std::string& name,
                                          const std::shared_ptr<HeadedStream>& stream,
                                          const ReadOptions& options, const SourceHooks& hooks,
                                          OnRecord on_dropped, std::string& why_not) {
  const TextStart start = examine_text(stream->head(), options.encoding);
  why_not = start.why_not;
  if (!why_not.empty()) return nullptr;
  const InputFormat format = options.format != InputFormat::kAuto
                                 ? options.format
                                 : format_of(name, stream->head().substr(start.mark_bytes));
  stream->skip(start.mark_bytes);
  ReadBytes raw = [stream](char* out, size_t n) { return stream->read(out, n); };
  if (format == InputFormat::kHtml) {
    return std::make_unique<RecordDocuments>(open_html(std::move(raw), start.encoding), nullptr,
                                             std::move(on_dropped));
  }
  auto text = std::make_shared<Utf8Stream>(std::move(raw), start.encoding, hooks.neighbours);
  if (format == InputFormat::kText)
    return std::make_unique<TextReader>(std::move(text), hooks, std::move(on_dropped));
  ReadBytes decoded = [text](char* out, size_t n) { return text->read(out, n); };
  return std::make_unique<RecordDocuments>(open_records(format, options, std::move(decoded)), text,
                                           std::move(on_dropped));
}

// A file: what it is shows in its first bytes.
class FileSource : public DocumentSource {
 public:
  FileSource(std::string name, ReadBytes read, ReadOptions options, SourceHooks hooks)
      : name_(std::move(name)),
        options_(std::move(options)),
        hooks_(std::move(hooks)),
        raw_{.read = std::move(read)} {}

  bool next(DocumentPiece& piece) override {
    if (!started_) start();
    while (member_ || open_next_member()) {
      if (member_->next(piece)) {
        document_ = member_->document();
        replaced_ = member_->replaced();
        return true;
      }
      close_member();
    }
    return false;
  }

  SourcePlace place() const override { return {source_, document_}; }
  int64_t replaced() const override { return replaced_; }
  int64_t bytes_read() const override { return raw_.bytes; }

 private:
  void start() {
    started_ = true;
    source_ = name_;
    auto stream = std::make_shared<HeadedStream>(
        [this](char* out, size_t n) { return raw_(out, n); });
    if (container_name(stream->head()).empty()) {
      pending_ = std::move(stream);
    } else {
      open_archive(std::move(stream));
    }
  }

  void open_archive(std::shared_ptr<HeadedStream> stream) {
    const bool gzip = container_name(stream->head()) == "gzip";
    ReadBytes read = [stream = std::move(stream)](char* out, size_t n) {
      return stream->read(out, n);
    };
    try {
      if (gzip) {
        gzip_ = std::make_shared<GzipStream>(std::move(read));
        read = [gzip = gzip_](char* out, size_t n) { return gzip->read_some(out, n); };
      }
      archive_ = std::make_unique<Archive>(std::move(read));
    } catch (const Error& e) {
      drop_source(name_, e.what());
    }
  }

  // False when the input has no more.
  bool open_next_member() {
    for (;;) {
      if (pending_) {
        open(name_, std::exchange(pending_, nullptr));
      } else if (!archive_ || !open_archive_member()) {
        return false;
      }
      if (member_) return true;
    }
  }

  // False at the archive's end. member_ stays empty when the member is left out.
  bool open_archive_member() {
    Archive::Member found;
    try {
      if (!archive_->next(found)) return end_archive();
    } catch (const Error& e) {
      drop_source(name_, reason_of_end(e.what()));
      archive_.reset();
      return false;
    }
    ++members_;
    source_ = found.name.empty() ? name_ : name_ + "/" + found.name;
    if (found.name.ends_with('/')) return true;  // a folder is nothing to report
    if (!found.why_not.empty()) return drop_source(source_, found.why_not), true;
    content_ = {.read = [this](char* out, size_t n) { return archive_->read_some(out, n); }};
    auto stream = std::make_shared<HeadedStream>(
        [this](char* out, size_t n) { return content_(out, n); });
    if (const auto inner = container_name(stream->head()); !inner.empty()) {
      drop_source(source_,
                  fmt::format("{} inside {}; unpack it first", inner, container_here(found)));
    } else {
      open(source_, std::move(stream));
    }
    return true;
  }

  static const char* container_here(const Archive::Member& member) {
    return member.name.empty() ? "a compressed file" : "an archive";
  }

  bool end_archive() {
    try {
      // A tar archive ends before its file: the checksum is still to come.
      std::array<char, 4096> rest;
      while (gzip_ && gzip_->read_some(rest.data(), rest.size()) > 0) continue;
    } catch (const Error& e) {
      drop_source(name_, reason_of_end(e.what()));
      archive_.reset();
      return false;
    }
    if (!raw_.why_ended.empty()) {
      drop_source(name_, reason_of_end(raw_.why_ended));
    } else if (members_ == 0) {
      drop_source(name_, "empty");
    }
    archive_.reset();
    return false;
  }

  void open(const std::string& source, std::shared_ptr<HeadedStream> stream) {
    source_ = source;
    std::string why_not;
    const auto on_record = [this](int64_t document, const std::string& reason) {
      any_ = true;
      hooks_.on_dropped({source_, document}, reason);
    };
    any_ = false;
    member_ = open_member(source, stream, options_, hooks_, on_record, why_not);
    if (member_) return;
    const std::string& broken = why_ended();
    drop_source(source_, broken.empty() ? why_not : reason_of_end(broken));
  }

  void close_member() {
    const bool any = any_ || member_->document() > 0;
    if (member_->document() > 0 && hooks_.on_source) hooks_.on_source(member_->facts(source_));
    member_.reset();
    if (const std::string& broken = why_ended(); !broken.empty()) {
      drop_source(source_, reason_of_end(broken));
      if (source_ == name_) archive_.reset();  // a compressed file has nothing behind it
    } else if (!any) {
      drop_source(source_, "empty");
    }
  }

  // Why the current member's bytes ended before their end.
  const std::string& why_ended() const { return archive_ ? content_.why_ended : raw_.why_ended; }

  std::string reason_of_end(const std::string& why) const {
    const bool damaged = archive_ != nullptr && raw_.why_ended.empty();
    return damaged ? why : "unreadable: " + (raw_.why_ended.empty() ? why : raw_.why_ended);
  }

  void drop_source(const std::string& source, const std::string& reason) {
    hooks_.on_dropped({source, 0}, reason);
  }

  std::string name_;
  ReadOptions options_;
  SourceHooks hooks_;
  GuardedBytes raw_;                       // the input itself
  std::unique_ptr<Archive> archive_;       // null for a plain file
  std::shared_ptr<GzipStream> gzip_;       // null for what is not in gzip
  GuardedBytes content_;                   // of the archive's current member
  std::shared_ptr<HeadedStream> pending_;  // a plain file that is not open yet
  std::unique_ptr<MemberReader> member_;
  std::string source_;
  int64_t members_ = 0, document_ = 0, replaced_ = 0;
  bool started_ = false, any_ = false;
};

}  // namespace

InputFormat parse_input_format(const std::string& name) {
  std::string known;
  for (const auto& [known_name, format] : kFormats) {
    if (name == known_name) return format;
    known += fmt::format("{}{}", known.empty() ? "" : ", ", known_name);
  }
  fail(ErrorCode::kUsage, "there is no input format '{}'; it is one of {}", name, known);
}

std::string name_of(InputFormat format) {
  for (const auto& [name, named] : kFormats) {
    if (named == format) return name;
  }
  fail(ErrorCode::kInternal, "an input format without a name");
}

std::unique_ptr<DocumentSource> open_source(const std::filesystem::path& path,
                                            const ReadOptions& options, SourceHooks hooks) {
  // Opened at the first read, so that one way reports every failure.
  auto file = std::make_shared<std::optional<ByteSource>>();
  ReadBytes read = [path, file](char* out, size_t n) {
    if (!*file) file->emplace(path);
    return (*file)->read_some(out, n);
  };
  return open_source(path.string(), std::move(read), options, std::move(hooks));
}

std::unique_ptr<DocumentSource> open_source(std::string name, ReadBytes read,
                                            const ReadOptions& options, SourceHooks hooks) {
  check_encoding(options.encoding);
  return std::make_unique<FileSource>(std::move(name), std::move(read), options, std::move(hooks));
}

}  // namespace inkstone
