#include "formats/tensorboard.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <charconv>
#include <chrono>
#include <protozero/pbf_writer.hpp>
#include <string>
#include <utility>

#include "base/append_file.h"
#include "base/error.h"
#include "base/utf8.h"
#include "formats/crc32c.h"
#include "formats/little_endian.h"

namespace inkstone {
namespace fs = std::filesystem;
namespace {

constexpr std::string_view kNamePrefix = "events.out.tfevents.";
constexpr size_t kFlushBytes = 64 * 1024;

// Field numbers. Sources: event.proto, summary.proto, tensor.proto, types.proto of TensorFlow.
namespace event {
enum : uint32_t { kWallTime = 1, kStep = 2, kFileVersion = 3, kSummary = 5, kSessionLog = 7 };
}
namespace summary {
enum : uint32_t { kValue = 1 };
}
namespace summary_value {
enum : uint32_t { kTag = 1, kSimpleValue = 2, kTensor = 8, kMetadata = 9 };
}
namespace metadata {
enum : uint32_t { kPluginData = 1, kDataClass = 4 };
enum : int32_t { kDataClassTensor = 2 };
}  // namespace metadata
namespace plugin_data {
enum : uint32_t { kPluginName = 1 };
}
namespace tensor {
enum : uint32_t { kDType = 1, kShape = 2, kStringValue = 8 };
enum : int32_t { kDTypeString = 7 };
}  // namespace tensor
namespace session_log {
enum : uint32_t { kStatus = 1 };
enum : int32_t { kStatusStart = 1 };
}  // namespace session_log

// A CRC of data that hold CRCs is weak, so TFRecord stores it rotated and shifted.
uint32_t masked_crc32c(std::string_view bytes) {
  const uint32_t crc = crc32c(bytes);
  return ((crc >> 15) | (crc << 17)) + 0xA282EAD8u;
}

void append_frame(std::string& to, std::string_view record) {
  std::string length;
  append_little_endian(length, uint64_t{record.size()});
  to += length;
  append_little_endian(to, masked_crc32c(length));
  to += record;
  append_little_endian(to, masked_crc32c(record));
}

double now() {
  return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
}

// The seconds in an event file's name; 0 for any other name.
int64_t seconds_in_name(std::string_view name) {
  int64_t seconds = 0;
  if (!name.starts_with(kNamePrefix)) return 0;
  name.remove_prefix(kNamePrefix.size());
  const auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), seconds);
  return error == std::errc() && end != name.data() + name.size() && *end == '.' ? seconds : 0;
}

std::string host_name() {
  std::array<char, 256> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0 || name[0] == '\0') return "localhost";
  return name.data();
}

fs::path new_path(const fs::path& folder) {
  static std::atomic<int> files{0};
  auto seconds = static_cast<int64_t>(now());
  std::error_code error;  // a folder that cannot be listed may still take a file
  for (fs::directory_iterator at(folder, error), end; !error && at != end; at.increment(error)) {
    seconds = std::max(seconds, seconds_in_name(at->path().filename().string()) + 1);
  }
  return folder / fmt::format("{}{:010d}.{}.{}.{}", kNamePrefix, seconds, host_name(), ::getpid(),
                              files.fetch_add(1));
}

}  // namespace

struct TensorBoardWriter::Impl {
  explicit Impl(const fs::path& folder) : file(new_path(folder)) {}

  void add(std::string_view record) {
    append_frame(waiting, record);
    if (waiting.size() >= kFlushBytes) flush();
  }

  void flush() {
    const std::string frames = std::exchange(waiting, {});
    if (!frames.empty()) file.append(frames);
  }

  AppendFile file;
  std::string waiting;
};

TensorBoardWriter::TensorBoardWriter(const fs::path& folder)
    : impl_(std::make_unique<Impl>(folder)) {
  std::string record;
  protozero::pbf_writer writer(record);
  writer.add_double(event::kWallTime, now());
  writer.add_string(event::kFileVersion, "brain.Event:2");
  impl_->add(record);
  impl_->flush();
}

TensorBoardWriter::~TensorBoardWriter() {
  try {
    impl_->flush();
  } catch (const Error&) {
    // A destructor must not throw, and charts are not worth ending a training run for.
  }
}

void TensorBoardWriter::scalar(std::string_view tag, int64_t step, float value, double wall_time) {
  const std::string utf8_tag = replace_invalid_utf8(tag);
  std::string record;
  protozero::pbf_writer writer(record);
  writer.add_double(event::kWallTime, wall_time);
  writer.add_int64(event::kStep, step);
  {
    protozero::pbf_writer summary_writer(writer, event::kSummary);
    protozero::pbf_writer value_writer(summary_writer, summary::kValue);
    value_writer.add_string(summary_value::kTag, utf8_tag);
    value_writer.add_float(summary_value::kSimpleValue, value);
  }
  impl_->add(record);
}

void TensorBoardWriter::restart_at(int64_t step, double wall_time) {
  std::string record;
  protozero::pbf_writer writer(record);
  writer.add_double(event::kWallTime, wall_time);
  writer.add_int64(event::kStep, step);
  {
    protozero::pbf_writer log_writer(writer, event::kSessionLog);
    log_writer.add_enum(session_log::kStatus, session_log::kStatusStart);
  }
  impl_->add(record);
}

void TensorBoardWriter::text(std::string_view tag, int64_t step, std::string_view value,
                             double wall_time) {
  const std::string utf8_tag = replace_invalid_utf8(tag), utf8_value = replace_invalid_utf8(value);
  std::string record;
  protozero::pbf_writer writer(record);
  writer.add_double(event::kWallTime, wall_time);
  writer.add_int64(event::kStep, step);
  {
    protozero::pbf_writer summary_writer(writer, event::kSummary);
    protozero::pbf_writer value_writer(summary_writer, summary::kValue);
    value_writer.add_string(summary_value::kTag, utf8_tag);
    {
      protozero::pbf_writer tensor_writer(value_writer, summary_value::kTensor);
      tensor_writer.add_enum(tensor::kDType, tensor::kDTypeString);
      tensor_writer.add_message(tensor::kShape, std::string());  // present and empty: a scalar
      tensor_writer.add_bytes(tensor::kStringValue, utf8_value);
    }
    protozero::pbf_writer metadata_writer(value_writer, summary_value::kMetadata);
    {
      protozero::pbf_writer plugin_writer(metadata_writer, metadata::kPluginData);
      plugin_writer.add_string(plugin_data::kPluginName, "text");
    }
    metadata_writer.add_enum(metadata::kDataClass, metadata::kDataClassTensor);
  }
  impl_->add(record);
}

void TensorBoardWriter::flush() { impl_->flush(); }

const fs::path& TensorBoardWriter::path() const { return impl_->file.path(); }

}  // namespace inkstone
