#include "corpus/load/record_spans.h"

#include <filesystem>
#include <nlohmann/json.hpp>
#include <string>

#include "base/error.h"
#include "base/hash.h"
#include "base/json.h"
#include "corpus/folder_layout.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

// "" where the report lists no spans; nullopt: there is no report of prepare's.
std::optional<std::string> reported_hash(const fs::path& folder, std::string_view split) {
  const fs::path path = folder / kReportName;
  if (!fs::exists(path)) return std::nullopt;
  const Json json = read_json(path);
  return with_context(message("reading '{}'", path.string()), [&]() -> std::optional<std::string> {
    if (get_string(json, "program") != kPrepareProgram) return std::nullopt;
    const auto part = json.find(std::string(split));
    if (part == json.end() || !part->contains("spans")) return "";
    return required(get_string((*part)["spans"], "hash128"), "hash128");
  });
}

void check_against_report(const fs::path& file, std::string_view bytes, const std::string& hash) {
  const std::string found = hash128_hex(bytes);
  if (found == hash) return;
  fail(ErrorCode::kInvalidData,
       "'{}' has the checksum {}, expected {} as {} says: run prepare again", file.string(), found,
       hash.empty() ? "none" : hash, kReportName);
}

}  // namespace

std::optional<TrainedSpans> find_trained_spans(const TokenStream& stream, std::string_view split) {
  const fs::path& folder = stream.folder();
  const fs::path file = folder / spans_name(split);
  const auto hash = reported_hash(folder, split);
  if (!fs::exists(file)) {
    if (!hash || hash->empty()) return std::nullopt;
    fail(ErrorCode::kInvalidData,
         "'{}' is not there, and {} lists it: it says which tokens are trained; run prepare again",
         file.string(), kReportName);
  }
  const MappedFile bytes(file);
  if (hash) check_against_report(file, bytes.text(), *hash);
  TrainedSpans spans = with_context(message("reading '{}'", file.string()),
                                    [&] { return TrainedSpans::parse(bytes.text()); });
  if (spans.begin(spans.documents()) != stream.count()) {
    fail(ErrorCode::kInvalidData, "'{}' is of {} tokens, the shards beside it have {}",
         file.string(), spans.begin(spans.documents()), stream.count());
  }
  return spans;
}

}  // namespace inkstone
