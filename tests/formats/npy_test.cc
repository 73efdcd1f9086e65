#include "formats/npy.h"

#include "base/file.h"
#include "support.h"

namespace inkstone {
namespace {

using test::fixture;
using test::ScratchFolder;
using test::thrown_by;

struct Array {
  std::string name;
  std::vector<float> data;
  std::vector<int64_t> shape;
};

TEST(Npy, WritesTheBytesThatNumPyWrites) {
  const ScratchFolder folder;
  const std::vector<Array> arrays = {{"matrix.npy", {0, 1, 2, 3, 4, 5}, {2, 3}},
                                     {"vector.npy", {0.5f, -1}, {2}},
                                     {"scalar.npy", {2.5f}, {}}};
  for (const Array& array : arrays) {
    write_npy(folder / array.name, array.data, array.shape);
    EXPECT_EQ(read_file(folder / array.name), read_file(fixture("formats/" + array.name)))
        << array.name;
  }
}

// The data begin at a multiple of 64, whatever the length of the header.
TEST(Npy, AlignsTheData) {
  const ScratchFolder folder;
  for (int rank = 0; rank < 40; ++rank) {
    write_npy(folder / "a.npy", std::vector{1.0f}, std::vector<int64_t>(rank, 1));
    const std::string bytes = read_file(folder / "a.npy");
    EXPECT_EQ((bytes.size() - 4) % 64, 0u) << rank;
    EXPECT_EQ(bytes[bytes.size() - 5], '\n') << rank;
  }
}

TEST(Npy, RefusesAShapeThatDoesNotFit) {
  const ScratchFolder folder;
  const std::vector<float> data = {1, 2};
  for (const std::vector<int64_t>& shape : {std::vector<int64_t>{3}, {-1, -2}, {}, {2, 0}}) {
    EXPECT_EQ(thrown_by([&] { write_npy(folder / "a.npy", data, shape); }).code(),
              ErrorCode::kInternal);
  }
  EXPECT_TRUE(std::filesystem::is_empty(folder.path()));
}

}  // namespace
}  // namespace inkstone
