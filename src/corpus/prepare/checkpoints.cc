#include "corpus/prepare/checkpoints.h"

#include <nlohmann/json.hpp>
#include <utility>

#include "base/error.h"
#include "base/hash.h"
#include "inkstone/prepare.h"

namespace inkstone {
namespace {

std::string hash_of(const Json& state) {
  return hash128_hex(state.dump(-1, ' ', false, Json::error_handler_t::replace));
}

}  // namespace

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
    Json found = read_json(file_);
    if (get_string(found, "fingerprint") == fingerprint_ && found.contains("state") &&
        get_string(found, "hash128") == hash_of(found["state"])) {
      found_ = std::make_unique<const Json>(std::move(found["state"]));
    }
  } catch (const Error&) {  // not a state: begin anew
  }
}

Checkpoints::~Checkpoints() = default;

bool Checkpoints::due() {
  stops_ = stops_ || (stop_ && stop_());
  return stops_ || std::chrono::steady_clock::now() - last_ >= interval_;
}

void Checkpoints::save(const Json& state) {
  write_json(file_, {{"fingerprint", fingerprint_}, {"hash128", hash_of(state)}, {"state", state}});
  last_ = std::chrono::steady_clock::now();
  if (stops_) throw Interrupted{};
}

}  // namespace inkstone
