#include "corpus/load/packed_records.h"

#include <algorithm>
#include <limits>
#include <set>

#include "base/check.h"
#include "base/rng.h"
#include "corpus/load/permutation.h"

namespace inkstone {
namespace {

constexpr int64_t kMostInputs = int64_t{1} << 24;

// The first trained token that has one before it, from the document's first token; 0: there is
// none.
int64_t first_trained(std::span<const TrainedSpan> spans) {
  for (const TrainedSpan& span : spans) {
    if (span.end > 1) return std::max<int64_t>(span.begin, 1);
  }
  return 0;
}

int64_t count_trained(std::span<const TrainedSpan> spans, int64_t begin, int64_t end) {
  int64_t count = 0;
  for (const TrainedSpan& span : spans) {
    count += std::max<int64_t>(
        0, std::min<int64_t>(span.end, end) - std::max<int64_t>(span.begin, begin));
  }
  return count;
}

// Windows with room in them, by how much: best fit takes the fullest that has enough.
class OpenWindows {
 public:
  explicit OpenWindows(int64_t length) : by_room_(static_cast<size_t>(length) + 1) {}

  // A window with room for `inputs`; -1: none. It is taken out.
  int64_t take(int64_t inputs, int64_t& room) {
    const auto at = rooms_.lower_bound(inputs);
    if (at == rooms_.end()) return -1;
    room = *at;
    auto& windows = by_room_[static_cast<size_t>(room)];
    const uint32_t window = windows.back();
    windows.pop_back();
    if (windows.empty()) rooms_.erase(at);
    return window;
  }
  void put(uint32_t window, int64_t room) {
    if (room == 0) return;
    by_room_[static_cast<size_t>(room)].push_back(window);
    rooms_.insert(room);
  }

 private:
  std::vector<std::vector<uint32_t>> by_room_;
  std::set<int64_t> rooms_;
};

}  // namespace

PackedRecords::PackedRecords(const TrainedSpans& spans, int64_t context, uint64_t seed,
                             Length length)
    : seed_(seed) {
  INK_CHECK(context >= 1 && context <= kMostInputs, "no window fits");
  INK_CHECK(spans.documents() < std::numeric_limits<uint32_t>::max(), "too many records");
  add_records(spans, context);
  length_ = length == Length::kContext && counts_.inputs > 0 ? context
                                                             : std::min(context, counts_.inputs);
  if (length_ > 0) make_windows();
}

void PackedRecords::add_records(const TrainedSpans& spans, int64_t context) {
  counts_.records = spans.documents();
  for (int64_t i = 0; i < spans.documents(); ++i) {
    const int64_t first = first_trained(spans.spans(i));
    if (first == 0) {
      ++counts_.untrained;
      continue;
    }
    const int64_t end = spans.spans(i).back().end;
    const int64_t begin = std::clamp<int64_t>(end - 1 - context, 0, first - 1);
    const int64_t inputs = std::min(context, end - 1 - begin);
    counts_.prompts_cut += begin > 0 ? 1 : 0;
    counts_.completions_cut += begin + inputs + 1 < end ? 1 : 0;
    counts_.inputs += inputs;
    counts_.trained_tokens += count_trained(spans.spans(i), begin + 1, begin + inputs + 1);
    records_.push_back({i, spans.begin(i) + begin, inputs});
  }
}

void PackedRecords::make_windows() {
  std::stable_sort(records_.begin(), records_.end(),
                   [](const PackedText& a, const PackedText& b) { return a.inputs > b.inputs; });
  groups_.resize(static_cast<size_t>(length_) + 1);
  OpenWindows open(length_);
  std::vector<std::vector<uint32_t>> windows;
  for (uint32_t slot = 0; slot < records_.size(); ++slot) {
    const int64_t inputs = records_[slot].inputs;
    Group& group = groups_[static_cast<size_t>(inputs)];
    if (group.count++ == 0) group.first_slot = slot;
    int64_t room = length_;
    int64_t window = open.take(inputs, room);
    if (window < 0) {
      window = static_cast<int64_t>(windows.size());
      windows.emplace_back();
    }
    windows[static_cast<size_t>(window)].push_back(slot);
    open.put(static_cast<uint32_t>(window), room - inputs);
  }
  for (const auto& slots : windows) {
    slots_.insert(slots_.end(), slots.begin(), slots.end());
    first_slot_.push_back(static_cast<uint32_t>(slots_.size()));
  }
}

PackedText PackedRecords::record_in(uint32_t slot, int64_t epoch) const {
  const int64_t inputs = records_[slot].inputs;
  const Group& group = groups_[static_cast<size_t>(inputs)];
  const Random random(seed_, RandomStream::kRecordOrder,
                      static_cast<uint64_t>(epoch * (kMostInputs + 1) + inputs));
  return records_[group.first_slot + permute(random, slot - group.first_slot, group.count)];
}

std::vector<PackedText> PackedRecords::texts(int64_t index) const {
  INK_CHECK(index >= 0 && length_ > 0, "no such window");
  const int64_t epoch = index / windows_per_epoch();
  const Random random(seed_, RandomStream::kDataOrder, static_cast<uint64_t>(epoch));
  const auto window = static_cast<size_t>(
      permute(random, static_cast<uint64_t>(index % windows_per_epoch()),
              static_cast<uint64_t>(windows_per_epoch())));
  std::vector<PackedText> texts;
  for (uint32_t i = first_slot_[window]; i < first_slot_[window + 1]; ++i)
    texts.push_back(record_in(slots_[i], epoch));
  return texts;
}

}  // namespace inkstone
