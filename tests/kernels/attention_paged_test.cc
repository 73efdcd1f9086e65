// Attention over pages: against the reference, and the promise that a row's bits do not depend on
// how its sequence is fed, on what is fed beside it, on where its pages lie and on threads.
#include <algorithm>
#include <cmath>
#include <cstring>
#include <limits>
#include <numeric>
#include <random>

#include "kernels/cpu/half.h"
#include "kernels/harness.h"
#include "kernels/page_layout.h"
#include "kernels/reference.h"
#include "kernels/reference_codes.h"
#include "support.h"

namespace inkstone::test {
namespace {

constexpr DType kTypes[] = {DType::kF32, DType::kBF16};
constexpr DType kCaches[] = {DType::kF32, DType::kBF16, DType::kF16};
using Random = std::mt19937;

int32_t below(Random& random, int64_t end) {
  return static_cast<int32_t>(random() % static_cast<uint64_t>(end));
}

void for_every_instruction_set(const std::function<void()>& f) {
  for (const int64_t target : instruction_sets()) {
    const ForcedInstructionSet forced(target);
    SCOPED_TRACE(cpu().description().english());
    f();
  }
}

std::vector<PagedRow> causal_rows(int32_t sequence, int32_t begin, int32_t end) {
  std::vector<PagedRow> rows;
  for (int32_t t = begin; t < end; ++t) rows.push_back({sequence, t, 0, t});
  return rows;
}

// Rows one by one, groups that end within a tile, and intervals of every kind.
std::vector<PagedRow> mixed_rows() {
  std::vector<PagedRow> rows = causal_rows(1, 30, 110);
  rows.push_back({0, 0, 0, 0});
  for (int32_t i = 0; i < 90; ++i) rows.push_back({2, 150 + i, 70 + i * 3 / 2, 239 + i % 7});
  rows.push_back({3, 257, 100, 319});
  rows.push_back({3, 258, 15, 16});
  rows.push_back({3, 259, 256, 256});
  for (const PagedRow& row : causal_rows(4, 297, 305)) rows.push_back(row);
  return rows;
}

TEST(AttentionPaged, AgreesWithTheReference) {
  for (const DType type : kTypes) {
    for (const DType cache : kCaches) {
      for (const int64_t HS : {1, 3, 5, 16, 64, 80, 100}) {
        check(attention_paged_case({.NH = HS < 16 ? 3 : 1,
                                    .HS = HS,
                                    .S = 5,
                                    .M = 20,
                                    .rows = mixed_rows(),
                                    .type = type,
                                    .cache = cache}));
      }
    }
  }
}

TEST(AttentionPaged, AgreesWithTheReferenceOfCodes) {
  for (const DType type : kTypes) {
    for (const int64_t HS : {32, 64, 96, 160}) {
      check(attention_paged_case({.NH = HS < 64 ? 3 : 1,
                                  .HS = HS,
                                  .S = 5,
                                  .M = 20,
                                  .rows = mixed_rows(),
                                  .type = type,
                                  .cache = DType::kI8}));
    }
  }
}

TEST(AttentionPaged, AgreesWithTheReferenceOnPrompts) {
  for (const int32_t T : {1, 2, 8, 9, 16, 17, 33, 64, 65, 130, 300}) {
    for (const double range : {1.0, 4.0}) {
      check(attention_paged_case(
          {.NH = 2, .HS = 20, .S = 1, .M = 20, .rows = causal_rows(0, 0, T), .range = range}));
      check(attention_paged_case({.NH = 2,
                                  .HS = 32,
                                  .S = 1,
                                  .M = 20,
                                  .rows = causal_rows(0, 0, T),
                                  .cache = DType::kI8,
                                  .range = range}));
    }
  }
}

// attention_forward's result within its bounds: 5 tiles, here 4 and 1 of two spans, which are
// merged.
TEST(AttentionPaged, IsAttention) {
  for (const DType type : kTypes) {
    const AttentionCase c{.B = 1, .T = 300, .NH = 2, .HS = 20, .type = type};
    const int64_t C = c.NH * c.HS, M = 19;
    const OperationCase forward = attention_forward_case(c);
    const CaseMemory memory(forward, 0);
    Values expected(forward.tensors, memory.views(), 1);
    forward.expect(expected);
    std::vector<int32_t> zeros(c.T), positions(c.T), pages(M);
    std::iota(positions.begin(), positions.end(), 0);
    std::iota(pages.rbegin(), pages.rend(), 0);
    std::vector<float> keys(M * kPagePositions * C), values(keys);
    for_every_instruction_set([&] {
      cpu().attention_paged({.qkv = memory.views()[0].reshaped({c.T, 3 * C}),
                             .sequences = view(zeros.data(), {c.T}),
                             .positions = view(positions.data(), {c.T}),
                             .first_keys = view(zeros.data(), {c.T}),
                             .last_keys = view(positions.data(), {c.T}),
                             .pages = view(pages.data(), {1, M}),
                             .keys = {keys.data(), type, {M, c.NH, c.HS, kPagePositions}},
                             .values = {values.data(), type, {M, c.NH, kPagePositions, c.HS}},
                             .scale = c.scale(),
                             .out = memory.views()[1].reshaped({c.T, C})});
      EXPECT_TRUE(
          within_bounds(to_doubles(memory.views()[1]), expected[1], expected.bound(1), type));
    });
  }
}

// What a row of a sequence sees.
enum class Sight { kCausal, kWindow, kPrefix, kAny };

// Sequences with all their rows, which can be fed in many ways.
struct World {
  struct Sequence {
    int32_t length, together;  // the first `together` rows are fed at once: they see each other
    Sight sight;
  };
  int64_t NH, HS;
  DType type, cache;
  std::vector<Sequence> sequences = {};
  std::vector<float> qkv = {};  // [rows,3C], room for either type
  std::vector<PagedRow> rows = {};
  std::vector<int64_t> begins = {};  // row of each sequence's first position

  int64_t C() const { return NH * HS; }
  int64_t M() const { return 20; }
  int64_t row_bytes() const { return C() * size_bytes(type); }
  View qkv_view() { return {qkv.data(), type, {static_cast<int64_t>(rows.size()), 3 * C()}}; }
  // Element e of q (0), k (1) or v (2) at a position.
  void set(int sequence, int64_t t, int part, int64_t e, double x) {
    put(qkv_view(), (begins[sequence] + t) * 3 * C() + part * C() + e, x);
  }
};

PagedRow sight_of(const World::Sequence& s, int32_t sequence, int32_t t, Random& random) {
  switch (s.sight) {
    case Sight::kWindow: return {sequence, t, std::max(0, t - 70), t};
    case Sight::kPrefix: return {sequence, t, 0, std::max(t, s.together - 1)};
    case Sight::kAny: {
      const int32_t last = below(random, std::max(t + 1, s.together));
      return {sequence, t, below(random, last + 1), last};
    }
    default: return {sequence, t, 0, t};
  }
}

World make_world(int64_t NH, int64_t HS, DType type, DType cache, Random& random) {
  World w{.NH = NH, .HS = HS, .type = type, .cache = cache};
  w.sequences = {{300, 1, Sight::kCausal},
                 {150, 1, Sight::kWindow},
                 {140, 100, Sight::kPrefix},
                 {280, 30, Sight::kAny}};
  for (size_t s = 0; s < w.sequences.size(); ++s) {
    w.begins.push_back(static_cast<int64_t>(w.rows.size()));
    for (int32_t t = 0; t < w.sequences[s].length; ++t)
      w.rows.push_back(sight_of(w.sequences[s], static_cast<int32_t>(s), t, random));
  }
  w.qkv.resize(w.rows.size() * 3 * w.C());
  for (int64_t i = 0; i < w.qkv_view().count(); ++i)
    put(w.qkv_view(), i, std::normal_distribution<double>()(random));
  return w;
}

// Rows begin..end - 1 of the world, of one sequence; a call has some of them.
struct Chunk {
  int64_t begin, end;
};
using Call = std::vector<Chunk>;

// Feeds the calls one after another; pages that were not written hold NaN. Returns out of all rows
// of the world, [rows,C], of those that were not fed zero.
std::vector<std::byte> feed(World& w, Backend& backend, const std::vector<Call>& calls,
                            Random& random) {
  const auto S = static_cast<int64_t>(w.sequences.size()), P = S * w.M() + 3;
  std::vector<int32_t> pages(P);
  std::iota(pages.begin(), pages.end(), 0);
  std::shuffle(pages.begin(), pages.end(), random);
  const Shape keys_of = keys_shape(w.cache, P, w.NH, w.HS),
              values_of = values_shape(w.cache, P, w.NH, w.HS);
  std::vector<uint8_t> keys(keys_of.count() * size_bytes(w.cache), 0xFF), values(keys);
  std::vector<std::byte> result(w.rows.size() * w.row_bytes());
  for (const Call& call : calls) {
    std::vector<std::byte> qkv, out;
    std::vector<int32_t> of[4];
    const auto* all = static_cast<const std::byte*>(w.qkv_view().data);
    for (const Chunk& c : call) {
      qkv.insert(qkv.end(), all + c.begin * 3 * w.row_bytes(), all + c.end * 3 * w.row_bytes());
      for (int64_t r = c.begin; r < c.end; ++r) {
        const PagedRow& row = w.rows[r];
        const int32_t fields[] = {row.sequence, row.position, row.first_key, row.last_key};
        for (int i = 0; i < 4; ++i) of[i].push_back(fields[i]);
      }
    }
    const auto R = static_cast<int64_t>(of[0].size());
    out.resize(R * w.row_bytes());
    const auto index = [&](int i) { return view(of[i].data(), {R}); };
    backend.attention_paged({.qkv = {qkv.data(), w.type, {R, 3 * w.C()}},
                             .sequences = index(0),
                             .positions = index(1),
                             .first_keys = index(2),
                             .last_keys = index(3),
                             .pages = view(pages.data(), {S, w.M()}),
                             .keys = {keys.data(), w.cache, keys_of},
                             .values = {values.data(), w.cache, values_of},
                             .scale = 1 / std::sqrt(static_cast<float>(w.HS)),
                             .out = {out.data(), w.type, {R, w.C()}}});
    const std::byte* from = out.data();
    for (const Chunk& c : call) {
      const int64_t bytes = (c.end - c.begin) * w.row_bytes();
      std::memcpy(result.data() + c.begin * w.row_bytes(), from, bytes);
      from += bytes;
    }
  }
  return result;
}

// Every row in a call of its own, but for those that must be fed together.
std::vector<Call> one_by_one(const World& w) {
  std::vector<Call> calls;
  for (size_t s = 0; s < w.sequences.size(); ++s) {
    for (int64_t t = 0; t < w.sequences[s].length;) {
      const int64_t next = t == 0 ? w.sequences[s].together : t + 1;
      calls.push_back({{w.begins[s] + t, w.begins[s] + next}});
      t = next;
    }
  }
  return calls;
}

// All sequences at once, each whole.
std::vector<Call> at_once(const World& w) {
  Call call;
  for (size_t s = 0; s < w.sequences.size(); ++s)
    call.push_back({w.begins[s], w.begins[s] + w.sequences[s].length});
  return {call};
}

// Chunks of random lengths, of some of the sequences in each call, in random order.
std::vector<Call> random_calls(const World& w, Random& random) {
  std::vector<Call> calls;
  std::vector<int64_t> fed(w.sequences.size());
  for (bool left = true; left;) {
    Call call;
    left = false;
    for (size_t s = 0; s < fed.size(); ++s) {
      const int64_t length = w.sequences[s].length, longest = below(random, 3) == 0 ? 130 : 9;
      if (fed[s] < length && below(random, 3) != 0) {
        int64_t next = fed[s] + 1 + below(random, longest);
        if (fed[s] == 0) next = std::max<int64_t>(next, w.sequences[s].together);
        next = std::min(next, length);
        call.push_back({w.begins[s] + fed[s], w.begins[s] + next});
        fed[s] = next;
      }
      left = left || fed[s] < length;
    }
    std::shuffle(call.begin(), call.end(), random);
    if (!call.empty()) calls.push_back(call);
  }
  return calls;
}

// The rows whose bytes differ.
std::vector<int64_t> differences(const World& w, const std::vector<std::byte>& a,
                                 const std::vector<std::byte>& b) {
  std::vector<int64_t> rows;
  for (size_t r = 0; r < w.rows.size(); ++r) {
    if (std::memcmp(a.data() + r * w.row_bytes(), b.data() + r * w.row_bytes(), w.row_bytes()) != 0)
      rows.push_back(static_cast<int64_t>(r));
  }
  return rows;
}

void check_every_way(World& w, Random& random) {
  const std::vector<int64_t> none;
  const auto expected = feed(w, cpu(1), one_by_one(w), random);
  for (const int threads : {1, 2, 3}) {
    SCOPED_TRACE(threads);
    EXPECT_EQ(differences(w, expected, feed(w, cpu(threads), at_once(w), random)), none);
    EXPECT_EQ(differences(w, expected, feed(w, cpu(threads), random_calls(w, random), random)),
              none);
  }
  // Few tasks for many threads: each span is a task of its own.
  EXPECT_EQ(differences(w, expected, feed(w, cpu(7), one_by_one(w), random)), none);
}

TEST(AttentionPaged, TheSameBitsHoweverSequencesAreFed) {
  Random random(7);
  for (const DType type : kTypes) {
    for (const DType cache : kCaches) {
      for (const int64_t HS : {1, 5, 20, 37}) {
        SCOPED_TRACE(fmt::format("HS={} {} pages {}", HS, name(type), name(cache)));
        World w = make_world(HS < 20 ? 3 : 1, HS, type, cache, random);
        for_every_instruction_set([&] { check_every_way(w, random); });
      }
    }
  }
}

TEST(AttentionPaged, TheSameBitsOfCodesHoweverSequencesAreFed) {
  Random random(12);
  for (const DType type : kTypes) {
    for (const int64_t HS : {32, 64, 160}) {
      SCOPED_TRACE(fmt::format("HS={} {}", HS, name(type)));
      World w = make_world(HS < 64 ? 2 : 1, HS, type, DType::kI8, random);
      for_every_instruction_set([&] { check_every_way(w, random); });
    }
  }
}

TEST(AttentionPaged, TheSameBitsHoweverLongHeadsAreFed) {
  Random random(8);
  for (const DType cache : kCaches) {
    for (const int64_t HS : {64, 100}) {
      World w = make_world(1, HS, DType::kF32, cache, random);
      for_every_instruction_set([&] { check_every_way(w, random); });
    }
  }
}

// Negative scores far from each other and values that are zero or almost: partial results of either
// zero.
TEST(AttentionPaged, TheSameBitsOfZeros) {
  Random random(9);
  World w = make_world(1, 5, DType::kF32, DType::kF32, random);
  const View qkv = w.qkv_view();
  for (int64_t i = 0; i < qkv.count(); ++i) {
    const bool value = i % 15 >= 10;
    const double of_values[] = {-0.0, 0.0, -1e-44, -1e-30, 1e-44};
    put(qkv, i,
        value ? of_values[below(random, 5)] : 20 * std::normal_distribution<double>()(random));
  }
  for_every_instruction_set([&] { check_every_way(w, random); });
}

// However the rows are fed, those of the first sequence that see position `key` have other bits
// with `bad` than with `clean`, and no others. Calls check(out, t) for each of them.
template <typename F>
void check_who_sees(World& clean, World& bad, int64_t key, Random& random, F&& check) {
  std::vector<int64_t> seen(bad.sequences[0].length - key);
  std::iota(seen.begin(), seen.end(), key);
  for_every_instruction_set([&] {
    const auto expected = feed(clean, cpu(1), one_by_one(clean), random);
    for (const auto& calls : {one_by_one(bad), at_once(bad), random_calls(bad, random)}) {
      auto got = feed(bad, cpu(2), calls, random);
      EXPECT_EQ(differences(bad, expected, got), seen);
      for (const int64_t t : seen) check(reinterpret_cast<const float*>(got.data()), t);
    }
  });
}

// A row knows nothing of numbers that it does not see, whatever they are; what it sees shows.
TEST(AttentionPaged, NaNAndInfinityReachOnlyWhoSeesThem) {
  Random random(10);
  for (const DType cache : kCaches) {
    World clean = make_world(2, 5, DType::kF32, cache, random), bad = clean;
    constexpr int64_t kKey = 77, kValue = 130, kInfinite = 200;
    bad.set(0, kKey, 1, 3, NAN);
    bad.set(0, kValue, 2, 3, NAN);
    bad.set(0, kInfinite, 2, 9, HUGE_VAL);
    check_who_sees(clean, bad, kKey, random, [](const float* out, int64_t t) {
      EXPECT_TRUE(std::isnan(out[t * 10 + 0]) && std::isnan(out[t * 10 + 3])) << t;
      EXPECT_EQ(std::isfinite(out[t * 10 + 9]), t < kInfinite) << t;
      EXPECT_TRUE(std::isfinite(out[t * 10 + 8])) << t;
    });
  }
}

// In q8_0 pages a number that is not finite takes the 31 channels along that share its scale, and
// so does one that no scale reaches.
TEST(AttentionPaged, NaNAndInfinityInCodesReachOnlyWhoSeesThem) {
  Random random(13);
  World clean = make_world(2, 96, DType::kF32, DType::kI8, random), bad = clean;
  constexpr int64_t kKey = 77, C = 192;
  bad.set(0, kKey, 1, 3, NAN);  // of head 0; the others are values of head 1
  struct Bad {
    int64_t position, channel;
    double x;
  };
  const Bad values[] = {{130, 99, -NAN}, {200, 130, -HUGE_VAL}, {240, 191, 1e7}};
  for (const Bad& b : values) bad.set(0, b.position, 2, b.channel, b.x);
  check_who_sees(clean, bad, kKey, random, [&](const float* out, int64_t t) {
    const auto nans = [&](int64_t begin, int64_t count) {
      const float* const x = out + t * C + begin;
      return std::count_if(x, x + count, [](float y) { return !std::isfinite(y); });
    };
    EXPECT_EQ(nans(0, 96), 96) << t;
    for (const Bad& b : values)
      EXPECT_EQ(nans(b.channel / 32 * 32, 32), t < b.position ? 0 : 32) << t;
  });
}

// Groups of 32 numbers, many of them just between two codes or next to that, of every magnitude:
// each row sees itself alone, so that out is what the page holds.
TEST(AttentionPaged, CodesAreRoundedToNearestEven) {
  constexpr int64_t C = 64, R = 1024, M = R / kPagePositions;
  Random random(14);
  std::vector<float> qkv(R * 3 * C);
  const auto code = [&](int64_t i) {
    const double middle = below(random, 254) - 127 + 0.5;
    const double of_kinds[] = {middle, std::nextafter(static_cast<float>(middle), 0.0f),
                               127.0 * std::normal_distribution<double>()(random) / 3, -0.0};
    return i % 32 == 7 ? 127.0 : std::clamp(of_kinds[below(random, 4)], -127.0, 127.0);
  };
  for (int64_t i = 0; i < R * C; ++i) {
    const double magnitude = i / 32 < 16 ? 0 : std::ldexp(1 + (i / 32 % 7) / 8.0, i / 32 % 44 - 29);
    const int64_t at = i / C * 3 * C + C + i % C;
    qkv[at] = qkv[at + C] = static_cast<float>(code(i) * magnitude);
  }
  std::vector<int32_t> zeros(R), positions(R), pages(M);
  std::iota(positions.begin(), positions.end(), 0);
  std::iota(pages.begin(), pages.end(), 0);
  const reference::PagedSizes s{.R = R, .NH = 1, .HS = C, .M = M, .cache = DType::kI8};
  const View all = view(qkv.data(), {R, 3 * C});
  const int64_t bytes = M * page_elements(DType::kI8, C);
  std::vector<double> expected_keys(bytes), expected_values(bytes);
  reference::store_in_pages(s, {zeros, positions, positions, positions, pages}, to_doubles(all),
                            expected_keys, expected_values);
  const auto numbers = reference::values_of_bytes(s, expected_values);
  std::vector<int8_t> keys(bytes), values(bytes);
  std::vector<float> out(R * C);
  for_every_instruction_set([&] {
    const View of_keys{keys.data(), DType::kI8, keys_shape(DType::kI8, M, 1, C)},
        of_values{values.data(), DType::kI8, values_shape(DType::kI8, M, 1, C)};
    cpu().attention_paged({.qkv = all,
                           .sequences = view(zeros.data(), {R}),
                           .positions = view(positions.data(), {R}),
                           .first_keys = view(positions.data(), {R}),
                           .last_keys = view(positions.data(), {R}),
                           .pages = view(pages.data(), {1, M}),
                           .keys = of_keys,
                           .values = of_values,
                           .out = view(out.data(), {R, C})});
    EXPECT_EQ(to_doubles(of_keys), expected_keys);
    EXPECT_EQ(to_doubles(of_values), expected_values);
    EXPECT_TRUE(std::equal(out.begin(), out.end(), numbers.begin(), numbers.end()));
  });
  // The definition's bound: half a scale, or 127 times half the spacing of halves where scales are
  // below the normal ones; and what rounding the scale to a half leaves out.
  for (int64_t i = 0; i < R * C; ++i) {
    const float* const group = qkv.data() + i / C * 3 * C + 2 * C + i % C / 32 * 32;
    double largest = 0;
    for (int64_t e = 0; e < 32; ++e) largest = std::max(largest, std::fabs(double{group[e]}));
    EXPECT_NEAR(numbers[i], group[i % 32],
                largest / 127 * (0.5 + 127 * 0x1p-11) * (1 + 0x1p-10) + 127.5 * 0x1p-25);
  }
}

// One key far above all others: its value, as it is stored.
TEST(AttentionPaged, HugeScores) {
  Random random(11);
  for (const DType cache : {DType::kF32, DType::kBF16}) {
    World w = make_world(1, 5, DType::kF32, cache, random);
    constexpr int64_t kBest = 70;
    for (int64_t t = 0; t < w.sequences[0].length; ++t) {
      for (int64_t e = 0; e < w.HS; ++e) {
        w.set(0, t, 0, e, 1e15);
        w.set(0, t, 1, e, t == kBest ? 1e15 : -1e15);
      }
    }
    for_every_instruction_set([&] {
      for (const auto& calls : {one_by_one(w), at_once(w)}) {
        const auto bytes = feed(w, cpu(2), calls, random);
        const auto* out = reinterpret_cast<const float*>(bytes.data());
        for (int64_t t = kBest; t < w.sequences[0].length; ++t) {
          for (int64_t e = 0; e < w.HS; ++e) {
            const double value = w.qkv[kBest * 3 * w.C() + 2 * w.C() + e];
            EXPECT_EQ(out[t * w.C() + e], reference::cast(value, cache)) << t;
          }
        }
      }
    });
  }
}

// Every half, and what lies just between two of them and next to that, stored by each instruction
// set and by to_f16, and loaded again: each row sees itself alone.
TEST(AttentionPaged, HalvesAreRoundedToNearestEven) {
  constexpr int64_t C = 64, R = 3 * 65536 / C, M = R / kPagePositions;
  std::vector<float> qkv(R * 3 * C);
  std::vector<double> expected;
  for (int64_t i = 0; i < R * C; ++i) {
    const auto bits = static_cast<uint16_t>(i / 3);
    const float half = half_to_float(bits), next = half_to_float(bits + 1);
    const float middle = std::isfinite(half) && std::isfinite(next) ? half + (next - half) / 2
                                                                    : half;
    const float x = i % 3 == 0 ? half : i % 3 == 1 ? middle : std::nextafter(middle, 0.0f);
    qkv[i / C * 3 * C + 2 * C + i % C] = x;
    expected.push_back(reference::cast(x, DType::kF16));
  }
  std::vector<int32_t> zeros(R), positions(R), pages(M);
  std::iota(positions.begin(), positions.end(), 0);
  std::iota(pages.begin(), pages.end(), 0);
  std::vector<f16> keys(R * C), values(R * C);
  std::vector<float> out(R * C);
  const auto agrees = [&](int64_t i) {
    const float got = half_to_float(values[i].bits);
    const f16 alone = to_f16(qkv[i / C * 3 * C + 2 * C + i % C]);
    if (std::isnan(expected[i])) return std::isnan(got) && std::isnan(out[i]);
    return alone.bits == values[i].bits && got == expected[i] && out[i] == expected[i] &&
           std::signbit(got) == std::signbit(expected[i]);
  };
  for_every_instruction_set([&] {
    cpu().attention_paged({.qkv = view(qkv.data(), {R, 3 * C}),
                           .sequences = view(zeros.data(), {R}),
                           .positions = view(positions.data(), {R}),
                           .first_keys = view(positions.data(), {R}),
                           .last_keys = view(positions.data(), {R}),
                           .pages = view(pages.data(), {1, M}),
                           .keys = {keys.data(), DType::kF16, {M, 1, C, kPagePositions}},
                           .values = {values.data(), DType::kF16, {M, 1, kPagePositions, C}},
                           .out = view(out.data(), {R, C})});
    int64_t wrong = 0;
    for (int64_t i = 0; i < R * C; ++i) wrong += agrees(i) ? 0 : 1;
    EXPECT_EQ(wrong, 0);
  });
}

// What a call may not say.
TEST(AttentionPaged, RefusesWhatDoesNotExist) {
  const auto refuses = [](PagedRow row, int32_t page, const std::string& part) {
    std::vector<float> memory(6 * kPagePositions), qkv(6), out(2);
    std::vector<int32_t> pages = {page, 0};
    const View keys = view(memory.data(), {3, 1, 2, kPagePositions});
    const auto index = [](const int32_t& x) { return view(&x, {1}); };
    for (const int threads : {1, 2}) {
      EXPECT_TRUE(mentions(thrown_by([&] {
                             cpu(threads).attention_paged(
                                 {.qkv = view(qkv.data(), {1, 6}),
                                  .sequences = index(row.sequence),
                                  .positions = index(row.position),
                                  .first_keys = index(row.first_key),
                                  .last_keys = index(row.last_key),
                                  .pages = view(pages.data(), {1, 2}),
                                  .keys = keys,
                                  .values = keys.reshaped({3, 1, kPagePositions, 2}),
                                  .out = view(out.data(), {1, 2})});
                           }),
                           part));
    }
  };
  refuses({1, 0, 0, 0}, 0, "sequence");
  refuses({-1, 0, 0, 0}, 0, "sequence");
  refuses({0, 32, 0, 0}, 0, "beyond");
  refuses({0, 0, 0, 32}, 0, "beyond");
  refuses({0, -1, 0, 0}, 0, "negative");
  refuses({0, 0, -1, 0}, 0, "negative");
  refuses({0, 0, 1, 0}, 0, "no key");
  refuses({0, 0, 0, 0}, 3, "page");
  refuses({0, 0, 0, 0}, -1, "page");
  refuses({0, 16, 0, 16}, 3, "page");
}

TEST(AttentionPaged, RefusesCodesOfHeadsThatAreNoWholeGroups) {
  std::vector<float> qkv(3 * 48), out(48);
  std::vector<int8_t> memory(51 * kPagePositions);
  const int32_t zero = 0;
  const ConstView index = view(&zero, {1});
  const View pages{memory.data(), DType::kI8, {1, 1, 51 * kPagePositions}};
  EXPECT_TRUE(mentions(thrown_by([&] {
                         cpu().attention_paged({.qkv = view(qkv.data(), {1, 3 * 48}),
                                                .sequences = index,
                                                .positions = index,
                                                .first_keys = index,
                                                .last_keys = index,
                                                .pages = view(&zero, {1, 1}),
                                                .keys = pages,
                                                .values = pages,
                                                .out = view(out.data(), {1, 48})});
                       }),
                       "multiple of 32"));
}

}  // namespace
}  // namespace inkstone::test
