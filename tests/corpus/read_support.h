// What the tests of the readers share.
#pragma once

#include <archive.h>
#include <archive_entry.h>
#include <gtest/gtest.h>
#include <unicode/ucnv.h>

#include <cstring>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "corpus/read/document_source.h"
#include "inkstone/message.h"

namespace inkstone::test {

// UTF-8 text in another encoding; characters that it lacks are left out.
inline std::string encoded(const std::string& text, const char* encoding) {
  UErrorCode error = U_ZERO_ERROR;
  std::string bytes(text.size() * 4 + 16, '\0');
  const int32_t size = ucnv_convert(encoding, "UTF-8", bytes.data(),
                                    static_cast<int32_t>(bytes.size()), text.data(),
                                    static_cast<int32_t>(text.size()), &error);
  EXPECT_TRUE(U_SUCCESS(error)) << u_errorName(error);
  bytes.resize(static_cast<size_t>(size));
  // What the encoding lacks.
  if (!std::string_view(encoding).starts_with("UTF")) std::erase(bytes, '\x1A');
  return bytes;
}

// All that a source gives.
struct SourceContent {
  std::vector<std::string> documents;
  std::vector<std::string> places;   // "source#3" for each document
  std::vector<int64_t> replaced;     // for each document
  std::vector<std::string> dropped;  // "source#3: reason"
  std::vector<SourceFacts> facts;    // of each member with text
  int64_t bytes_read = 0;
};

inline std::string text_of(const SourcePlace& place) {
  return place.source + "#" + std::to_string(place.document);
}

inline SourceContent content_of(const std::string& name, ReadBytes read,
                                const ReadOptions& options = {}) {
  SourceContent content;
  const auto on_dropped = [&](const SourcePlace& place, const Message& why) {
    content.dropped.push_back(text_of(place) + ": " + why.english());
  };
  const auto source = open_source(
      name, std::move(read), options,
      {.on_dropped = on_dropped,
       .on_source = [&](const SourceFacts& facts) { content.facts.push_back(facts); }});
  DocumentPiece piece;
  bool inside = false;
  while (source->next(piece)) {
    EXPECT_EQ(piece.first, !inside);
    if (piece.first) {
      content.documents.emplace_back();
      content.places.push_back(text_of(source->place()));
      content.replaced.push_back(0);
    }
    content.documents.back() += piece.text;
    EXPECT_EQ(content.places.back(), text_of(source->place()));
    content.replaced.back() = source->replaced();
    inside = !piece.last;
  }
  EXPECT_FALSE(inside);
  EXPECT_FALSE(source->next(piece));
  content.bytes_read = source->bytes_read();
  return content;
}

inline SourceContent content_of(const std::string& name, std::string_view bytes,
                                const ReadOptions& options = {}) {
  return content_of(name, read_from(bytes), options);
}

struct ArchiveFile {
  std::string name, content;
  int type = AE_IFREG;
};

using ArchiveSetup = int (*)(struct archive*);

// Writes an archive with libarchive: `format` and `filter` are its archive_write_... functions.
inline std::string make_archive(ArchiveSetup format, ArchiveSetup filter,
                                const std::vector<ArchiveFile>& files,
                                const char* password = nullptr) {
  std::string bytes;
  const std::unique_ptr<struct archive, decltype(&archive_write_free)> out(archive_write_new(),
                                                                           &archive_write_free);
  EXPECT_EQ(format(out.get()), ARCHIVE_OK);
  EXPECT_EQ(filter(out.get()), ARCHIVE_OK);
  if (password != nullptr) {
    EXPECT_EQ(archive_write_set_options(out.get(), "zip:encryption=traditional"), ARCHIVE_OK);
    EXPECT_EQ(archive_write_set_passphrase(out.get(), password), ARCHIVE_OK);
  }
  EXPECT_EQ(archive_write_set_bytes_in_last_block(out.get(), 1), ARCHIVE_OK);
  const auto append = [](struct archive*, void* to, const void* data, size_t size) {
    static_cast<std::string*>(to)->append(static_cast<const char*>(data), size);
    return static_cast<la_ssize_t>(size);
  };
  EXPECT_EQ(archive_write_open(out.get(), &bytes, nullptr, append, nullptr), ARCHIVE_OK);
  for (const ArchiveFile& file : files) {
    const std::unique_ptr<struct archive_entry, decltype(&archive_entry_free)> entry(
        archive_entry_new(), &archive_entry_free);
    archive_entry_set_pathname(entry.get(), file.name.c_str());
    archive_entry_set_filetype(entry.get(), static_cast<unsigned>(file.type));
    archive_entry_set_perm(entry.get(), 0644);
    if (file.type == AE_IFLNK) {
      archive_entry_set_symlink(entry.get(), file.content.c_str());
    } else {
      archive_entry_set_size(entry.get(), static_cast<int64_t>(file.content.size()));
    }
    // A warning where the locale cannot hold the name.
    EXPECT_GE(archive_write_header(out.get(), entry.get()), ARCHIVE_WARN)
        << archive_error_string(out.get());
    if (file.type == AE_IFREG) {
      EXPECT_EQ(archive_write_data(out.get(), file.content.data(), file.content.size()),
                static_cast<la_ssize_t>(file.content.size()));
    }
  }
  EXPECT_EQ(archive_write_close(out.get()), ARCHIVE_OK);
  return bytes;
}

inline std::string compress(ArchiveSetup filter, const std::string& content) {
  return make_archive(&archive_write_set_format_raw, filter, {{"data", content}});
}

}  // namespace inkstone::test
