#include "model/decoder.h"

#include <algorithm>
#include <numeric>
#include <utility>

#include "base/error.h"
#include "model/block.h"
#include "model/output_layer.h"

namespace inkstone {
namespace {

// Up to so many rows are limited by reading the weights once, not by arithmetic.
constexpr int64_t kFewRows = 16;

// Keys and values of one layer.
struct LayerCache {
  View keys, values;  // [S,NH,T,HS] act
};

// What n rows need on their way through the layers; one set serves every layer.
struct RowScratch {
  View tokens, slots, positions;  // [n] i32
  View x;                         // [n,C] f32
  View norm, attention, branch;   // [n,C] act
  View mean, rstd;                // [n] f32
  View qkv, inner;                // [n,3C], [n,I] act
  View lse;                       // [1,NH,n] f32
};

RowScratch plan_rows(Arena& arena, const ModelConfig& config, DType act, int64_t n) {
  const int64_t C = config.width;
  RowScratch s;
  s.tokens = arena.take(DType::kI32, {n});
  s.slots = arena.take(DType::kI32, {n});
  s.positions = arena.take(DType::kI32, {n});
  s.x = arena.take(DType::kF32, {n, C});
  s.norm = arena.take(act, {n, C});
  s.attention = arena.take(act, {n, C});
  s.branch = arena.take(act, {n, C});
  s.mean = arena.take(DType::kF32, {n});
  s.rstd = arena.take(DType::kF32, {n});
  s.qkv = arena.take(act, {n, 3 * C});
  s.inner = arena.take(act, {n, config.inner_width()});
  s.lse = arena.take(DType::kF32, {1, config.heads, n});
  return s;
}

std::vector<LayerCache> plan_cache(Arena& arena, const ModelConfig& config, DType act,
                                   int64_t slots, int64_t capacity) {
  const Shape shape{slots, config.heads, capacity, config.head_size()};
  std::vector<LayerCache> cache(config.layers);
  for (LayerCache& layer : cache) layer = {arena.take(act, shape), arena.take(act, shape)};
  return cache;
}

// Tokens [begin, begin + count) of every head of one slot, one view per head.
View cache_rows(const View& cache, int64_t slot, int64_t head, int64_t count) {
  const int64_t stride = cache.shape[2] * cache.shape[3] * size_bytes(cache.dtype);
  auto* data = static_cast<std::byte*>(cache.data) + (slot * cache.shape[1] + head) * stride;
  return {data, cache.dtype, {count, cache.shape[3]}};
}

}  // namespace

struct Decoder::Impl {
  Impl(Network& net, int64_t slots, int64_t room)
      : network(net), capacity(room), lengths(slots, 0) {
    if (slots < 1 || room < 1 || room > net.config().context) {
      fail(ErrorCode::kUsage, "{} sequences of {} tokens: expected at least one, of 1 to {} tokens",
           slots, room, net.config().context);
    }
    Arena count;
    plan_cache(count, net.config(), net.compute(), slots, room);
    cache_buffer = Buffer(net.backend(), count.used_bytes());
    Arena arena(cache_buffer.data(), cache_buffer.bytes());
    cache = plan_cache(arena, net.config(), net.compute(), slots, room);
  }

  Backend& backend() const { return network.backend(); }
  int64_t vocab_size() const { return network.config().vocab_size; }

  // Grows the scratch memory to n rows and lays it out.
  void reserve(int64_t n) {
    Arena count;
    plan_rows(count, network.config(), network.compute(), n);
    if (count.used_bytes() > rows_buffer.bytes())
      rows_buffer = Buffer(backend(), count.used_bytes());
    Arena arena(rows_buffer.data(), rows_buffer.bytes());
    rows = plan_rows(arena, network.config(), network.compute(), n);
    if (!logits) {
      logits_buffer = Buffer(backend(), kFewRows * vocab_size() * size_bytes(DType::kF32));
      logits = logits_buffer.view(DType::kF32, {kFewRows, vocab_size()});
    }
  }

  void load(std::span<const TokenId> tokens, const std::vector<int32_t>& slots,
            const std::vector<int32_t>& positions) {
    for (const TokenId token : tokens) {
      if (token < 0 || token >= vocab_size()) {
        fail(ErrorCode::kMismatch, "token id {} lies outside the model's vocabulary of {}", token,
             vocab_size());
      }
    }
    reserve(static_cast<int64_t>(tokens.size()));
    backend().copy_from_host(tokens.data(), rows.tokens);
    backend().copy_from_host(slots.data(), rows.slots);
    backend().copy_from_host(positions.data(), rows.positions);
  }

  void multiply(ConstView x, int weight, int bias, View y) {
    const Matmul op{.a = x, .b = network.operand(weight), .c = y, .bias = network.master(bias)};
    if (x.shape[0] <= kFewRows || independent_rows) {
      backend().matmul_rows_nn(op);
    } else {
      backend().matmul_nn(op);
    }
  }

  // fresh: the rows are the beginning of one sequence.
  void attend(int64_t layer, bool fresh) {
    const float scale = attention_scale(network.config(), layer);
    const int64_t n = rows.x.shape[0], C = network.config().width;
    const View keys = cache[layer].keys, values = cache[layer].values;
    if (!fresh) {
      backend().attention_cached({.qkv = rows.qkv,
                                  .slots = rows.slots,
                                  .positions = rows.positions,
                                  .keys = keys,
                                  .values = values,
                                  .scale = scale,
                                  .out = rows.attention});
      return;
    }
    backend().cache_store({.qkv = rows.qkv,
                           .slots = rows.slots,
                           .positions = rows.positions,
                           .keys = keys,
                           .values = values});
    backend().attention_forward({.qkv = rows.qkv.reshaped({1, n, 3 * C}),
                                 .heads = network.config().heads,
                                 .scale = scale,
                                 .out = rows.attention.reshaped({1, n, C}),
                                 .lse = rows.lse});
  }

  // x (+= branch), then normalised into `norm`.
  void normalise(int weight, int bias, bool add_branch) {
    backend().layer_norm_forward(
        {.x = rows.x,
         .delta = add_branch ? ConstView(rows.branch) : ConstView{},
         .sum = add_branch ? rows.x : View{},
         .weight = network.master(weight),
         .bias = network.master(bias),
         .epsilon = static_cast<float>(network.config().layer_norm_epsilon),
         .y = rows.norm,
         .mean = rows.mean,
         .rstd = rows.rstd});
  }

  // The loaded rows through all layers; leaves the last normalisation's result in rows.norm.
  void forward(bool fresh) {
    const ParameterTable& table = network.table();
    backend().embedding_forward({.tokens = rows.tokens,
                                 .positions = rows.positions,
                                 .wte = network.master(table.wte()),
                                 .wpe = network.master(table.wpe()),
                                 .x = rows.x});
    for (int64_t l = 0; l < network.config().layers; ++l) {
      const LayerRows& r = table.layer(l);
      normalise(r.ln_1_weight, r.ln_1_bias, l > 0);
      multiply(rows.norm, r.attn_weight, r.attn_bias, rows.qkv);
      attend(l, fresh);
      multiply(rows.attention, r.attn_proj_weight, r.attn_proj_bias, rows.branch);
      normalise(r.ln_2_weight, r.ln_2_bias, true);
      multiply(rows.norm, r.fc_weight, r.fc_bias, rows.inner);
      backend().activation_forward(
          {.kind = network.config().activation, .x = rows.inner, .y = rows.inner});
      multiply(rows.inner, r.fc_proj_weight, r.fc_proj_bias, rows.branch);
    }
    normalise(table.ln_f_weight(), table.ln_f_bias(), true);
  }

  // Logits of `count` rows of rows.norm from `begin` on, to the host; each row by itself.
  void output_rows(int64_t begin, int64_t count, float* out) {
    for (int64_t done = 0; done < count; done += kFewRows) {
      const int64_t n = std::min(kFewRows, count - done);
      const View part = logits.rows(0, n);
      backend().matmul_rows_nt({.a = rows.norm.rows(begin + done, n),
                                .b = network.operand(network.table().output()),
                                .c = part});
      backend().copy_to_host(part, out + done * vocab_size());
    }
  }

  // Appends tokens to one slot and runs them; the results of all rows are in rows.norm.
  void append(int64_t slot, std::span<const TokenId> tokens) {
    const auto n = static_cast<int64_t>(tokens.size());
    const int64_t begin = lengths.at(slot);
    INK_CHECK(n > 0, "prefill without tokens");
    if (begin + n > capacity) {
      fail(ErrorCode::kUsage, "{} tokens after {} do not fit into {}", n, begin, capacity);
    }
    std::vector<int32_t> positions(n);
    std::iota(positions.begin(), positions.end(), static_cast<int32_t>(begin));
    load(tokens, std::vector<int32_t>(n, static_cast<int32_t>(slot)), positions);
    independent_rows = false;
    forward(begin == 0);
    lengths[slot] = begin + n;
  }

  Network& network;
  int64_t capacity;
  std::vector<int64_t> lengths;
  std::vector<LayerCache> cache;
  RowScratch rows;
  View logits;
  Buffer cache_buffer, rows_buffer, logits_buffer;
  // Rows of different slots: no product may depend on how many there are.
  bool independent_rows = false;
};

Decoder::Decoder(Network& network, int64_t slots, int64_t capacity)
    : impl_(std::make_unique<Impl>(network, slots, capacity)) {}

Decoder::~Decoder() = default;

int64_t Decoder::slots() const { return static_cast<int64_t>(impl_->lengths.size()); }
int64_t Decoder::capacity() const { return impl_->capacity; }
int64_t Decoder::length(int64_t slot) const { return impl_->lengths.at(slot); }

void Decoder::truncate(int64_t slot, int64_t length) {
  INK_CHECK(length >= 0 && length <= impl_->lengths.at(slot), "truncate beyond the end");
  impl_->lengths[slot] = length;
}

void Decoder::fork(int64_t from, int64_t to) {
  const int64_t length = impl_->lengths.at(from);
  impl_->lengths.at(to) = length;
  if (from == to || length == 0) return;
  for (const LayerCache& layer : impl_->cache) {
    for (int64_t head = 0; head < impl_->network.config().heads; ++head) {
      impl_->backend().copy(cache_rows(layer.keys, from, head, length),
                            cache_rows(layer.keys, to, head, length));
      impl_->backend().copy(cache_rows(layer.values, from, head, length),
                            cache_rows(layer.values, to, head, length));
    }
  }
}

std::vector<float> Decoder::prefill(int64_t slot, std::span<const TokenId> tokens,
                                    std::vector<float>* all_logits) {
  impl_->append(slot, tokens);
  const auto n = static_cast<int64_t>(tokens.size()), V = impl_->vocab_size();
  if (all_logits != nullptr) {
    all_logits->resize(n * V);
    impl_->output_rows(0, n, all_logits->data());
  }
  std::vector<float> last(V);
  impl_->output_rows(n - 1, 1, last.data());
  return last;
}

std::vector<float> Decoder::losses(int64_t slot, std::span<const TokenId> tokens,
                                   std::span<const TokenId> targets) {
  INK_CHECK(tokens.size() == targets.size(), "one target per token");
  impl_->append(slot, tokens);
  const auto n = static_cast<int64_t>(tokens.size());
  const Network& network = impl_->network;
  const auto plan = [&](Arena& arena) {
    return plan_output(arena, network.config(), network.compute(), n);
  };
  Arena count;
  plan(count);
  const Buffer memory(network.backend(), count.used_bytes());
  Arena arena(memory.data(), memory.bytes());
  const OutputScratch scratch = plan(arena);
  // The slots and the mean are not needed any more: their memory takes targets and losses.
  network.backend().copy_from_host(targets.data(), impl_->rows.slots);
  output_forward(network, impl_->rows.norm, impl_->rows.slots, scratch, impl_->rows.mean);
  std::vector<float> result(n);
  network.backend().copy_to_host(impl_->rows.mean, result.data());
  return result;
}

void Decoder::step(std::span<const int64_t> slots, std::span<const TokenId> tokens,
                   std::span<float> logits) {
  INK_CHECK(slots.size() == tokens.size() && !slots.empty(), "one token per slot");
  INK_CHECK(static_cast<int64_t>(logits.size()) ==
                static_cast<int64_t>(slots.size()) * impl_->vocab_size(),
            "one row of logits per slot");
  std::vector<int32_t> slot_ids, positions;
  std::vector<char> taken(impl_->lengths.size());
  for (const int64_t slot : slots) {
    if (impl_->lengths.at(slot) >= impl_->capacity) {
      fail(ErrorCode::kUsage, "sequence {} is full: {} tokens", slot, impl_->capacity);
    }
    INK_CHECK(!std::exchange(taken.at(slot), 1), "each slot once");
    slot_ids.push_back(static_cast<int32_t>(slot));
    positions.push_back(static_cast<int32_t>(impl_->lengths[slot]));
  }
  impl_->load(tokens, slot_ids, positions);
  impl_->independent_rows = true;
  impl_->forward(false);
  for (const int64_t slot : slots) ++impl_->lengths[slot];
  impl_->output_rows(0, static_cast<int64_t>(slots.size()), logits.data());
}

int64_t Decoder::planned_bytes(const ModelConfig& config, DType compute, int64_t slots,
                               int64_t capacity) {
  Arena count;
  plan_cache(count, config, compute, slots, capacity);
  plan_rows(count, config, compute, capacity);
  return count.used_bytes() + kFewRows * config.vocab_size * size_bytes(DType::kF32);
}

}  // namespace inkstone
