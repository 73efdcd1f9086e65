#include "corpus/read/member_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include "base/message.h"
#include "base/utf8.h"
#include "corpus/read/charset.h"
#include "corpus/read/html_text.h"
#include "corpus/read/names.h"
#include "corpus/read/package.h"
#include "corpus/read/record_reader.h"
#include "corpus/read/separators.h"
#include "corpus/read/subtitles.h"

namespace inkstone {
namespace {

constexpr std::pair<std::string_view, InputFormat> kEndings[] = {
    {".jsonl", InputFormat::kJsonLines}, {".ndjson", InputFormat::kJsonLines},
    {".json", InputFormat::kJson},       {".csv", InputFormat::kCsv},
    {".tsv", InputFormat::kTsv},         {".html", InputFormat::kHtml},
    {".htm", InputFormat::kHtml},        {".xhtml", InputFormat::kHtml}};

constexpr std::string_view kCompressions[] = {".gz", ".xz", ".zst", ".bz2"};

// A conversation is worked on as a whole.
constexpr size_t kLongestDialogue_bytes = size_t{8} << 20;

// Of a decoded text, what tells whether it is subtitles.
constexpr size_t kDecodedHead_bytes = 4096;

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
  return looks_like_html(head) ? InputFormat::kHtml : InputFormat::kAuto;
}

int64_t count_replacements(std::string_view text) {
  int64_t count = 0;
  for (size_t at = text.find(kReplacementCharacter); at != text.npos;
       at = text.find(kReplacementCharacter, at + kReplacementCharacter.size())) {
    ++count;
  }
  return count;
}

void fill_facts(SourceFacts& facts, const Utf8Stream& stream) {
  facts.encoding = stream.encoding().empty() ? "UTF-8" : stream.encoding();
  facts.certainty = stream.certainty();
  facts.notes = stream.notes();
}

// A text that may hold several documents.
class TextReader : public MemberReader {
 public:
  TextReader(ReadBytes text, const std::string& separator, const SourceHooks& hooks,
             OnRecord on_dropped)
      : reader_(divide_text(std::move(text), separator), hooks.piece_bytes, hooks.blank),
        on_dropped_(std::move(on_dropped)) {}

  bool next(DocumentPiece& piece) override {
    const int64_t blank = reader_.blank_documents();
    const bool found = reader_.next(piece);
    for (int64_t i = blank; i < reader_.blank_documents(); ++i)
      on_dropped_(++document_, marked("blank"));
    if (!found) return false;
    if (piece.first) {
      ++document_;
      replaced_ = 0;
    }
    if (converts()) replaced_ += count_replacements(piece.text);
    return true;
  }

  int64_t document() const override { return document_; }
  int64_t replaced() const override { return replaced_; }

 private:
  // What could not be decoded is counted by its U+FFFD: the text is decoded before it is cut.
  virtual bool converts() const = 0;

  DocumentReader reader_;
  OnRecord on_dropped_;
  int64_t document_ = 0, replaced_ = 0;
};

// A text file, or what is said in subtitles.
class StreamText : public TextReader {
 public:
  StreamText(std::shared_ptr<Utf8Stream> stream, ReadBytes text, const ReadOptions& options,
             const SourceHooks& hooks, OnRecord on_dropped)
      : TextReader(std::move(text), options.separator, hooks, std::move(on_dropped)),
        stream_(std::move(stream)) {}

  SourceFacts facts(const std::string& source) const override {
    SourceFacts facts{.source = source, .encoding = ""};
    fill_facts(facts, *stream_);
    return facts;
  }

 private:
  bool converts() const override { return stream_->converts(); }

  std::shared_ptr<Utf8Stream> stream_;
};

// The text of a package, which is whole.
class PackageReader : public TextReader {
 public:
  PackageReader(std::shared_ptr<const std::string> text, Message why_ended, Message notes,
                const ReadOptions& options, const SourceHooks& hooks, OnRecord on_dropped)
      : TextReader(read_from(*text), options.separator, hooks, std::move(on_dropped)),
        text_(std::move(text)),
        why_ended_(std::move(why_ended)),
        notes_(std::move(notes)) {}

  SourceFacts facts(const std::string& source) const override {
    SourceFacts facts{.source = source, .encoding = "UTF-8"};
    if (!notes_.empty()) facts.notes.push_back(notes_);
    return facts;
  }
  Message why_ended() const override { return why_ended_; }

 private:
  bool converts() const override { return true; }

  std::shared_ptr<const std::string> text_;
  Message why_ended_, notes_;
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
    if (record_.is_dialogue) {
      piece = {.text = rest, .first = true, .last = true, .is_dialogue = true};
      at_ = record_.text.size();
      return true;
    }
    const size_t end = piece_size(rest);
    piece = {.text = rest.substr(0, end), .first = at_ == 0, .last = end == rest.size()};
    at_ += end;
    return true;
  }

  int64_t document() const override { return document_; }
  int64_t replaced() const override { return record_.replaced; }
  SourceFacts facts(const std::string& source) const override {
    SourceFacts facts = records_->facts(source);
    if (stream_) fill_facts(facts, *stream_);
    for (const Message& note : records_->notes()) facts.notes.push_back(note);
    return facts;
  }

 private:
  // False at the end. The record is empty if it gives no document.
  bool next_record() {
    at_ = 0;
    record_.text.clear();
    if (!records_->next(record_)) return false;
    ++document_;
    if (record_.why_not.empty() && !record_.is_dialogue && is_blank(record_.text))
      record_.why_not = marked("blank");
    if (record_.is_dialogue && record_.text.size() > kLongestDialogue_bytes) {
      record_.why_not = message("a record longer than {} MiB", kLongestDialogue_bytes >> 20);
    }
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
          .header = options.csv_header,
          .records = options.records};
}

std::unique_ptr<RecordReader> open_records(InputFormat format, const ReadOptions& options,
                                           ReadBytes read) {
  const RecordRules rules{options.records, options.roles};
  switch (format) {
    case InputFormat::kJsonLines:
      return open_json(std::move(read), options.json_field, JsonFraming::kLines, rules);
    case InputFormat::kJson:
      return open_json(std::move(read), options.json_field, JsonFraming::kAny, rules);
    default: return open_csv(std::move(read), csv_options(format, options));
  }
}

ReadBytes bytes_of(std::shared_ptr<HeadedStream> stream) {
  return [stream = std::move(stream)](char* out, size_t n) { return stream->read(out, n); };
}

// A text, or subtitles: by what it says once it is decoded, where nothing else tells.
std::unique_ptr<MemberReader> open_text(std::shared_ptr<Utf8Stream> text, InputFormat format,
                                        const ReadOptions& options, const SourceHooks& hooks,
                                        OnRecord on_dropped) {
  ReadBytes decoded = [text](char* out, size_t n) { return text->read(out, n); };
  if (format == InputFormat::kAuto) {
    auto headed = std::make_shared<HeadedStream>(std::move(decoded), kDecodedHead_bytes);
    if (looks_like_subtitles(headed->head())) format = InputFormat::kSubtitles;
    decoded = bytes_of(std::move(headed));
  }
  if (format == InputFormat::kSubtitles) decoded = speech_of_subtitles(std::move(decoded));
  return std::make_unique<StreamText>(std::move(text), std::move(decoded), options, hooks,
                                      std::move(on_dropped));
}

std::unique_ptr<MemberReader> open_package(const std::shared_ptr<HeadedStream>& stream,
                                           const ReadOptions& options, const SourceHooks& hooks,
                                           OnRecord on_dropped, Message& why_not) {
  const Package package = read_package(bytes_of(stream));
  PackageText found = text_of_package(package);
  why_not = std::move(found.why_not);
  if (!why_not.empty()) return nullptr;
  return std::make_unique<PackageReader>(std::make_shared<const std::string>(std::move(found.text)),
                                         package.why_ended, std::move(found.notes), options, hooks,
                                         std::move(on_dropped));
}

}  // namespace

HeadedStream::HeadedStream(ReadBytes read, size_t head_bytes) : read_(std::move(read)) {
  read_more(read_, head_bytes, head_);
}

size_t HeadedStream::read(char* out, size_t size_bytes) {
  const size_t from_head = std::min(head_.size() - at_, size_bytes);
  std::memcpy(out, head_.data() + at_, from_head);
  at_ += from_head;
  return from_head == size_bytes ? from_head
                                 : from_head + read_(out + from_head, size_bytes - from_head);
}

std::unique_ptr<MemberReader> open_member(const std::string& name,
                                          const std::shared_ptr<HeadedStream>& stream,
                                          const ReadOptions& options, const SourceHooks& hooks,
                                          OnRecord on_dropped, Message& why_not) {
  if (is_package(stream->head(), name))
    return open_package(stream, options, hooks, std::move(on_dropped), why_not);
  const TextStart start = examine_text(stream->head(), options.encoding);
  why_not = start.why_not;
  if (!why_not.empty()) return nullptr;
  const InputFormat format = options.format != InputFormat::kAuto
                                 ? options.format
                                 : format_of(name, stream->head().substr(start.mark_bytes));
  stream->skip(start.mark_bytes);
  if (format == InputFormat::kHtml) {
    return std::make_unique<RecordDocuments>(open_html(bytes_of(stream), start.encoding), nullptr,
                                             std::move(on_dropped));
  }
  // UTF-8's mark says how a text begins: what was put behind it may be in another encoding.
  const bool begins_so = options.encoding.empty() && start.encoding == "UTF-8";
  auto text = std::make_shared<Utf8Stream>(bytes_of(stream), begins_so ? "" : start.encoding,
                                           hooks.neighbours);
  if (format == InputFormat::kText || format == InputFormat::kSubtitles ||
      format == InputFormat::kAuto)
    return open_text(std::move(text), format, options, hooks, std::move(on_dropped));
  ReadBytes decoded = [text](char* out, size_t n) { return text->read(out, n); };
  return std::make_unique<RecordDocuments>(open_records(format, options, std::move(decoded)), text,
                                           std::move(on_dropped));
}

}  // namespace inkstone
