#include "formats/trained_spans.h"

#include <algorithm>
#include <limits>
#include <string>

#include "base/check.h"
#include "base/error.h"
#include "formats/little_endian.h"

namespace inkstone {
namespace {

constexpr std::string_view kSpansMagic = "INKSPANS";
constexpr uint32_t kSpansVersion = 1;
constexpr size_t kSpansHeader_bytes = 40, kSpansPair_bytes = 8;

struct SpansHeader {
  uint64_t documents, spans, tokens;
};

std::string spans_header_bytes(const SpansPlace& place) {
  std::string bytes(kSpansMagic);
  append_little_endian(bytes, kSpansVersion);
  append_little_endian(bytes, uint32_t{0});
  append_little_endian(bytes, static_cast<uint64_t>(place.documents));
  append_little_endian(bytes, static_cast<uint64_t>(place.spans));
  append_little_endian(bytes, static_cast<uint64_t>(place.tokens));
  return bytes;
}

// Every document and every span takes 8 bytes: the counts are checked before anything is made of
// them.
SpansHeader parse_spans_header(std::string_view file) {
  if (file.size() < kSpansHeader_bytes || !file.starts_with(kSpansMagic)) {
    fail(ErrorCode::kInvalidData,
         "not a file of trained spans: it does not begin with the {} bytes of a header {}",
         kSpansHeader_bytes, kSpansMagic);
  }
  const auto version = load_little_endian<uint32_t>(file.data() + 8);
  if (version != kSpansVersion) {
    fail(ErrorCode::kInvalidData, "trained spans of version {}, expected {}", version,
         kSpansVersion);
  }
  const auto field = [&](size_t at) { return load_little_endian<uint64_t>(file.data() + at); };
  const SpansHeader header{field(16), field(24), field(32)};
  const uint64_t pairs = (file.size() - kSpansHeader_bytes) / kSpansPair_bytes;
  if ((file.size() - kSpansHeader_bytes) % kSpansPair_bytes != 0 || header.documents > pairs ||
      header.spans != pairs - header.documents) {
    fail(ErrorCode::kInvalidData,
         "{} bytes of trained spans, expected {} and 8 for each of {} documents and {} spans",
         file.size(), kSpansHeader_bytes, header.documents, header.spans);
  }
  return header;
}

// Reads the pairs of numbers behind the header.
class SpanPairs {
 public:
  explicit SpanPairs(std::string_view bytes) : rest_(bytes) {}

  bool at_end() const { return rest_.empty(); }
  TrainedSpan next() {
    const TrainedSpan pair{load_little_endian<uint32_t>(rest_.data()),
                           load_little_endian<uint32_t>(rest_.data() + 4)};
    rest_.remove_prefix(kSpansPair_bytes);
    return pair;
  }

 private:
  std::string_view rest_;
};

}  // namespace

TrainedSpans TrainedSpans::parse(std::string_view file_bytes) {
  const SpansHeader header = parse_spans_header(file_bytes);
  TrainedSpans all;
  all.begins_.reserve(header.documents + 1);
  all.first_span_.reserve(header.documents + 1);
  all.spans_.reserve(header.spans);
  SpanPairs pairs(file_bytes.substr(kSpansHeader_bytes));
  for (uint64_t i = 0; i < header.documents; ++i) {
    const auto [tokens, spans] = pairs.at_end() ? TrainedSpan{0, 1} : pairs.next();
    if (spans > header.spans - all.spans_.size()) {
      fail(ErrorCode::kInvalidData, "document {} has {} trained spans, of which {} are there",
           i + 1, spans, header.spans - all.spans_.size());
    }
    uint32_t before = 0;
    for (uint32_t k = 0; k < spans; ++k) {
      const TrainedSpan span = pairs.next();
      if (span.begin < before || span.begin >= span.end || span.end > tokens) {
        fail(ErrorCode::kInvalidData,
             "document {} has {} tokens and the trained span [{}, {}), expected one that begins at "
             "{} or later",
             i + 1, tokens, span.begin, span.end, before);
      }
      before = span.end;
      all.spans_.push_back(span);
    }
    all.begins_.push_back(all.begins_.back() + tokens);
    all.first_span_.push_back(all.spans_.size());
  }
  if (!pairs.at_end() || static_cast<uint64_t>(all.begins_.back()) != header.tokens) {
    fail(ErrorCode::kInvalidData, "the documents of trained spans have {} tokens, expected {}",
         all.begins_.back(), header.tokens);
  }
  return all;
}

int64_t TrainedSpans::trained_tokens() const {
  int64_t tokens = 0;
  for (const TrainedSpan& span : spans_) tokens += span.end - span.begin;
  return tokens;
}

TrainedSpansWriter::TrainedSpansWriter(const std::filesystem::path& path, const SpansPlace& from)
    : file_(path, from.documents == 0
                      ? 0
                      : kSpansHeader_bytes +
                            static_cast<uint64_t>(from.documents + from.spans) * kSpansPair_bytes),
      place_(from) {
  if (from.documents == 0) file_.write(spans_header_bytes(place_));
}

void TrainedSpansWriter::write(int64_t tokens, std::span<const TrainedSpan> spans) {
  INK_CHECK(tokens >= 0 && tokens <= std::numeric_limits<uint32_t>::max(), "a document too long");
  std::string bytes;
  append_little_endian(bytes, static_cast<uint32_t>(tokens));
  append_little_endian(bytes, static_cast<uint32_t>(spans.size()));
  for (const TrainedSpan& span : spans) {
    append_little_endian(bytes, span.begin);
    append_little_endian(bytes, span.end);
    place_.trained_tokens += span.end - span.begin;
  }
  file_.write(bytes);
  place_.documents += 1;
  place_.spans += static_cast<int64_t>(spans.size());
  place_.tokens += tokens;
}

void TrainedSpansWriter::commit() {
  const std::string bytes = spans_header_bytes(place_);
  file_.write_at(0, bytes.data(), bytes.size());
  file_.commit();
}

}  // namespace inkstone
