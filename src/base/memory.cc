#include "base/memory.h"

#include <algorithm>
#include <fstream>
#include <optional>
#include <string>

namespace inkstone {
namespace {

constexpr int64_t kUnknown = int64_t{1} << 62;

// The number that a file of the system holds; nothing if it holds none ("max").
std::optional<int64_t> number_in(const char* path) {
  std::ifstream file(path);
  int64_t value = 0;
  return file >> value ? std::optional(value) : std::nullopt;
}

// "MemAvailable:   1234 kB"
int64_t available_bytes() {
  std::ifstream file("/proc/meminfo");
  for (std::string line; std::getline(file, line);) {
    constexpr std::string_view kName = "MemAvailable:";
    if (line.starts_with(kName)) return std::stoll(line.substr(kName.size())) * 1024;
  }
  return kUnknown;
}

// The number behind a name, "inactive_file 1234"; 0 if there is none.
int64_t number_of(const char* path, std::string_view name) {
  std::ifstream file(path);
  std::string word;
  for (int64_t value = 0; file >> word >> value;) {
    if (word == name) return value;
  }
  return 0;
}

// Of a control group, version 2, then 1; cached files that nobody uses can be given back.
int64_t left_in_group_bytes() {
  const auto left = [](const char* limit, const char* used, int64_t cached) {
    const auto most = number_in(limit), now = number_in(used);
    return most && now ? std::max<int64_t>(0, *most - std::max<int64_t>(0, *now - cached))
                       : kUnknown;
  };
  return std::min(left("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory.current",
                       number_of("/sys/fs/cgroup/memory.stat", "inactive_file")),
                  left("/sys/fs/cgroup/memory/memory.limit_in_bytes",
                       "/sys/fs/cgroup/memory/memory.usage_in_bytes",
                       number_of("/sys/fs/cgroup/memory/memory.stat", "total_inactive_file")));
}

}  // namespace

int64_t free_memory_bytes() { return std::min(available_bytes(), left_in_group_bytes()); }

}  // namespace inkstone
