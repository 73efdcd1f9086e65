#include "corpus/prepare/checkpoints.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "corpus/prepare/prepare.h"

namespace inkstone {

Checkpoints::Checkpoints(std::filesystem::path file, std::string fingerprint, double seconds,
                         std::function<bool()> stop)
    : file_(std::move(file)),
      fingerprint_(std::move(fingerprint)),
      interval_(seconds),
      stop_(std::move(stop)),
      found_(std::make_unique<const Json>(nullptr)) {
  std::error_code ignored;
  if (!std::filesystem::exists(file_, ignored)) return;
  try {
    Json state = read_json(file_);
    if (get_string(state, "fingerprint") == fingerprint_)
      found_ = std::make_unique<const Json>(std::move(state));
  } catch (const Error&) {  // not a state: begin anew
  }
}

Checkpoints::~Checkpoints() = default;

bool Checkpoints::due() {
  stops_ = stops_ || (stop_ && stop_());
  return stops_ || std::chrono::steady_clock::now() - last_ >= interval_;
}

void Checkpoints::save(Json state) {
  state["fingerprint"] = fingerprint_;
  write_json(file_, state);
  last_ = std::chrono::steady_clock::now();
  if (stops_) throw Interrupted{};
}

}  // namespace inkstone
