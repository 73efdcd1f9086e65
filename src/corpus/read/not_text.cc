#include "corpus/read/not_text.h"

#include <cstddef>
#include <span>

#include "base/message.h"

namespace inkstone {
namespace {

using namespace std::string_view_literals;

struct Signature {
  std::string_view bytes, format;
  size_t at = 0;
};

constexpr std::string_view kToShards = marked(
    "a token shard, which is prepared already: train --data takes its folder");
constexpr std::string_view kMobi = marked(
    "MOBI or AZW; convert it to EPUB first, for example by Calibre (ebook-convert)");
constexpr std::string_view kImage = marked("an image"), kAudio = marked("sound"),
                           kVideo = marked("a video");

// Source: the formats' own descriptions, and file(1).
constexpr Signature kSignatures[] = {
    {"\x1F\x8B"sv, marked("gzip; decompress it first")},
    {"%PDF-"sv, marked("PDF; convert it to text first, for example by pdftotext")},
    {"\xD0\xCF\x11\xE0\xA1\xB1\x1A\xE1"sv,
     marked(
         "DOC, XLS, PPT or another file of old Office programs; save it as DOCX or text first, for "
         "example by LibreOffice (soffice --convert-to docx)")},
    {"[Script Info]"sv,
     marked("ASS or SSA subtitles; convert them to SRT first, for example by ffmpeg")},
    {"{\\rtf"sv, marked("RTF; save it as DOCX or text first")},
    {"\xEA\x44RMION\xEE"sv, marked("KFX; convert it to EPUB first")},
    {"ITSF\3\0"sv, marked("CHM; convert it to HTML or EPUB first")},
    {"ITOLITLS\1\0"sv, marked("LIT; convert it to EPUB first")},
    {"\x89\x9B\x9A\xDE"sv, marked("UMD; convert it to text first")},
    {"AT&TFORM"sv, marked("DjVu; convert it to text first, for example by djvutxt")},
    {"%!PS"sv, marked("PostScript; convert it to text first, for example by ps2ascii")},
    {"CAJ\0"sv, marked("CAJ; convert it to PDF and then to text first")},
    {"7z\xBC\xAF\x27\x1C"sv, marked("7z; unpack it first")},
    {"Rar!\x1A\x07"sv, marked("RAR; unpack it first")},
    {"MSCF\0\0\0\0"sv, marked("a cabinet; unpack it first")},
    {"\x04\x22\x4D\x18"sv, marked("lz4; decompress it first")},
    {"\x89PNG\r\n"sv, kImage},
    {"\xFF\xD8\xFF"sv, kImage},
    {"GIF87a"sv, kImage},
    {"GIF89a"sv, kImage},
    {"II*\0"sv, kImage},
    {"MM\0*"sv, kImage},
    {"8BPS\0"sv, kImage},
    {"ID3\2"sv, kAudio},
    {"ID3\3"sv, kAudio},
    {"ID3\4"sv, kAudio},
    {"OggS\0"sv, kAudio},
    {"fLaC\0"sv, kAudio},
    {"\x1A\x45\xDF\xA3"sv, kVideo},
    {"\x7F"
     "ELF"sv,
     marked("a program")},
    {"SQLite format 3\0"sv, marked("an SQLite database; export the text as CSV first")},
    {"\x93NUMPY"sv, marked("a NumPy array")},
    {"PAR1\x15"sv, marked("Parquet; convert it to JSON lines first")},
    {"\x88\xD8\x34\x01"sv, kToShards},
    {"\xA1\xD9\x34\x01"sv, kToShards},
};

// What stands behind sizes or names: with a NUL before it.
constexpr Signature kLaterSignatures[] = {
    {"BOOKMOBI"sv, kMobi, 60}, {"TEXtREAd"sv, kMobi, 60}, {"ftyp"sv, kVideo, 4}};

// By what follows "RIFF" and a size.
constexpr Signature kRiffFormats[] = {
    {"WEBP"sv, kImage, 8}, {"WAVE"sv, kAudio, 8}, {"AVI "sv, kVideo, 8}};

// XML whose text is not read: by a word near its beginning.
constexpr Signature kXmlFormats[] = {
    {"<FictionBook",
     marked("FB2; convert it to EPUB first, for example by Calibre (ebook-convert)")},
    {"progid=\"Word.Document\"", marked("Word 2003 XML; save it as DOCX first")},
    {"<w:wordDocument", marked("Word 2003 XML; save it as DOCX first")},
    {"<pkg:package", marked("a Word document in flat XML; save it as DOCX first")},
    {"<office:document ", marked("a flat OpenDocument file; save it as ODT first")},
};

std::string_view find_format(std::string_view head, std::span<const Signature> signatures) {
  for (const Signature& signature : signatures) {
    if (head.size() > signature.at && head.substr(signature.at).starts_with(signature.bytes))
      return signature.format;
  }
  return "";
}

}  // namespace

std::string_view format_to_convert(std::string_view head) {
  if (head.starts_with("\xEF\xBB\xBF")) head.remove_prefix(3);
  if (const auto format = find_format(head, kSignatures); !format.empty()) return format;
  if (head.starts_with("RIFF")) return find_format(head, kRiffFormats);
  const auto later = find_format(head, kLaterSignatures);
  if (!later.empty() && head.substr(0, 60).find('\0') != head.npos) return later;
  if (!head.starts_with("<?xml")) return "";
  for (const Signature& format : kXmlFormats) {
    if (head.substr(0, 1024).find(format.bytes) != head.npos) return format.format;
  }
  return "";
}

}  // namespace inkstone
