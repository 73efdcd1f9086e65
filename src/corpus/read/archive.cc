#include "corpus/read/archive.h"

#include <archive.h>
#include <archive_entry.h>

#include <algorithm>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <exception>
#include <memory>
#include <utility>

#include "base/error.h"

namespace inkstone {
namespace {

constexpr size_t kArchiveBlock_bytes = 256 * 1024;
constexpr size_t kTarMagic_at = 257;

using Handle = std::unique_ptr<struct archive, decltype(&archive_read_free)>;

std::string error_text(struct archive* archive) {
  const char* text = archive_error_string(archive);
  std::string error = text != nullptr ? text : "unknown error of libarchive";
  while (error.ends_with('\n')) error.pop_back();
  return error;
}

// Only what is linked in: other filters would start programs. Not gzip: GzipStream.
Handle open_compressed() {
  Handle handle(archive_read_new(), &archive_read_free);
  if (!handle) throw std::bad_alloc();
  archive_read_support_filter_bzip2(handle.get());
  archive_read_support_filter_xz(handle.get());
  archive_read_support_filter_zstd(handle.get());
  archive_read_support_format_raw(handle.get());
  archive_read_support_format_empty(handle.get());
  return handle;
}

Handle open_archive() {
  Handle handle = open_compressed();
  archive_read_support_format_tar(handle.get());
  archive_read_support_format_zip_streamable(handle.get());
  return handle;
}

// libarchive gives a name that the archive marks as UTF-8 as such, and any other one as the bytes
// that stand there; each also converted through the locale, which loses what the locale lacks.
std::string name_of(struct archive_entry* entry) {
  const char *plain = archive_entry_pathname(entry), *utf8 = archive_entry_pathname_utf8(entry);
  const auto is_ascii = [](std::string_view name) {
    return std::all_of(name.begin(), name.end(),
                       [](char c) { return static_cast<uint8_t>(c) < 0x80; });
  };
  if (utf8 != nullptr && (plain == nullptr || is_ascii(plain))) return utf8;
  return plain != nullptr ? plain : "(a name that cannot be read)";
}

bool is_hidden(std::string_view name) {
  for (size_t at = 0; at < name.size();) {
    const size_t end = std::min(name.find('/', at), name.size());
    const std::string_view part = name.substr(at, end - at);
    if (part.starts_with('.') && part != "." && part != "..") return true;
    at = end + 1;
  }
  return false;
}

Message reason_to_leave_out(struct archive_entry* entry, std::string_view name) {
  if (archive_entry_hardlink(entry) != nullptr || archive_entry_filetype(entry) == AE_IFLNK)
    return marked("a link");
  if (archive_entry_filetype(entry) != AE_IFREG) return marked("not a file");
  if (archive_entry_is_encrypted(entry)) return marked("encrypted");
  return is_hidden(name) ? marked("hidden") : "";
}

}  // namespace

struct Archive::Input {
  ReadBytes read;
  std::unique_ptr<char[]> block = std::make_unique_for_overwrite<char[]>(kArchiveBlock_bytes);
  std::exception_ptr error;   // of `read`; no exception may pass through libarchive
  std::string_view content;   // of the current member, decompressed and not yet handed out
  int64_t content_at = 0;     // where that stands in the member
  int64_t position = 0;       // where the next byte to hand out stands
  bool ends_damaged = false;  // the current member, with what was handed out last
  Handle handle;

  Input(ReadBytes bytes, Handle opened) : read(std::move(bytes)), handle(std::move(opened)) {}

  static la_ssize_t on_read(struct archive* archive, void* self, const void** data) {
    auto& input = *static_cast<Input*>(self);
    *data = input.block.get();
    try {
      return static_cast<la_ssize_t>(input.read(input.block.get(), kArchiveBlock_bytes));
    } catch (...) {
      input.error = std::current_exception();
      archive_set_error(archive, EIO, "reading failed");
      return ARCHIVE_FATAL;
    }
  }

  [[noreturn]] void fail_damaged() {
    if (error) std::rethrow_exception(std::exchange(error, nullptr));
    fail(ErrorCode::kInvalidData, "damaged: {}", error_text(handle.get()));
  }
};

std::string_view container_name(std::string_view head) {
  constexpr std::pair<std::string_view, std::string_view> kMagics[] = {{"\x1F\x8B\x08", "gzip"},
                                                                       {"\xFD"
                                                                        "7zXZ",
                                                                        "xz"},
                                                                       {"\x28\xB5\x2F\xFD", "zstd"},
                                                                       {"PK\x03\x04", "zip"},
                                                                       {"PK\x05\x06", "zip"}};
  for (const auto& [magic, name] : kMagics) {
    if (head.starts_with(magic)) return name;
  }
  // "BZh" alone may begin a text: then the block size, and the magic number of a block or of the
  // end.
  if (head.starts_with("BZh") && head.size() >= 10 && head[3] >= '1' && head[3] <= '9' &&
      (head.substr(4, 6) == "1AY&SY" || head.substr(4, 6) == "\x17\x72\x45\x38\x50\x90")) {
    return "bzip2";
  }
  if (head.size() > kTarMagic_at && head.substr(kTarMagic_at).starts_with("ustar")) return "tar";
  return "";
}

Archive::Archive(ReadBytes read)
    : Archive(std::make_unique<Input>(std::move(read), open_archive())) {}

Archive::Archive(std::unique_ptr<Input> input) : input_(std::move(input)) {
  struct archive* handle = input_->handle.get();
  if (archive_read_open(handle, input_.get(), nullptr, &Input::on_read, nullptr) != ARCHIVE_OK) {
    input_->fail_damaged();
  }
}

Archive::~Archive() = default;

bool Archive::next(Member& member) {
  struct archive* handle = input_->handle.get();
  struct archive_entry* entry = nullptr;
  const int result = archive_read_next_header(handle, &entry);
  input_->content = {};
  input_->content_at = input_->position = 0;
  input_->ends_damaged = false;
  if (result == ARCHIVE_EOF) return false;
  if (result != ARCHIVE_OK && result != ARCHIVE_WARN) input_->fail_damaged();
  if (archive_format(handle) == ARCHIVE_FORMAT_RAW) {
    member = {.name = "", .why_not = ""};
  } else {
    member.name = name_of(entry);
    member.why_not = reason_to_leave_out(entry, member.name);
  }
  return true;
}

// Not archive_read_data, which at a damaged place forgets what it has read before.
size_t Archive::read_some(char* out, size_t size_bytes) {
  Input& input = *input_;
  while (input.content.empty()) {
    if (input.ends_damaged) input.fail_damaged();
    const void* data = nullptr;
    size_t size = 0;
    la_int64_t offset = 0;
    const int result = archive_read_data_block(input.handle.get(), &data, &size, &offset);
    if (result == ARCHIVE_EOF) return 0;
    // With its last bytes comes what is wrong with a member's size or checksum: a warning from
    // libarchive 3.6, a failure from 3.7.
    const bool is_damaged_end = size > 0 && (result == ARCHIVE_WARN || result == ARCHIVE_FAILED);
    if (result != ARCHIVE_OK && !is_damaged_end) input.fail_damaged();
    input.ends_damaged = is_damaged_end;
    input.content = {static_cast<const char*>(data), size};
    input.content_at = offset;
  }
  // What a sparse file leaves out is zeros.
  const int64_t hole = std::max<int64_t>(input.content_at - input.position, 0);
  const size_t n = std::min(size_bytes,
                            hole > 0 ? static_cast<size_t>(hole) : input.content.size());
  if (hole > 0) {
    std::memset(out, 0, n);
  } else {
    std::memcpy(out, input.content.data(), n);
    input.content.remove_prefix(n);
    input.content_at += static_cast<int64_t>(n);
  }
  input.position += static_cast<int64_t>(n);
  return n;
}

ReadBytes decompress(ReadBytes compressed) {
  using Input = Archive::Input;
  const std::shared_ptr<Archive> file(
      new Archive(std::make_unique<Input>(std::move(compressed), open_compressed())));
  Archive::Member content;
  if (!file->next(content)) return read_from("");
  return [file](char* out, size_t size_bytes) { return file->read_some(out, size_bytes); };
}

}  // namespace inkstone
