// Reading metrics.jsonl and samples.jsonl, and thinning what they hold. A run of 100,000 reports
// has 20 MB of them: simdjson reads a line in a third of a microsecond.
#include <simdjson.h>

#include <algorithm>
#include <string>

#include "train/run_summary.h"

namespace inkstone {
namespace {
using Element = simdjson::dom::element;

std::optional<double> number_of(Element line, std::string_view key, double low = -1e9) {
  double number = 0;
  if (line[key].get(number) != simdjson::SUCCESS) return std::nullopt;
  return number >= low && number <= 1e9 ? std::optional(number) : std::nullopt;
}

std::optional<int64_t> count_of(Element line, std::string_view key) {
  constexpr int64_t kMost = int64_t{1} << 53;
  int64_t number = 0;
  if (line[key].get(number) != simdjson::SUCCESS) return std::nullopt;
  return number >= 0 && number <= kMost ? std::optional(number) : std::nullopt;
}

// Calls f with each line that is an object with a step.
template <typename F>
void for_each_line(std::string_view text, const F& f) {
  simdjson::dom::parser parser;
  std::string line;  // with the bytes behind it that simdjson reads too
  while (!text.empty()) {
    const size_t end = std::min(text.find('\n'), text.size());
    line.assign(text.substr(0, end));
    line.append(simdjson::SIMDJSON_PADDING, ' ');
    Element element;
    if (parser.parse(line.data(), end, false).get(element) == simdjson::SUCCESS &&
        element.is_object()) {
      if (const auto step = count_of(element, "step")) f(*step, element);
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

void add_line(int64_t step, Element line, RunMetrics& metrics) {
  metrics.step = step;
  metrics.tokens = count_of(line, "tokens");
  metrics.elapsed_s = number_of(line, "elapsed_s", 0).value_or(metrics.elapsed_s);
  CurvePoint point = {
      .step = step, .tokens = metrics.tokens.value_or(0), .elapsed_s = metrics.elapsed_s};
  if (const auto loss = number_of(line, "loss")) {
    point.loss = *loss;
    metrics.training.push_back(point);
  }
  if (const auto val_loss = number_of(line, "val_loss")) {
    point.loss = *val_loss;
    metrics.validation.push_back(point);
    metrics.evaluations.push_back(
        {.step = step,
         .val_loss = *val_loss,
         .val_tokens = count_of(line, "val_tokens"),
         .val_nats_per_character = number_of(line, "val_nats_per_character"),
         .val_bits_per_byte = number_of(line, "val_bits_per_byte")});
  }
}

// Where part k of `parts` begins; all are of equal size, to within one.
size_t part_begin(size_t count, size_t parts, size_t k) { return count * k / parts; }

// One point for each of at most `most` parts.
template <typename F>
std::vector<CurvePoint> thinned(std::span<const CurvePoint> points, size_t most, const F& one_of) {
  if (points.size() <= most) return {points.begin(), points.end()};
  std::vector<CurvePoint> result;
  for (size_t k = 0; k < most; ++k) {
    const size_t begin = part_begin(points.size(), most, k);
    result.push_back(one_of(points.subspan(begin, part_begin(points.size(), most, k + 1) - begin)));
  }
  return result;
}

}  // namespace

RunMetrics run_metrics_from_jsonl(std::string_view text) {
  RunMetrics metrics;
  for_each_line(text, [&](int64_t step, Element line) { add_line(step, line, metrics); });
  return metrics;
}

std::vector<Sample> samples_from_jsonl(std::string_view text) {
  std::vector<Sample> samples;
  for_each_line(text, [&](int64_t step, Element line) {
    std::string_view sample;
    if (line["text"].get(sample) == simdjson::SUCCESS)
      samples.push_back({step, std::string(sample)});
  });
  return samples;
}

std::vector<CurvePoint> thinned_means(std::span<const CurvePoint> points, size_t most) {
  return thinned(points, most, [](std::span<const CurvePoint> part) {
    double sum = 0;
    for (const CurvePoint& point : part) sum += point.loss;
    CurvePoint mean = part.back();
    mean.loss = sum / static_cast<double>(part.size());
    return mean;
  });
}

std::vector<CurvePoint> thinned_lowest(std::span<const CurvePoint> points, size_t most) {
  return thinned(points, most, [](std::span<const CurvePoint> part) {
    return *std::ranges::min_element(part, {}, &CurvePoint::loss);
  });
}

}  // namespace inkstone
