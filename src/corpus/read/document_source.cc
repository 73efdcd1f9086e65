#include "corpus/read/document_source.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>

#include "base/error.h"
#include "base/utf8.h"
#include "corpus/read/archive.h"
#include "corpus/read/charset.h"
#include "corpus/read/converter.h"
#include "corpus/read/encoding_guess.h"
#include "corpus/read/gzip_stream.h"
#include "corpus/read/member_reader.h"
#include "corpus/read/package.h"
#include "corpus/read/separators.h"

namespace inkstone {
namespace {

// The first name of a format is the one to show.
constexpr std::pair<const char*, InputFormat> kFormats[] = {
    {"auto", InputFormat::kAuto},     {"text", InputFormat::kText},
    {"markdown", InputFormat::kText}, {"jsonl", InputFormat::kJsonLines},
    {"json", InputFormat::kJson},     {"csv", InputFormat::kCsv},
    {"tsv", InputFormat::kTsv},       {"html", InputFormat::kHtml},
    {"srt", InputFormat::kSubtitles}, {"vtt", InputFormat::kSubtitles}};

// Bytes that may fail in the middle: failure is an end, with a reason to report. `read` may give
// fewer bytes than wanted, and then fail at its next call; 0 is the end.
struct GuardedBytes {
  ReadBytes read;
  int64_t bytes = 0;
  Message why_ended = "";
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
      why_ended = e.message();
    }
    bytes += static_cast<int64_t>(done);
    return done;
  }
};

constexpr size_t kMemberEvidence_bytes = 4096, kPackageHead_bytes = 4096;

// Characters from U+0800 on, which have three bytes or more in UTF-8.
bool has_later_scripts(std::string_view utf8) {
  return std::any_of(utf8.begin(), utf8.end(),
                     [](char c) { return static_cast<uint8_t>(c) >= 0xE0; });
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
    if (container_name(stream->head()).empty() || is_package(stream->head(), name_)) {
      pending_ = std::move(stream);
    } else {
      open_archive(std::move(stream));
    }
  }

  void open_archive(std::shared_ptr<HeadedStream> stream) {
    const std::string_view container = container_name(stream->head());
    ReadBytes read = [stream = std::move(stream)](char* out, size_t n) {
      return stream->read(out, n);
    };
    try {
      if (container != "zip" && container != "tar") {
        decompressed_ = decompressed(container, std::move(read));
        // One read: what stands before a damage is given before it is found.
        auto content = std::make_shared<HeadedStream>(decompressed_, kPackageHead_bytes);
        if (is_package(content->head(), name_)) {
          pending_ = std::move(content);
          return;
        }
        read = [content](char* out, size_t n) { return content->read(out, n); };
      }
      archive_ = std::make_unique<Archive>(std::move(read));
    } catch (const Error& e) {
      drop_source(name_, e.message());
    }
  }

  static ReadBytes decompressed(std::string_view container, ReadBytes read) {
    if (container != "gzip") return decompress(std::move(read));
    auto gzip = std::make_shared<GzipStream>(std::move(read));
    return [gzip](char* out, size_t n) { return gzip->read_some(out, n); };
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
      drop_source(name_, reason_of_end(e.message()));
      archive_.reset();
      return false;
    }
    ++members_;
    if (found.name.ends_with('/')) return true;  // a folder is nothing to report
    if (!found.why_not.empty()) return drop_source(source_of(found.name), found.why_not), true;
    content_ = {.read = [this](char* out, size_t n) { return archive_->read_some(out, n); }};
    auto stream = std::make_shared<HeadedStream>(
        [this](char* out, size_t n) { return content_(out, n); });
    if (member_evidence_.size() < kMemberEvidence_bytes)
      member_evidence_ += evidence_of(stream->head());
    source_ = source_of(found.name);
    const auto inner = container_name(stream->head());
    if (!inner.empty() && !is_package(stream->head(), source_)) {
      drop_source(source_, found.name.empty()
                               ? message("{} inside a compressed file; unpack it first", inner)
                               : message("{} inside an archive; unpack it first", inner));
    } else {
      open(source_, std::move(stream));
    }
    return true;
  }

  // How a member is called in reports. A name that is not in UTF-8 is in the encoding in which it,
  // the names before it and the texts around it read best. So is one that is UTF-8 by chance, as
  // two bytes a character may be: 小说 in GBK is the letters С˵.
  std::string source_of(const std::string& member) {
    if (member.empty()) return name_;
    const std::string evidence = encoding_evidence(member);
    const bool is_utf8 = is_valid_utf8(member);
    if (evidence.empty() || (is_utf8 && (member_evidence_.empty() || has_later_scripts(member))))
      return name_ + "/" + member;
    std::string name;
    Converter converter(guess_encoding(evidence, member_evidence_).encoding);
    converter.add(member, true, name);
    if (is_utf8 && (converter.replaced() > 0 || !has_later_scripts(name)))
      return name_ + "/" + member;
    if (member_evidence_.size() < kMemberEvidence_bytes) member_evidence_ += evidence;
    return name_ + "/" + name;
  }

  // What tells in which encoding the members of an archive are: those before, and its neighbours.
  SourceHooks hooks_of_member() const {
    SourceHooks hooks = hooks_;
    if (!member_evidence_.empty()) {
      hooks.neighbours = [this] {
        return member_evidence_ + (hooks_.neighbours ? hooks_.neighbours() : "");
      };
    }
    return hooks;
  }

  bool end_archive() {
    try {
      // A tar archive ends before its file: the checksum is still to come.
      std::array<char, 4096> rest;
      while (decompressed_ && decompressed_(rest.data(), rest.size()) > 0) continue;
    } catch (const Error& e) {
      drop_source(name_, reason_of_end(e.message()));
      archive_.reset();
      return false;
    }
    if (!raw_.why_ended.empty()) {
      drop_source(name_, reason_of_end(raw_.why_ended));
    } else if (members_ == 0) {
      drop_source(name_, marked("empty"));
    }
    archive_.reset();
    return false;
  }

  void open(const std::string& source, std::shared_ptr<HeadedStream> stream) {
    source_ = source;
    Message why_not;
    const auto on_record = [this](int64_t document, const Message& reason) {
      any_ = true;
      hooks_.on_dropped({source_, document}, reason);
    };
    any_ = false;
    member_ = open_member(source, stream, options_, hooks_of_member(), on_record, why_not);
    if (member_) return;
    const Message& broken = why_ended();
    drop_source(source_, broken.empty() ? why_not : reason_of_end(broken));
  }

  void close_member() {
    const bool any = any_ || member_->document() > 0;
    const Message damage = member_->why_ended();
    if (member_->document() > 0 && hooks_.on_source) hooks_.on_source(member_->facts(source_));
    member_.reset();
    if (const Message& broken = why_ended(); !broken.empty()) {
      drop_source(source_, reason_of_end(broken));
      if (source_ == name_) archive_.reset();  // a compressed file has nothing behind it
    } else if (!damage.empty()) {
      drop_source(source_, damage);
    } else if (!any) {
      drop_source(source_, marked("empty"));
    }
  }

  // Why the current member's bytes ended before their end.
  const Message& why_ended() const { return archive_ ? content_.why_ended : raw_.why_ended; }

  Message reason_of_end(const Message& why) const {
    const bool damaged = archive_ != nullptr && raw_.why_ended.empty();
    if (damaged) return why;
    return message("unreadable: {}", raw_.why_ended.empty() ? why : raw_.why_ended);
  }

  void drop_source(const std::string& source, const Message& reason) {
    hooks_.on_dropped({source, 0}, reason);
  }

  std::string name_;
  ReadOptions options_;
  SourceHooks hooks_;
  GuardedBytes raw_;                       // the input itself
  std::unique_ptr<Archive> archive_;       // null for a plain file
  ReadBytes decompressed_;                 // null for what is not compressed
  GuardedBytes content_;                   // of the archive's current member
  std::shared_ptr<HeadedStream> pending_;  // a plain file that is not open yet
  std::unique_ptr<MemberReader> member_;
  std::string source_;
  std::string member_evidence_;  // of an archive's names and texts so far (read/charset.h)
  int64_t members_ = 0, document_ = 0, replaced_ = 0;
  bool started_ = false, any_ = false;
};

}  // namespace

Records parse_records(const std::string& name) {
  for (const Records records : {Records::kAuto, Records::kText, Records::kCompletion}) {
    if (name_of(records) == name) return records;
  }
  fail(ErrorCode::kUsage, "there are no records '{}'; they are one of auto, text, completion",
       name);
}

std::string name_of(Records records) {
  switch (records) {
    case Records::kAuto: return "auto";
    case Records::kText: return "text";
    case Records::kCompletion: return "completion";
  }
  fail(ErrorCode::kInternal, "records without a name");
}

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
  check_separator(options.separator);
  return std::make_unique<FileSource>(std::move(name), std::move(read), options, std::move(hooks));
}

}  // namespace inkstone
