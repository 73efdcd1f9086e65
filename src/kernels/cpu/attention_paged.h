// What the files of attention over pages share: one call with its shapes, and how its work is cut.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "kernels/backend.h"
#include "kernels/cpu/context.h"
#include "kernels/page_layout.h"

namespace inkstone::cpu {

// Keys are met in tiles by absolute position, and the rows of a group have positions of one tile.
inline constexpr int64_t kTilePositions = 64, kTilePages = kTilePositions / kPagePositions;
// Every span of so many positions is summed by itself, and the spans are merged from the left:
// threads can share a long sequence, and the sum is the same whether they do or not.
inline constexpr int64_t kSpanPositions = 256;
// So few rows are computed one by one, more of them as a tile. Both give the same bits.
inline constexpr int64_t kFewRows = 8;

// Rows of one sequence, side by side in the call.
struct RowGroup {
  int32_t row, count;
  int32_t first_key, last_key;  // all that its rows see lies between these

  int64_t first_span() const { return first_key / kSpanPositions; }
  int64_t spans() const { return last_key / kSpanPositions - first_span() + 1; }
};

// Heads first..first + count - 1.
struct Heads {
  int64_t first, count;
};

// One call: its shapes (S sequences of up to M pages, P pages) and its tensors' places.
struct PagedCall {
  explicit PagedCall(const AttentionPaged& attention);

  // The page with a position of a row's sequence; a bug of the caller if there is none.
  int64_t page(int64_t row, int64_t position) const {
    const int64_t at = position / kPagePositions;
    INK_CHECK(at < M, "attention: a position beyond its sequence's pages");
    const int64_t number = pages[sequences[row] * M + at];
    INK_CHECK(number >= 0 && number < P, "attention: a page that does not exist");
    return number;
  }
  // Elements before a page of a head, in keys and in values alike.
  int64_t page_offset(int64_t row, int64_t position, int64_t head) const {
    return (page(row, position) * NH + head) * elements;
  }

  const AttentionPaged& op;
  int64_t R, C, NH, HS, P, S, M;
  int64_t elements;   // of a page of a head
  int64_t padded_HS;  // a multiple of 16, the longest vector
  const int32_t *sequences, *positions, *first_keys, *last_keys, *pages;
};

// Rows from `row` on, up to `end`, of one sequence with positions one after another up to the next
// multiple of `unit`.
int64_t run_of_rows(const PagedCall& c, int64_t row, int64_t end, int64_t unit);

// Stores every row's key and value in its sequence's pages (attention_paged_store.cc).
void store_in_pages(Context& context, const PagedCall& c);

// Rows' and tiles' results of one span, not yet divided by their sums, for merging.
inline int64_t row_floats(const PagedCall& c) { return c.padded_HS + kPagePositions; }
inline int64_t partial_floats(const PagedCall& c, const RowGroup& g) {
  return g.count <= kFewRows ? g.count * row_floats(c) : (c.HS + 2) * kTilePositions;
}

}  // namespace inkstone::cpu
