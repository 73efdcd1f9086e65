// Attention of new rows over keys and values in pages.
//
// First every row's key and value are stored. Then a task is a group of rows of one sequence whose
// positions lie in one tile of 64, and one head. Groups of few rows (decoding) are limited by
// memory: 2 HS keys and values for 4 HS flops of each position and head; every page that a row sees
// is read once (attention_paged_rows-inl.h). Larger groups (a prompt) are limited by arithmetic, as
// attention_forward (attention_paged_tiles-inl.h). Both keep one order of each row's sums, by
// absolute positions alone: within tiles of 64, the tiles of a span of 256 from left to right with
// a running maximum, the spans, each from nothing, merged from left to right. So a row has the same
// bits however a sequence is fed, whatever is fed beside it and wherever its pages lie.
//
// Where there are fewer tasks than threads have use for, every span is a task of its own, and a
// second pass merges them: the same bits again.
#include <hwy/base.h>

#include "kernels/cpu/attention_paged.h"
#include "kernels/cpu/operations.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "kernels/cpu/attention_paged.cc"
#include <hwy/foreach_target.h>

#include "kernels/cpu/attention_paged_tiles-inl.h"

HWY_BEFORE_NAMESPACE();
namespace inkstone::cpu::HWY_NAMESPACE {

// All that the rows of a group see, one by one.
void attend_rows(const PagedCall& c, const RowGroup& g, const Heads& heads, float* memory) {
  const int64_t pairs = g.count * heads.count;
  float *const totals = memory + pairs * c.padded_HS, *const next = totals + pairs * row_floats(c);
  for (int64_t i = 0; i < pairs; ++i) {
    scale_query(c, g.row + i / heads.count, heads.first + i % heads.count,
                memory + i * c.padded_HS);
  }
  for (int64_t s = 0; s < g.spans(); ++s) {
    for (int64_t i = 0; i < g.count; ++i) {
      float* const total = totals + i * heads.count * row_floats(c);
      row_span(c, g.row + i, heads, g.first_span() + s, memory + i * heads.count * c.padded_HS,
               s == 0 ? total : next);
      for (int64_t h = 0; s > 0 && h < heads.count; ++h)
        merge_row(c, {c, next + h * row_floats(c)}, {c, total + h * row_floats(c)});
    }
  }
  for (int64_t i = 0; i < pairs; ++i) {
    write_row(c, g.row + i / heads.count, heads.first + i % heads.count,
              {c, totals + i * row_floats(c)});
  }
}

void attend_tile(const PagedCall& c, const RowGroup& g, int64_t head, float* memory) {
  const TileRows rows(c, g, head, memory);
  float* const states = memory + TileRows::floats(c);
  const TileState total(c, states), next(c, states + TileState::floats(c));
  for (int64_t s = 0; s < g.spans(); ++s) {
    tile_span(rows, g.first_span() + s, s == 0 ? total : next);
    if (s > 0) merge_tile(c, next, total);
  }
  write_tile(c, g, head, total, rows.keys.data);
}

// Floats of a task's working memory, for the largest group.
int64_t attend_floats(const PagedCall& c, int64_t heads) {
  const int64_t rows = kFewRows * heads * (c.padded_HS + row_floats(c)) + heads * row_floats(c);
  return std::max(rows, TileRows::floats(c) + 2 * TileState::floats(c));
}

// Of a group of more than a few rows one head at a time.
void attend_group(const PagedCall& c, const RowGroup& g, const Heads& heads, float* memory) {
  if (g.count <= kFewRows) return attend_rows(c, g, heads, memory);
  for (int64_t h = 0; h < heads.count; ++h) attend_tile(c, g, heads.first + h, memory);
}

// One span (counted from the group's first) into `partial`, which merge_spans finds behind those of
// the spans before it.
void attend_span(const PagedCall& c, const RowGroup& g, int64_t head, int64_t span, float* partial,
                 float* memory) {
  if (g.count > kFewRows) {
    return tile_span(TileRows(c, g, head, memory), g.first_span() + span, TileState(c, partial));
  }
  for (int64_t i = 0; i < g.count; ++i) {
    scale_query(c, g.row + i, head, memory);
    row_span(c, g.row + i, {head, 1}, g.first_span() + span, memory, partial + i * row_floats(c));
  }
}

void merge_spans(const PagedCall& c, const RowGroup& g, int64_t head, float* partials,
                 float* memory) {
  const int64_t floats = partial_floats(c, g);
  if (g.count > kFewRows) {
    const TileState total(c, partials);
    for (int64_t s = 1; s < g.spans(); ++s) merge_tile(c, {c, partials + s * floats}, total);
    return write_tile(c, g, head, total, memory);
  }
  for (int64_t i = 0; i < g.count; ++i) {
    float* const first = partials + i * row_floats(c);
    const RowState total(c, first);
    for (int64_t s = 1; s < g.spans(); ++s) merge_row(c, {c, first + s * floats}, total);
    write_row(c, g.row + i, head, total);
  }
}

}  // namespace inkstone::cpu::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace inkstone::cpu {

HWY_EXPORT(attend_floats);
HWY_EXPORT(attend_group);
HWY_EXPORT(attend_span);
HWY_EXPORT(merge_spans);

namespace {

// The rows of one call in groups, and what a group's partial results need at most.
struct Groups {
  RowGroup* groups;
  int64_t count = 0, spans = 0, floats = 0;
  bool only_few = true;

  Groups(const PagedCall& c, RowGroup* memory) : groups(memory) {
    for (int64_t row = 0; row < c.R;) {
      const int64_t rows = run_of_rows(c, row, c.R, kTilePositions);
      RowGroup g{static_cast<int32_t>(row), static_cast<int32_t>(rows), c.first_keys[row],
                 c.last_keys[row]};
      for (int64_t i = row + 1; i < row + rows; ++i) {
        g.first_key = std::min(g.first_key, c.first_keys[i]);
        g.last_key = std::max(g.last_key, c.last_keys[i]);
      }
      groups[count++] = g;
      spans = std::max(spans, g.spans());
      floats = std::max(floats, partial_floats(c, g));
      only_few = only_few && rows <= kFewRows;
      row += rows;
    }
  }
};

// Tasks that keep every thread busy to the end although their lengths differ.
constexpr int64_t kTasksPerThread = 4;
// Of partial results, 64 MB.
constexpr int64_t kMostPartialFloats = int64_t{1} << 24;

// A task of few rows takes as many heads as leave enough tasks: in a page they lie side by side.
// The groups come last first: those with the most keys, in a prompt.
void attend_whole(Context& context, const PagedCall& c, const Groups& groups) {
  const int64_t most = groups.count * c.NH / (kTasksPerThread * context.pool.threads()),
                heads = std::clamp<int64_t>(most, 1, c.NH), step = groups.only_few ? heads : 1,
                pieces = (c.NH + step - 1) / step;
  const int64_t floats = HWY_DYNAMIC_DISPATCH(attend_floats)(c, heads);
  context.pool.parallel_each(groups.count * pieces, [&](int64_t task, int thread) {
    const RowGroup& g = groups.groups[groups.count - 1 - task / pieces];
    const int64_t head = task % pieces * step, count = g.count <= kFewRows ? heads : 1;
    if (head % count != 0) return;  // another task takes it
    HWY_DYNAMIC_DISPATCH(attend_group)
    (c, g, {head, std::min(count, c.NH - head)}, context.of_thread[thread].take(floats));
  });
}

void attend_in_spans(Context& context, const PagedCall& c, const Groups& groups, float* partials) {
  const int64_t floats = HWY_DYNAMIC_DISPATCH(attend_floats)(c, 1), pairs = groups.count * c.NH,
                stride = groups.spans * groups.floats;
  context.pool.parallel_each(pairs * groups.spans, [&](int64_t task, int thread) {
    const int64_t pair = task / groups.spans, span = task % groups.spans;
    const RowGroup& g = groups.groups[pair / c.NH];
    if (span >= g.spans()) return;
    HWY_DYNAMIC_DISPATCH(attend_span)
    (c, g, pair % c.NH, span, partials + pair * stride + span * partial_floats(c, g),
     context.of_thread[thread].take(floats));
  });
  context.pool.parallel_each(pairs, [&](int64_t pair, int thread) {
    HWY_DYNAMIC_DISPATCH(merge_spans)
    (c, groups.groups[pair / c.NH], pair % c.NH, partials + pair * stride,
     context.of_thread[thread].take(floats));
  });
}

}  // namespace

void attention_paged(Context& context, const AttentionPaged& op) {
  const PagedCall c(op);
  store_in_pages(context, c);
  // Groups of rows, at most as many as rows, and behind them the partial results.
  constexpr int64_t kGroupFloats = sizeof(RowGroup) / sizeof(float), kAlignment = 16;
  const int64_t group_floats = (c.R * kGroupFloats + kAlignment - 1) / kAlignment * kAlignment;
  float* memory = context.partial.take(group_floats);
  Groups groups(c, reinterpret_cast<RowGroup*>(memory));
  const int64_t tasks = groups.count * c.NH, partials = tasks * groups.spans * groups.floats;
  const int64_t threads = context.pool.threads();
  if (threads == 1 || groups.spans == 1 || tasks >= kTasksPerThread * threads ||
      partials > kMostPartialFloats) {
    return attend_whole(context, c, groups);
  }
  memory = context.partial.take(group_floats + partials);
  groups = Groups(c, reinterpret_cast<RowGroup*>(memory));
  attend_in_spans(context, c, groups, memory + group_floats);
}

}  // namespace inkstone::cpu
#endif
