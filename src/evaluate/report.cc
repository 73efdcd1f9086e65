#include "evaluate/report.h"

#include <algorithm>
#include <nlohmann/json.hpp>

#include "evaluate/fewshot.h"

namespace inkstone::evaluate {
namespace {

Json error_json(const Estimate& estimate) {
  return estimate.standard_error ? Json(*estimate.standard_error) : Json("N/A");
}

Json result_json(const TaskResult& result) {
  Json json = {{"name", result.name}, {"alias", result.name}, {"sample_len", result.documents}};
  for (const auto& [metric, estimate] : result.metrics) {
    const std::string name(metric_name(metric));
    json[name + ",none"] = estimate.value;
    json[name + "_stderr,none"] = error_json(estimate);
  }
  return json;
}

Json group_json(const TaskResult& group) {
  Json json = result_json(group), counts = Json::object();
  for (const auto& [metric, estimate] : group.metrics) {
    counts[std::string(metric_name(metric)) + ",none"] = group.documents;
  }
  json["sample_count"] = counts;
  return json;
}

std::string protocol_name(Protocol protocol) {
  return std::ranges::find(protocol_names(), protocol, [](const auto& p) { return p.second; })
      ->first;
}

std::string_view output_type(RequestKind kind) {
  switch (kind) {
    case RequestKind::kChoice: return "multiple_choice";
    case RequestKind::kTarget: return "loglikelihood";
    case RequestKind::kPage: return "loglikelihood_rolling";
  }
  return "?";
}

// What is said of a task, or of the group, beside its numbers.
void add_facts(Json& json, const Evaluation& e, const TaskResult& result, const Json& version) {
  json["versions"][result.name] = version;
  json["n-shot"][result.name] = e.options.fewshot;
  for (const auto& [metric, estimate] : result.metrics) {
    const bool is_better = higher_is_better(metric);
    json["higher_is_better"][result.name][std::string(metric_name(metric))] = is_better;
  }
}

void add_task(Json& json, const Evaluation& e, const TaskResult& result) {
  const Task& task = *e.task;
  json["results"][result.name] = result_json(result);
  json["configs"][result.name] = {{"task", result.name},
                                  {"output_type", output_type(task.kind)},
                                  {"num_fewshot", e.options.fewshot},
                                  {"metadata", {{"version", task.version}}}};
  add_facts(json, e, result, task.version);
  json["n-samples"][result.name] = {{"original", e.group ? result.documents : e.rows},
                                    {"effective", result.documents}};
}

void add_group(Json& json, const Evaluation& e) {
  constexpr const char* kVersion = "2.0";  // lm-eval's, of the group blimp
  const TaskResult& group = *e.group;
  json["groups"][group.name] = json["results"][group.name] = group_json(group);
  for (const TaskResult& result : e.results) {
    json["group_subtasks"][group.name].push_back(result.name);
  }
  add_facts(json, e, group, kVersion);
}

}  // namespace

Json results_json(const Evaluation& e, const std::string& model) {
  Json json = {{"results", Json::object()}, {"group_subtasks", Json::object()}};
  if (e.group) add_group(json, e);
  for (const TaskResult& result : e.results) add_task(json, e, result);
  json["config"] = {{"model", "inkstone"},
                    {"model_args", {{"pretrained", model}}},
                    {"limit", e.options.limit == 0 ? Json() : Json(e.options.limit)},
                    {"bootstrap_iters", e.options.resamplings},
                    {"fewshot_seed", kFewshotSeed}};
  json["protocol"] = protocol_name(e.task->protocol);
  return json;
}

}  // namespace inkstone::evaluate
