#include "model/decoder.h"

#include <algorithm>
#include <utility>

#include "base/error.h"
#include "kernels/page_layout.h"
#include "model/block.h"
#include "model/layer.h"
#include "model/page_table.h"

namespace inkstone {
namespace {

// Keys and values of one layer, in pages (kernels/page_layout.h).
struct LayerCache {
  View keys, values;
};

std::vector<LayerCache> plan_cache(Arena& arena, const ModelConfig& config, DType type,
                                   int64_t pages) {
  const int64_t NH = config.heads, HS = config.head_size();
  std::vector<LayerCache> cache(static_cast<size_t>(config.layers));
  for (LayerCache& layer : cache) {
    layer.keys = arena.take(type, keys_shape(type, pages, NH, HS));
    layer.values = arena.take(type, values_shape(type, pages, NH, HS));
  }
  return cache;
}

// What n rows need on their way through the layers; one set serves every layer.
struct RowScratch {
  View tokens, sequences, positions, first_keys, last_keys;  // [n] i32
  View x;                                                    // [n,C] f32
  View norm, attention, branch;                              // [n,C] act
  View mean, rstd;                                           // [n] f32: also losses
  View qkv, inner;                                           // [n,3C], [n,I] act
};

RowScratch plan_rows(Arena& arena, const ModelConfig& config, DType act, int64_t n) {
  const int64_t C = config.width;
  RowScratch s;
  s.tokens = arena.take(DType::kI32, {n});
  s.sequences = arena.take(DType::kI32, {n});
  s.positions = arena.take(DType::kI32, {n});
  s.first_keys = arena.take(DType::kI32, {n});
  s.last_keys = arena.take(DType::kI32, {n});
  s.x = arena.take(DType::kF32, {n, C});
  s.norm = arena.take(act, {n, C});
  s.attention = arena.take(act, {n, C});
  s.branch = arena.take(act, {n, C});
  s.mean = arena.take(DType::kF32, {n});
  s.rstd = arena.take(DType::kF32, {n});
  s.qkv = arena.take(act, {n, 3 * C});
  s.inner = arena.take(act, {n, config.inner_width()});
  return s;
}

// Page `page` of a cache view as one row.
View page_of(const View& cache, int32_t page) {
  const int64_t count = cache.count() / cache.shape[0];
  return cache.reshaped({cache.shape[0], count}).rows(page, 1);
}

// Memory that grows to what was asked for most.
void grow(Buffer& buffer, Backend& backend, int64_t bytes) {
  if (bytes <= buffer.bytes()) return;
  buffer = Buffer();  // first, so that both never exist at once
  buffer = Buffer(backend, bytes);
}

int64_t checked_pages(int64_t tokens) {
  if (tokens < 1 || tokens > kMostCacheTokens) {
    fail(ErrorCode::kUsage, "a cache for {} tokens, expected 1 to {}", tokens, kMostCacheTokens);
  }
  return (tokens + kPagePositions - 1) / kPagePositions;
}

}  // namespace

struct Decoder::Impl {
  Impl(const Weights& w, int64_t room)
      : weights(w), config(w.config()), table(checked_pages(room)) {
    Arena count;
    plan_cache(count, config, weights.cache(), table.pages());
    cache_memory = Buffer(backend(), count.used_bytes(), Buffer::Memory::kReserved);
    Arena arena(cache_memory.data(), cache_memory.bytes());
    cache = plan_cache(arena, config, weights.cache(), table.pages());
  }

  Backend& backend() const { return weights.backend(); }

  // Grows the scratch memory to n rows and lays it out.
  void reserve_rows(int64_t n) {
    Arena count;
    plan_rows(count, config, weights.compute(), n);
    grow(rows_memory, backend(), count.used_bytes());
    Arena arena(rows_memory.data(), rows_memory.bytes());
    rows = plan_rows(arena, config, weights.compute(), n);
  }

  void check(std::span<const Chunk> chunks) const {
    int64_t needed = 0;
    for (const Chunk& chunk : chunks) {
      const auto n = static_cast<int64_t>(chunk.tokens.size());
      const int64_t begin = table.length(chunk.sequence);
      INK_CHECK(n > 0, "a chunk without tokens");
      INK_CHECK(chunk.whole >= 0 && chunk.whole <= n,
                "tokens that see each other are of the chunk");
      if (begin + n > config.context) {
        fail(ErrorCode::kUsage, "{} tokens after {} do not fit into {}", n, begin, config.context);
      }
      for (const TokenId token : chunk.tokens) {
        if (token >= 0 && token < config.vocab_size) continue;
        fail(ErrorCode::kMismatch, "token id {} lies outside the model's vocabulary of {}", token,
             config.vocab_size);
      }
      needed += table.pages_for(chunk.sequence, n);
    }
    if (needed > table.free_pages()) {
      fail(ErrorCode::kUsage,
           "the cache is full: {} pages of {} tokens are needed, {} of {} are free", needed,
           kPagePositions, table.free_pages(), table.pages());
    }
  }

  // What every row of the chunks is, in the host's memory.
  void describe_rows(std::span<const Chunk> chunks) {
    tokens.clear(), sequences.clear(), positions.clear(), last_keys.clear();
    lengths.clear(), copies.clear();
    for (const Chunk& chunk : chunks) {
      const auto n = static_cast<int64_t>(chunk.tokens.size());
      const int64_t begin = table.length(chunk.sequence);
      lengths.push_back(begin);
      tokens.insert(tokens.end(), chunk.tokens.begin(), chunk.tokens.end());
      sequences.insert(sequences.end(), chunk.tokens.size(),
                       static_cast<int32_t>(&chunk - chunks.data()));
      for (int64_t i = 0; i < n; ++i) {
        positions.push_back(static_cast<int32_t>(begin + i));
        last_keys.push_back(static_cast<int32_t>(begin + std::max(i, chunk.whole - 1)));
      }
    }
    first_keys.assign(tokens.size(), 0);
  }

  // Makes room for the chunks and writes what their rows are into the scratch memory.
  void load(std::span<const Chunk> chunks) {
    reserve_rows(static_cast<int64_t>(tokens.size()));
    for (const Chunk& chunk : chunks)
      table.append(chunk.sequence, static_cast<int64_t>(chunk.tokens.size()), copies);
    for (const auto& copy : copies) copy_page(copy);
    backend().copy_from_host(tokens.data(), rows.tokens);
    backend().copy_from_host(sequences.data(), rows.sequences);
    backend().copy_from_host(positions.data(), rows.positions);
    backend().copy_from_host(first_keys.data(), rows.first_keys);
    backend().copy_from_host(last_keys.data(), rows.last_keys);
    load_pages(chunks);
  }

  // After a pass that threw: what it counted was perhaps never written, and a page's copy neither.
  // The views may be of memory that was given back.
  void take_back(std::span<const Chunk> chunks) {
    for (size_t i = 0; i < chunks.size(); ++i)
      table.take_back(chunks[i].sequence, lengths[i], copies);
    rows = {};
    page_rows = {};
  }

  void copy_page(const PageTable::PageCopy& copy) {
    for (const LayerCache& layer : cache) {
      backend().copy(page_of(layer.keys, copy.from), page_of(layer.keys, copy.to));
      backend().copy(page_of(layer.values, copy.from), page_of(layer.values, copy.to));
    }
  }

  // One row of pages per chunk, as wide as the longest.
  void load_pages(std::span<const Chunk> chunks) {
    size_t most = 0;
    for (const Chunk& chunk : chunks) most = std::max(most, table.pages_of(chunk.sequence).size());
    pages.assign(chunks.size() * most, 0);
    for (size_t i = 0; i < chunks.size(); ++i) {
      const auto held = table.pages_of(chunks[i].sequence);
      std::copy(held.begin(), held.end(), pages.begin() + static_cast<int64_t>(i * most));
    }
    const auto count = static_cast<int64_t>(pages.size());
    grow(pages_memory, backend(), count * size_bytes(DType::kI32));
    page_rows = pages_memory.view(
        DType::kI32, {static_cast<int64_t>(chunks.size()), static_cast<int64_t>(most)});
    backend().copy_from_host(pages.data(), page_rows);
  }

  // x (+= branch), then normalised into rows.norm.
  void normalise(int weight, int bias, bool add_branch) {
    backend().layer_norm_forward({.x = rows.x,
                                  .delta = add_branch ? ConstView(rows.branch) : ConstView{},
                                  .sum = add_branch ? rows.x : View{},
                                  .weight = weights.vector(weight),
                                  .bias = weights.vector(bias),
                                  .epsilon = static_cast<float>(config.layer_norm_epsilon),
                                  .y = rows.norm,
                                  .mean = rows.mean,
                                  .rstd = rows.rstd});
  }

  // How layer_forward's parts are done here.
  struct LayerOps {
    Impl& d;
    int64_t layer;

    void normalise(Branch branch, int weight, int bias, View) const {
      d.normalise(weight, bias, layer > 0 || branch == Branch::kMlp);
    }
    void multiply(View x, int weight, int bias, View y) const {
      if (d.on_product) d.on_product(weight, x);
      d.backend().linear(
          {.x = x, .weight = d.weights.matrix(weight), .bias = d.weights.vector(bias), .y = y});
    }
    void attend(View qkv, View out) const {
      const LayerCache& cache = d.cache[static_cast<size_t>(layer)];
      d.backend().attention_paged({.qkv = qkv,
                                   .sequences = d.rows.sequences,
                                   .positions = d.rows.positions,
                                   .first_keys = d.rows.first_keys,
                                   .last_keys = d.rows.last_keys,
                                   .pages = d.page_rows,
                                   .keys = cache.keys,
                                   .values = cache.values,
                                   .scale = attention_scale(d.config, layer),
                                   .out = out});
    }
    void activate(View x, View y) const {
      d.backend().activation_forward({.kind = d.config.activation, .x = x, .y = y});
    }
    void finish(Branch, View) const {}
  };

  // The loaded rows through all layers; leaves the last normalisation's result in rows.norm.
  void forward() {
    const ParameterTable& parameters = weights.table();
    backend().embed({.tokens = rows.tokens,
                     .positions = rows.positions,
                     .wte = weights.embedding(parameters.wte()),
                     .wpe = weights.embedding(parameters.wpe()),
                     .x = rows.x});
    const LayerTensors tensors = {.norm_1 = rows.norm,
                                  .qkv = rows.qkv,
                                  .attention = rows.attention,
                                  .norm_2 = rows.norm,
                                  .inner = rows.inner,
                                  .activated = rows.inner,
                                  .branch = rows.branch};
    for (int64_t l = 0; l < config.layers; ++l) {
      layer_forward(parameters.layer(l), tensors, LayerOps{*this, l});
    }
    normalise(parameters.ln_f_weight(), parameters.ln_f_bias(), true);
  }

  // Rows of the last pass side by side; rows.norm itself where they are all of it, in order.
  View gathered(std::span<const int64_t> wanted) {
    const auto count = static_cast<int64_t>(wanted.size()), C = config.width;
    bool in_order = true;
    for (int64_t i = 0; i < count; ++i) {
      INK_CHECK(wanted[i] >= 0 && wanted[i] < rows.x.shape[0], "a row of the last pass");
      in_order = in_order && wanted[i] == wanted[0] + i;
    }
    if (in_order) return rows.norm.rows(wanted[0], count);
    grow(gathered_memory, backend(), count * C * size_bytes(weights.compute()));
    const View all = gathered_memory.view(weights.compute(), {count, C});
    for (int64_t i = 0; i < count; ++i)
      backend().copy(rows.norm.rows(wanted[i], 1), all.rows(i, 1));
    return all;
  }

  // Logits of rows [begin, begin + count) of x, in memory that the next call uses again.
  View logits_of(View x, int64_t begin, int64_t count) {
    if (on_product) on_product(weights.table().output(), x.rows(begin, count));
    grow(logits_memory, backend(), count * config.vocab_size * size_bytes(DType::kF32));
    const View logits = logits_memory.view(DType::kF32, {count, config.vocab_size});
    backend().linear({.x = x.rows(begin, count),
                      .weight = weights.matrix(weights.table().output()),
                      .y = logits});
    return logits;
  }

  // Calls f(begin, count) for blocks of `count` rows whose logits may exist at once.
  template <typename F>
  void for_blocks(int64_t count, F&& f) {
    const int64_t block = backend().logits_rows(count, config.vocab_size);
    for (int64_t begin = 0; begin < count; begin += block) f(begin, std::min(block, count - begin));
  }

  const Weights& weights;
  const ModelConfig& config;
  PageTable table;
  std::vector<LayerCache> cache;
  RowScratch rows;
  View page_rows;  // [chunks, pages] i32
  std::function<void(int, ConstView)> on_product;
  Buffer cache_memory, rows_memory, pages_memory, gathered_memory, logits_memory;
  // Of the pass that is being loaded.
  std::vector<int32_t> tokens, sequences, positions, first_keys, last_keys, pages;
  std::vector<int64_t> lengths;  // of the chunks' sequences before it
  std::vector<PageTable::PageCopy> copies;
};

Decoder::Decoder(const Weights& weights, int64_t tokens)
    : impl_(std::make_unique<Impl>(weights, tokens)) {}
Decoder::~Decoder() = default;

const ModelConfig& Decoder::config() const { return impl_->config; }
int64_t Decoder::open() { return impl_->table.open(); }
void Decoder::close(int64_t sequence) { impl_->table.close(sequence); }
int64_t Decoder::fork(int64_t sequence, int64_t length) {
  return impl_->table.fork(sequence, length);
}
void Decoder::truncate(int64_t sequence, int64_t length) {
  impl_->table.truncate(sequence, length);
}
int64_t Decoder::length(int64_t sequence) const { return impl_->table.length(sequence); }
int64_t Decoder::pages() const { return impl_->table.pages(); }
int64_t Decoder::free_pages() const { return impl_->table.free_pages(); }
int64_t Decoder::pages_for(int64_t sequence, int64_t tokens) const {
  return impl_->table.pages_for(sequence, tokens);
}

void Decoder::run(std::span<const Chunk> chunks) {
  INK_CHECK(!chunks.empty(), "a pass without chunks");
  impl_->check(chunks);
  impl_->describe_rows(chunks);
  try {
    impl_->load(chunks);
    impl_->forward();
  } catch (...) {
    impl_->take_back(chunks);
    throw;
  }
}

void Decoder::logits(std::span<const int64_t> rows, std::span<float> out) {
  const int64_t V = impl_->config.vocab_size;
  INK_CHECK(out.size() == rows.size() * static_cast<size_t>(V), "a row of logits per row");
  if (rows.empty()) return;
  const View x = impl_->gathered(rows);
  impl_->for_blocks(static_cast<int64_t>(rows.size()), [&](int64_t begin, int64_t count) {
    impl_->backend().copy_to_host(impl_->logits_of(x, begin, count), out.data() + begin * V);
  });
}

void Decoder::hidden(std::span<const int64_t> rows, std::span<float> out) {
  const int64_t C = impl_->config.width;
  INK_CHECK(out.size() == rows.size() * static_cast<size_t>(C), "a row of numbers per row");
  if (rows.empty()) return;
  const View x = impl_->gathered(rows);
  if (x.dtype == DType::kF32) return impl_->backend().copy_to_host(x, out.data());
  std::vector<bf16> values(out.size());
  impl_->backend().copy_to_host(x, values.data());
  std::ranges::transform(values, out.begin(), [](bf16 value) { return to_float(value); });
}

void Decoder::losses(std::span<const int64_t> rows, std::span<const TokenId> targets,
                     std::span<float> losses, std::span<float> logits) {
  const auto n = static_cast<int64_t>(rows.size()), V = impl_->config.vocab_size;
  INK_CHECK(targets.size() == rows.size() && losses.size() == rows.size() &&
                static_cast<int64_t>(logits.size()) == n * V,
            "a target, a loss and a row of logits per row");
  if (rows.empty()) return;
  const View x = impl_->gathered(rows);
  // The sequences and the mean are not needed any more: their memory takes targets and losses.
  const View wanted = impl_->rows.sequences.rows(0, n), found = impl_->rows.mean.rows(0, n);
  impl_->backend().copy_from_host(targets.data(), wanted);
  impl_->for_blocks(n, [&](int64_t begin, int64_t count) {
    const View block = impl_->logits_of(x, begin, count);
    impl_->backend().cross_entropy({.logits = block,
                                    .targets = wanted.rows(begin, count),
                                    .losses = found.rows(begin, count)});
    impl_->backend().copy_to_host(block, logits.data() + begin * V);
  });
  impl_->backend().copy_to_host(found, losses.data());
}

void Decoder::observe(std::function<void(int row, ConstView x)> on_product) {
  impl_->on_product = std::move(on_product);
}

}  // namespace inkstone
