#include "train/metrics.h"

#include <cerrno>
#include <chrono>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "base/error.h"
#include "base/file.h"

namespace inkstone {
namespace {

// Bytes of a sample that are not UTF-8.
constexpr auto kReplace = nlohmann::ordered_json::error_handler_t::replace;

double wall_time() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// Keeps the whole lines of steps up to `step`; a line that a kill cut is dropped too.
void drop_later_lines(const std::filesystem::path& path, int64_t step) {
  if (!std::filesystem::exists(path)) return;
  const std::string text = read_file(path);
  std::string kept;
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = text.find('\n', begin);
    if (end == std::string::npos) break;
    const auto line = nlohmann::json::parse(text.substr(begin, end - begin), nullptr, false);
    const bool valid = line.is_object() && line.contains("step") &&
                       line["step"].is_number_integer();
    if (valid && line["step"].get<int64_t>() <= step) kept += text.substr(begin, end + 1 - begin);
    begin = end + 1;
  }
  if (kept != text) write_file(path, kept);
}

}  // namespace

MetricsLog::MetricsLog(const std::filesystem::path& run, int64_t first_step)
    : path_(run / "metrics.jsonl"), samples_(run / "samples.jsonl") {
  drop_later_lines(path_, first_step);
  drop_later_lines(samples_, first_step);
  file_ = std::fopen(path_.c_str(), "ae");
  if (file_ == nullptr) {
    fail(ErrorCode::kInputOutput, "cannot open '{}': {}", path_.string(), errno_text(errno));
  }
  events_ = std::make_unique<TensorBoardWriter>(run);
  if (first_step > 0) events_->restart_at(first_step + 1, wall_time());
}

MetricsLog::~MetricsLog() {
  if (file_ != nullptr) std::fclose(file_);
}

void MetricsLog::write(const StepReport& r) {
  nlohmann::ordered_json line = {{"step", r.step},           {"tokens", r.tokens},
                                 {"loss", r.loss},           {"lr", r.lr},
                                 {"grad_norm", r.grad_norm}, {"tokens_per_s", r.tokens_per_s},
                                 {"elapsed_s", r.elapsed_s}};
  if (r.gemm_fraction > 0) line["gemm_fraction"] = r.gemm_fraction;
  if (r.val_loss) line["val_loss"] = *r.val_loss, line["val_tokens"] = r.val_tokens;
  if (r.val_nats_per_character) line["val_nats_per_character"] = *r.val_nats_per_character;
  if (r.val_bits_per_byte) line["val_bits_per_byte"] = *r.val_bits_per_byte;
  for (const auto& [name, loss] : r.val_losses) line["val_loss_" + name] = loss;
  const std::string text = line.dump() + "\n";
  if (std::fwrite(text.data(), 1, text.size(), file_) != text.size() || std::fflush(file_) != 0) {
    fail(ErrorCode::kInputOutput, "cannot write '{}': {}", path_.string(), errno_text(errno));
  }
  const auto scalar = [&, now = wall_time()](const std::string& tag, std::optional<double> value) {
    if (value) events_->scalar(tag, r.step, static_cast<float>(*value), now);
  };
  scalar("loss/train", r.loss);
  scalar("loss/validation", r.val_loss);
  scalar("loss_per_character/validation", r.val_nats_per_character);
  scalar("bits_per_byte/validation", r.val_bits_per_byte);
  for (const auto& [name, loss] : r.val_losses) scalar("loss/validation_" + name, loss);
  scalar("optimizer/lr", r.lr);
  scalar("optimizer/grad_norm", r.grad_norm);
  scalar("speed/tokens_per_s", r.tokens_per_s);
  events_->flush();
}

void MetricsLog::append_sample(int64_t step, const std::string& text) const {
  const nlohmann::ordered_json line = {{"step", step}, {"text", text}};
  std::FILE* file = std::fopen(samples_.c_str(), "ae");
  const bool written = file != nullptr &&
                       std::fputs((line.dump(-1, ' ', false, kReplace) + "\n").c_str(), file) >= 0;
  const bool closed = file != nullptr && std::fclose(file) == 0;
  if (written && closed) return;
  fail(ErrorCode::kInputOutput, "cannot write '{}': {}", samples_.string(), errno_text(errno));
}

void MetricsLog::write_sample(int64_t step, const std::string& text) {
  append_sample(step, text);
  events_->text("sample", step, text, wall_time());
  events_->flush();
}

}  // namespace inkstone
