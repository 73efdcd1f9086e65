#include "formats/tensorboard.h"

#include <chrono>
#include <protozero/pbf_reader.hpp>
#include <vector>

#include "base/file.h"
#include "formats/crc32c.h"
#include "formats/little_endian.h"
#include "support.h"

namespace inkstone {
namespace {

namespace fs = std::filesystem;
using test::fixture;
using test::ScratchFolder;
using test::thrown_by;

TEST(Crc32c, KnownVectors) {
  // RFC 3720, B.4, and the check value of the CRC catalogue.
  std::string ascending, descending;
  for (int i = 0; i < 32; ++i) {
    ascending += static_cast<char>(i);
    descending += static_cast<char>(31 - i);
  }
  EXPECT_EQ(crc32c(""), 0u);
  EXPECT_EQ(crc32c("123456789"), 0xE3069283u);
  EXPECT_EQ(crc32c(std::string(32, '\0')), 0x8A9136AAu);
  EXPECT_EQ(crc32c(std::string(32, '\xFF')), 0x62A8AB43u);
  EXPECT_EQ(crc32c(ascending), 0x46DD794Eu);
  EXPECT_EQ(crc32c(descending), 0x113FDB5Cu);
}

uint32_t unmasked(uint32_t crc) {
  const uint32_t rotated = crc - 0xA282EAD8u;
  return (rotated >> 17) | (rotated << 15);
}

// The records of an event file, with every length and checksum checked.
std::vector<std::string> records(std::string_view file) {
  std::vector<std::string> result;
  while (!file.empty()) {
    const bool has_length = file.size() >= 12;
    EXPECT_TRUE(has_length) << file.size() << " bytes at the end";
    if (!has_length) break;
    const auto length = load_little_endian<uint64_t>(file.data());
    EXPECT_EQ(unmasked(load_little_endian<uint32_t>(file.data() + 8)), crc32c(file.substr(0, 8)));
    const bool whole = file.size() - 12 >= length + 4;
    EXPECT_TRUE(whole) << length << " bytes announced, " << file.size() - 12 << " there";
    if (!whole) break;
    result.emplace_back(file.substr(12, length));
    EXPECT_EQ(unmasked(load_little_endian<uint32_t>(file.data() + 12 + length)),
              crc32c(result.back()));
    file.remove_prefix(16 + length);
  }
  return result;
}

fs::path only_file(const fs::path& folder) {
  std::vector<fs::path> found(fs::directory_iterator(folder), fs::directory_iterator{});
  EXPECT_EQ(found.size(), 1u);
  return found.at(0);
}

TEST(TensorBoardWriter, StartsWithTheFileVersion) {
  const ScratchFolder folder;
  const double before =
      std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const TensorBoardWriter writer(folder.path());  // what a reader sees at once
  EXPECT_EQ(writer.path(), only_file(folder.path()));
  const auto found = records(read_file(writer.path()));
  ASSERT_EQ(found.size(), 1u);
  protozero::pbf_reader event(found[0]);
  ASSERT_TRUE(event.next(1));
  EXPECT_NEAR(event.get_double(), before, 100);
  ASSERT_TRUE(event.next(3));
  EXPECT_EQ(event.get_string(), "brain.Event:2");
  EXPECT_FALSE(event.next());
}

TEST(TensorBoardWriter, WritesTheFramesThatPythonWrites) {
  const ScratchFolder folder;
  {
    TensorBoardWriter writer(folder.path());
    writer.scalar("loss", 3, 2.5f, 1000.5);
    writer.text("sample", 4, "To be 墨", 1001.0);
    writer.restart_at(4, 1002.0);
  }
  auto found = records(read_file(only_file(folder.path())));
  const std::string golden = read_file(fixture("formats/events.bin"));
  const std::string bytes = read_file(only_file(folder.path()));
  ASSERT_EQ(found.size(), 4u);
  EXPECT_EQ(bytes.substr(16 + found[0].size()), golden);
  found.erase(found.begin());
  EXPECT_EQ(found, records(golden));
}

TEST(TensorBoardWriter, FlushMakesFramesVisible) {
  const ScratchFolder folder;
  TensorBoardWriter writer(folder.path());
  writer.scalar("loss", 1, 1, 1);
  EXPECT_EQ(records(read_file(writer.path())).size(), 1u);
  writer.flush();
  EXPECT_EQ(records(read_file(writer.path())).size(), 2u);
  writer.flush();
  EXPECT_EQ(records(read_file(writer.path())).size(), 2u);
  writer.text("long", 1, std::string(70'000, 'x'), 1);  // above what waits in memory
  EXPECT_EQ(records(read_file(writer.path())).size(), 3u);
}

TEST(TensorBoardWriter, InvalidUtf8IsReplaced) {
  const ScratchFolder folder;
  TensorBoardWriter writer(folder.path());
  writer.scalar("a\xFF", 1, 1, 1);
  writer.text("b\xFF", 1, "c\xE5\xA2", 1);
  writer.flush();
  const std::string bytes = read_file(writer.path());
  EXPECT_NE(bytes.find("a\xEF\xBF\xBD"), std::string::npos);
  EXPECT_NE(bytes.find("b\xEF\xBF\xBD"), std::string::npos);
  EXPECT_NE(bytes.find("c\xEF\xBF\xBD"), std::string::npos);
  EXPECT_EQ(bytes.find("\xE5\xA2"), std::string::npos);
}

// TensorBoard reads files in the order of their names; a resumed run must come after what it
// resumes, even within the same second or with a clock that went back.
TEST(TensorBoardWriter, ALaterFileSortsLater) {
  const ScratchFolder folder;
  write_file(folder / "events.out.tfevents.4000000000.host.1.0", "");
  write_file(folder / "events.out.tfevents.9999999999", "");  // no host: not a name of this kind
  write_file(folder / "events.out.tfevents.x.host.1.0", "");
  write_file(folder / "metrics.jsonl", "");
  const TensorBoardWriter first(folder.path()), second(folder.path());
  EXPECT_TRUE(first.path().filename().string().starts_with("events.out.tfevents.4000000001."));
  EXPECT_TRUE(second.path().filename().string().starts_with("events.out.tfevents.4000000002."));
}

TEST(TensorBoardWriter, AFolderThatIsNotThere) {
  const ScratchFolder folder;
  EXPECT_EQ(thrown_by([&] { TensorBoardWriter writer(folder / "none"); }).code(),
            ErrorCode::kNotFound);
}

}  // namespace
}  // namespace inkstone
