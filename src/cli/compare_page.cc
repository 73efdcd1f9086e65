#include "cli/compare_page.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <span>
#include <string_view>

#include "base/utf8.h"
#include "cli/web_files.h"

namespace inkstone::cli {
namespace {

// Of all runs together, so that a page of many stays a small one: a point of a curve takes some 30
// bytes.
constexpr size_t kPoints = 12'000, kSampleBytes = 250'000;
// Of each run: more than a screen shows, and so few that one still sees a curve.
constexpr size_t kMostPoints = 600, kFewestPoints = 40;
constexpr size_t kMostSamples = 12, kMostSampleBytes = 2'000, kFewestSampleBytes = 200;

// Five digits, which is more than a line on a screen shows.
double rounded(double value) { return std::strtod(fmt::format("{:.5g}", value).c_str(), nullptr); }

// Columns, for a row per point would repeat their names.
Json curve_json(const std::vector<CurvePoint>& points) {
  Json curve = {{"step", Json::array()},
                {"tokens", Json::array()},
                {"time", Json::array()},
                {"loss", Json::array()}};
  for (const CurvePoint& point : points) {
    curve["step"].push_back(point.step);
    curve["tokens"].push_back(point.tokens);
    curve["time"].push_back(rounded(point.elapsed_s));
    curve["loss"].push_back(rounded(point.loss));
  }
  return curve;
}

std::string cut_text(const std::string& text, size_t most_bytes) {
  const std::string_view kept = utf8_beginning(text, most_bytes);
  return std::string(kept) + (kept.size() < text.size() ? "..." : "");
}

// The last ones, and the first: what the run began with.
Json samples_json(const std::vector<Sample>& samples, size_t most_bytes) {
  const size_t most = std::clamp(most_bytes / kMostSampleBytes, size_t{2}, kMostSamples);
  const size_t bytes = std::clamp(most_bytes / most, kFewestSampleBytes, kMostSampleBytes);
  Json list = Json::array();
  for (size_t i = 0; i < samples.size(); ++i) {
    if (i > 0 && i + most <= samples.size()) continue;
    list.push_back({{"step", samples[i].step}, {"text", cut_text(samples[i].text, bytes)}});
  }
  return list;
}

Json page_run(const ComparedRun& run, size_t runs) {
  const RunMetrics& metrics = run.summary.metrics;
  const size_t points = std::clamp(kPoints / runs, kFewestPoints, kMostPoints);
  Json json = run_json(run);
  json["steps"] = run.summary.options.steps;
  json["training"] = curve_json(thinned_means(metrics.training, points));
  json["validation"] = curve_json(thinned_lowest(metrics.validation, points / 3));
  json["samples"] = samples_json(read_samples(run.summary.run), kSampleBytes / runs);
  return json;
}

// JSON that holds no character with a meaning in HTML: inside strings alone are there any.
std::string json_for_html(const Json& json) {
  std::string text;
  for (const char c : json.dump(-1, ' ', false, Json::error_handler_t::replace)) {
    if (c == '<' || c == '>' || c == '&') {
      text += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      text += c;
    }
  }
  return text;
}

// The template with each mark replaced, once.
std::string filled(std::string_view page,
                   std::span<const std::pair<std::string_view, std::string>> parts) {
  std::string text;
  for (const auto& [mark, part] : parts) {
    const size_t at = page.find(mark);
    text.append(page.substr(0, at)).append(part);
    page.remove_prefix(at + mark.size());
  }
  return text.append(page);
}

}  // namespace

std::string compare_page(const std::vector<ComparedRun>& runs, const std::string& language) {
  Json data = {{"language", language},
               {"same_text", share_text(runs)},
               {"differing", differing_options(runs)},
               {"groups", seed_groups(runs)},
               {"runs", Json::array()}};
  for (const ComparedRun& run : runs) data["runs"].push_back(page_run(run, runs.size()));
  const std::pair<std::string_view, std::string> parts[] = {
      {"/* compare.css */", std::string(web_file("compare.css"))},
      {"{\"runs\": \"compare.json\"}", json_for_html(data)},
      {"/* compare.js */", std::string(web_file("compare.js"))}};
  return filled(web_file("compare.html"), parts);
}

}  // namespace inkstone::cli
