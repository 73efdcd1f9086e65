// `inkstone bench`: how fast this machine is and what fraction of its floor each kind of work
// reaches.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <span>
#include <utility>
#include <vector>

#include "base/clock.h"
#include "base/error.h"
#include "base/file.h"
#include "base/rng.h"
#include "base/thread_pool.h"
#include "cli/command.h"
#include "cli/terminal/columns.h"
#include "corpus/load/batch_loader.h"
#include "corpus/read/document_reader.h"
#include "formats/token_shard.h"
#include "inkstone/tokenizer.h"
#include "kernels/peak.h"
#include "model/decoder.h"
#include "model/model_impl.h"
#include "model/adapted_model.h"
#include "model/model_source.h"
#include "model/training_pass.h"
#include "train/batches.h"
#include "train/optimizer.h"

namespace inkstone::cli {
namespace {

struct BenchOptions {
  std::string what = "all";
  std::string model = "gpt2";
  std::string dtype = "f32", type = "auto", cache = "auto";
  std::string device = "cpu";
  std::string tokenizer, text;
  int64_t batch = 4, context = 64, prompt = 1024, sequences = 1, repetitions = 10;
};

// What the machine can do, measured in this run.
struct Machine {
  double gemm_flops = 0;  // of the run's dtype
  double bytes_per_s = 0;
};

struct Result {
  std::string name, shape;
  double ms = 0, ms_min = 0, floor_ms = 0, tokens = 0, flops = 0, bytes = 0;
  int threads = 0;         // 0: those of the command
  std::string type = {};   // of the weights, where that is not dtype
  std::string cache = {};  // of keys and values; empty: there are none
  int64_t sequences = 0;   // 0: not of decoding
};

// Median and minimum in ms of `repetitions` calls after two to warm up.
// between(): before every fifth part of the calls, and once more f(), not timed, after it.
template <typename F, typename G>
void time_calls(int64_t repetitions, Result& result, F&& f, G&& between) {
  for (int i = 0; i < 2; ++i) f();
  const int64_t part = std::max<int64_t>(1, repetitions / 5);
  std::vector<double> ms;
  for (int64_t i = 0; i < repetitions; ++i) {
    if (i % part == 0) between(), f();
    const double begin = seconds_now();
    f();
    ms.push_back((seconds_now() - begin) * 1e3);
  }
  std::sort(ms.begin(), ms.end());
  result.ms = ms[ms.size() / 2];
  result.ms_min = ms.front();
}
template <typename F>
void time_calls(int64_t repetitions, Result& result, F&& f) {
  time_calls(repetitions, result, f, [] {});
}

// Prints one result: a table row, or with --json an object with the keys that scripts rely on.
class Reporter {
 public:
  Reporter(bool json, const BenchOptions& options) : json_(json), options_(options) {}

  void print(const Result& r) { cli::print(json_ ? json_line(r) : table_row(r)); }

 private:
  std::string json_line(const Result& r) const {
    nlohmann::ordered_json line = {
        {"name", r.name},
        {"dtype", options_.dtype},
        {"threads", r.threads > 0 ? r.threads : make_runtime().threads()},
        {"shape", r.shape},
        {"ms", r.ms},
        {"ms_min", r.ms_min}};
    if (!r.type.empty()) line["type"] = r.type;
    if (!r.cache.empty()) line["cache"] = r.cache;
    if (r.sequences > 0) line["sequences"] = r.sequences;
    if (r.tokens > 0) line["tokens_per_s"] = r.tokens / r.ms * 1e3;
    if (r.floor_ms > 0) line["floor_ms"] = r.floor_ms, line["floor_fraction"] = r.floor_ms / r.ms;
    if (r.flops > 0) line["gflops"] = r.flops / r.ms / 1e6;
    if (r.bytes > 0) line["gb_per_s"] = r.bytes / r.ms / 1e6;
    return line.dump() + "\n";
  }

  std::string table_row(const Result& r) {
    std::string text;
    if (!header_printed_) {
      text = left_aligned(localized("name ({})", options_.dtype), 18) + " " +
             left_aligned(translated(marked("shape")), 28);
      for (const auto& [heading, columns] : kHeadings)
        text += " " + right_aligned(translated(heading), columns);
      text += "\n";
      header_printed_ = true;
    }
    const auto cell = [](bool there, double value, const char* format) {
      return there ? fmt::format(fmt::runtime(format), value) : std::string("-");
    };
    text += fmt::format("{:<18} {:<28} {:>10.2f} {:>10.2f} {:>10} {:>9} {:>9} {:>8}\n", r.name,
                        r.shape, r.ms, r.ms_min,
                        cell(r.tokens > 0, r.tokens / r.ms * 1e3, "{:.0f}"),
                        cell(r.flops > 0, r.flops / r.ms / 1e6, "{:.0f}"),
                        cell(r.bytes > 0, r.bytes / r.ms / 1e6, "{:.1f}"),
                        cell(r.floor_ms > 0, r.floor_ms / r.ms, "{:.2f}"));
    return text;
  }

  // With the columns that their numbers take.
  static constexpr std::pair<const char*, size_t> kHeadings[] = {{marked("ms median"), 10},
                                                                 {marked("ms min"), 10},
                                                                 {marked("tokens/s"), 10},
                                                                 {"GFLOP/s", 9},
                                                                 {"GB/s", 9},
                                                                 {marked("of floor"), 8}};

  bool json_;
  const BenchOptions& options_;
  bool header_printed_ = false;
};

// Of a shape by name, or of a model in files.
ModelConfig bench_config(const BenchOptions& options) {
  if (const auto config = preset(options.model)) return *config;
  if (std::filesystem::exists(options.model)) return load_config(find_model(options.model), {});
  fail(ErrorCode::kUsage, "model '{}' is neither there nor a shape by name, expected one of {}",
       options.model, fmt::join(preset_names(), ", "));
}

DType bench_dtype(const BenchOptions& options) {
  return options.dtype == "bf16" ? DType::kBF16 : DType::kF32;
}

std::vector<TokenId> random_tokens(int64_t count, int64_t vocab_size) {
  const Random random(1, RandomStream::kDataOrder);
  std::vector<TokenId> tokens(count);
  for (int64_t i = 0; i < count; ++i) tokens[i] = static_cast<TokenId>(random.below(vocab_size, i));
  return tokens;
}

// The products of a layer of the model, forward (nn), gradient of the input (nt) and of the weights
// (tn).
void bench_gemm(Backend& backend, const BenchOptions& options, Machine& machine, Reporter& report) {
  const int64_t C = bench_config(options).width, N = options.batch * options.context;
  const DType type = bench_dtype(options);
  machine.gemm_flops = measure_gemm_peak_flops(backend, type);
  struct Product {
    const char* name;
    int64_t in, out;
  };
  for (const Product p :
       {Product{"qkv", C, 3 * C}, {"attn proj", C, C}, {"fc", C, 4 * C}, {"fc proj", 4 * C, C}}) {
    const Buffer x(backend, N * p.in * size_bytes(type)),
        w(backend, p.in * p.out * size_bytes(type)), y(backend, N * p.out * size_bytes(type)),
        dw(backend, p.in * p.out * 4);
    const View xv = x.view(type, {N, p.in}), wv = w.view(type, {p.in, p.out}),
               yv = y.view(type, {N, p.out});
    const auto run = [&](const char* layout, auto&& f) {
      Result result{.name = fmt::format("gemm {} {}", layout, p.name),
                    .shape = fmt::format("M={} K={} N={}", N, p.in, p.out),
                    .flops = 2.0 * static_cast<double>(N * p.in * p.out)};
      time_calls(options.repetitions * 3, result, [&] {
        f();
        backend.synchronize();
      });
      machine.gemm_flops = std::max(machine.gemm_flops, result.flops / result.ms * 1e3);
      report.print(result);
    };
    run("nn", [&] { backend.matmul_nn({.a = xv, .b = wv, .c = yv}); });
    run("nt", [&] { backend.matmul_nt({.a = yv, .b = wv, .c = xv}); });
    run("tn", [&] {
      backend.matmul_tn({.a = xv, .b = yv, .c = dw.view(DType::kF32, {p.in, p.out})});
    });
  }
}

void bench_bandwidth(Backend& backend, Machine& machine, Reporter& report) {
  machine.bytes_per_s = measure_read_bandwidth(backend);
  const double bytes = double{1 << 28};
  report.print({.name = "memory read",
                .shape = "256 MiB",
                .ms = bytes / machine.bytes_per_s * 1e3,
                .ms_min = bytes / machine.bytes_per_s * 1e3,
                .bytes = bytes});
}

// One whole step: forward, backward, clipping, AdamW. Floor: GEMM flops of the matrices over the
// GEMM peak, and 28 bytes per parameter (AdamW reads p, g, m, v and writes p, m, v) over the
// bandwidth.
void bench_train(Backend& backend, const BenchOptions& options, const Machine& machine,
                 Reporter& report) {
  const ModelConfig config = bench_config(options);
  const int64_t B = options.batch, T = std::min(options.context, config.context);
  Network network(backend, config, bench_dtype(options));
  network.initialise(1);
  Gradients gradients(network);
  TrainingPass pass(network, B, T, 0);
  Optimizer optimizer(network, OptimizerKind::kAdamW);
  const auto tokens = random_tokens(B * T + 1, config.vocab_size);
  const std::span<const TokenId> all(tokens);
  int64_t step = 0;
  Result result{.name = "train " + options.model,
                .shape = fmt::format("B={} T={}", B, T),
                .tokens = static_cast<double>(B * T)};
  time_calls(options.repetitions, result, [&] {
    pass.forward_backward({.inputs = all.first(B * T),
                           .targets = all.subspan(1),
                           .gradient_scale = 1.0f / static_cast<float>(B * T)},
                          T, gradients);
    optimizer.step(gradients, {.lr = 1e-4, .weight_decay = 0.1, .clip = 1.0}, step++);
    backend.synchronize();
  });
  result.flops = 6 * static_cast<double>(network.table().multiplied_count()) * result.tokens;
  result.floor_ms = (result.flops / machine.gemm_flops +
                     28.0 * static_cast<double>(config.parameter_count()) / machine.bytes_per_s) *
                    1e3;
  report.print(result);
}

// Random weights in memory, as a file would have them in float32.
class RandomSource final : public TensorSource {
 public:
  RandomSource(const ModelConfig& config, ThreadPool& pool) : table_(config) {
    for (int row = 0; row < table_.count(); ++row) {
      auto& values = values_.emplace_back(static_cast<size_t>(table_[row].shape.count()));
      const Random random(1, RandomStream::kInitialisation, static_cast<uint64_t>(row));
      pool.parallel_for(table_[row].shape.count(), 4096, [&](int64_t begin, int64_t end, int) {
        for (int64_t i = begin; i < end; ++i)
          values[i] = static_cast<float>(0.04 * (random.uniform(static_cast<uint64_t>(i)) - 0.5));
      });
    }
  }
  Weight get(int row) const override {
    const ParameterRow& r = table_[row];
    const WeightLayout layout = table_layout(r);
    const int64_t first = r.shape[0], last = r.shape.last();
    const void* const data = values_[static_cast<size_t>(row)].data();
    if (r.shape.rank() == 1) return {WeightType::kF32, layout, first, 1, data};
    return layout == WeightLayout::kInOut ? Weight{WeightType::kF32, layout, first, last, data}
                                          : Weight{WeightType::kF32, layout, last, first, data};
  }

 private:
  ParameterTable table_;
  std::vector<std::vector<float>> values_;
};

// Of the model that the options name: a shape with random weights, or one in files.
Weights bench_weights(Backend& backend, const BenchOptions& options) {
  const WeightOptions wanted = {
      .type = options.type == "auto" ? std::nullopt : weight_type_by_name(options.type),
      .compute = bench_dtype(options),
      .cache = options.cache == "auto" ? std::nullopt : cache_type_by_name(options.cache)};
  if (!preset(options.model) && std::filesystem::exists(options.model))
    return {backend, open_model(find_model(options.model), {}, {}), wanted};
  OpenedModel model{.config = bench_config(options), .files = {}, .source = {}, .name = {}};
  model.source = std::make_unique<RandomSource>(model.config, backend.runtime().pool());
  return {backend, std::move(model), wanted};
}

// `count` new sequences of `tokens` random tokens each.
std::vector<int64_t> filled_sequences(Decoder& decoder, int64_t count, int64_t tokens) {
  const auto text = random_tokens(tokens, decoder.config().vocab_size);
  std::vector<int64_t> sequences;
  for (int64_t i = 0; i < count; ++i) {
    sequences.push_back(decoder.open());
    const Chunk chunk{sequences.back(), text};
    decoder.run({&chunk, 1});
  }
  return sequences;
}

// A prompt through the model at once. Floor: GEMM flops over the GEMM peak.
void bench_prefill(Backend& backend, const BenchOptions& options, const Machine& machine,
                   Reporter& report) {
  const Weights weights = bench_weights(backend, options);
  const ModelConfig& config = weights.config();
  const int64_t T = std::min(options.prompt, config.context);
  Decoder decoder(weights, T);
  const auto tokens = random_tokens(T, config.vocab_size);
  Result result{.name = "prefill " + options.model,
                .shape = fmt::format("T={}", T),
                .tokens = static_cast<double>(T),
                .type = options.type,
                .cache = options.cache};
  std::vector<float> logits(config.vocab_size);
  const int64_t sequence = decoder.open();
  time_calls(options.repetitions, result, [&] {
    decoder.truncate(sequence, 0);
    const Chunk chunk{sequence, tokens};
    decoder.run({&chunk, 1});
    decoder.logits(std::array{T - 1}, logits);
  });
  const int64_t of_layers = weights.table().multiplied_count() - config.vocab_size * config.width;
  result.flops = 2.0 * static_cast<double>(of_layers * T);
  result.floor_ms = result.flops / machine.gemm_flops * 1e3;
  report.print(result);
}

// Bytes per second of reading the matrices once, where they lie: another block of memory may be
// twice as fast, or half.
double measure_weights_bandwidth(const Weights& weights) {
  Backend& backend = weights.backend();
  const Buffer total(backend, size_bytes(DType::kF64));
  double bytes = 0;
  const double begin = seconds_now();
  for (int row = 0; row < weights.table().count(); ++row) {
    if (!weights.table()[row].multiplied) continue;
    Weight w = weights.matrix(row);
    const void* const data = w.data;
    w.layout = WeightLayout::kOutIn;
    const int64_t packed = backend.packed_bytes(w),
                  stored = w.in * w.out / block_of(w.type).elements * block_of(w.type).bytes,
                  floats = (packed > 0 ? packed : stored) / size_bytes(DType::kF32);
    backend.sum_of_squares({data, DType::kF32, {floats}}, total.view(DType::kF64, {1}));
    bytes += static_cast<double>(floats * size_bytes(DType::kF32));
  }
  backend.synchronize();
  return bytes / (seconds_now() - begin);
}

// One token of each of several sequences after a short prompt. Floor: the weights' bytes over the
// bandwidth, or the GEMM flops over the GEMM peak, whichever takes longer.
void bench_decode(Backend& backend, const BenchOptions& options, const Machine& machine,
                  Reporter& report) {
  const Weights weights = bench_weights(backend, options);
  const ModelConfig& config = weights.config();
  const int64_t start = std::min<int64_t>(64, config.context / 2), N = options.sequences;
  if (start < 1) {
    fail(ErrorCode::kUsage, "a context of {} tokens is too short to measure decoding",
         config.context);
  }
  Decoder decoder(weights, N * (start + 1 + kPagePositions));
  const auto sequences = filled_sequences(decoder, N, start);
  const auto tokens = random_tokens(N, config.vocab_size);
  std::vector<Chunk> chunks;
  std::vector<int64_t> rows;
  for (int64_t i = 0; i < N; ++i) {
    chunks.push_back({sequences[i], std::span(tokens).subspan(i, 1)});
    rows.push_back(i);
  }
  std::vector<float> logits(N * config.vocab_size);
  Result result{.name = "decode " + options.model,
                .shape = fmt::format("after {} tokens", start),
                .tokens = static_cast<double>(N),
                .type = options.type,
                .cache = options.cache,
                .sequences = N};
  // The memory of a shared machine is faster at one moment than at another: in turns.
  std::vector<double> rates;
  time_calls(
      options.repetitions * 5, result,
      [&] {
        for (const int64_t sequence : sequences) decoder.truncate(sequence, start);
        decoder.run(chunks);
        decoder.logits(rows, logits);
      },
      [&] { rates.push_back(measure_weights_bandwidth(weights)); });
  std::ranges::sort(rates);
  const double bytes_per_s = rates[rates.size() / 2];
  result.bytes = static_cast<double>(weights.multiplied_bytes());
  result.flops = 2.0 * static_cast<double>(weights.table().multiplied_count() * N);
  result.floor_ms = std::max(result.bytes / bytes_per_s, result.flops / machine.gemm_flops) * 1e3;
  report.print(result);
}

std::string text_like_english() {
  std::string text;
  for (int i = 0; text.size() < 4'000'000; ++i) {
    text += fmt::format(
        "And in the year {} the people of the valley went up to the hill; they didn't return, it's "
        "said.\n",
        i);
  }
  return text;
}

Tokenizer tokenizer_for(const std::string& text) {
  bool done = false;
  return Tokenizer::train(
      [&]() -> std::optional<std::string> {
        return std::exchange(done, true) ? std::nullopt : std::optional(text);
      },
      {.vocab_size = 2000});
}

// Cut where it changes no id, so that every thread has something to do.
std::vector<std::string_view> parts_of(std::string_view text) {
  constexpr size_t kPart_bytes = size_t{256} << 10;
  std::vector<std::string_view> parts;
  while (!text.empty()) {
    parts.push_back(text.substr(0, piece_size(text, std::min(kPart_bytes, text.size()))));
    text.remove_prefix(parts.back().size());
  }
  return parts;
}

void bench_encoding(const Tokenizer& tokenizer, std::string_view text, int threads, int repetitions,
                    Reporter& report) {
  ThreadPool pool(threads);
  const std::vector<std::string_view> parts = parts_of(text);
  Result result{.name = "tokenizer encode",
                .shape = fmt::format("{:.1f} MB, {} threads",
                                     static_cast<double>(text.size()) / 1e6, threads),
                .threads = threads};
  std::vector<StreamEncoder> encoders;
  for (int i = 0; i < threads; ++i) encoders.emplace_back(tokenizer);
  // Kept, as prepare keeps them: the tokenizer makes no memory.
  std::vector<std::vector<TokenId>> ids(parts.size());
  time_calls(repetitions, result, [&] {
    for (auto& part : ids) part.clear();
    pool.parallel_each(static_cast<int64_t>(parts.size()), [&](int64_t i, int thread) {
      encoders[static_cast<size_t>(thread)].encode(parts[static_cast<size_t>(i)],
                                                   ids[static_cast<size_t>(i)]);
    });
    result.tokens = 0;
    for (const auto& part : ids) result.tokens += static_cast<double>(part.size());
  });
  result.bytes = static_cast<double>(text.size());
  report.print(result);
}

// --text through --tokenizer; else English-like text through a small vocabulary trained on it. No
// floor: reading the text costs nothing.
void bench_tokenizer(const BenchOptions& options, Reporter& report) {
  const std::string text = options.text.empty() ? text_like_english() : read_file(options.text);
  const Tokenizer tokenizer = options.tokenizer.empty() ? tokenizer_for(text)
                                                        : Tokenizer::load(options.tokenizer);
  bench_encoding(tokenizer, text, 1, static_cast<int>(options.repetitions), report);
  if (const int threads = make_runtime().threads(); threads > 1) {
    bench_encoding(tokenizer, text, threads, static_cast<int>(options.repetitions), report);
  }
}

// A shard of random tokens with a document's end every 500 on average, in a folder that lives as
// long as this.
class SyntheticData {
 public:
  SyntheticData(int64_t tokens, TokenId end_of_text)
      : folder_(temporary_beside(std::filesystem::temp_directory_path() / "inkstone-bench")) {
    make_folders(folder_);
    TokenShardWriter writer(folder_ / "train_000000.bin", 16);
    std::vector<TokenId> piece(1 << 20);
    uint64_t state = 1;
    while (writer.count() < tokens) {
      for (TokenId& id : piece) {
        // Knuth's; Philox would take most of the time.
        state = state * 6364136223846793005u + 1442695040888963407u;
        id = static_cast<TokenId>((state >> 33) % 50'000);
        if (id < 100) id = end_of_text;
      }
      writer.write(piece);
    }
    writer.commit();
  }
  ~SyntheticData() {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }
  SyntheticData(const SyntheticData&) = delete;
  SyntheticData& operator=(const SyntheticData&) = delete;
  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

// Batches alone, one thread, out of 1e8 tokens (200 MB) in the page cache; bytes: 2 read and 8
// written per token.
void bench_loader_batches(const TokenStream& stream, const BenchOptions& options, bool align,
                          int64_t batch, int64_t context, TokenId end_of_text, Reporter& report) {
  TrainOptions train;
  train.runtime = make_runtime();
  train.batch = batch;
  train.align_documents = align;
  const double weight = 1;
  const TrainingBatches batches(
      std::span(&stream, 1), std::span(&weight, 1), train,
      {.context = context, .vocab_size = 50257, .end_of_text = end_of_text});
  const int64_t micro_batches = std::max<int64_t>(1, (1 << 20) / (batch * context));
  TokenBatch tokens;
  int64_t step = 0;
  Result result{.name = align ? "loader aligned" : "loader",
                .shape = fmt::format("B={} T={}, {} batches", batch, context, micro_batches),
                .tokens = static_cast<double>(micro_batches * batch * context)};
  time_calls(options.repetitions, result, [&] {
    for (int64_t i = 0; i < micro_batches; ++i) batches.read(step++, 0, tokens);
  });
  result.bytes = 10 * result.tokens;
  report.print(result);
}

void bench_loader(const BenchOptions& options, Reporter& report) {
  constexpr TokenId kEnd = 50256;
  const SyntheticData data(100'000'000, kEnd);
  const TokenStream stream(data.folder(), "train", 50257);
  for (const bool align : {false, true}) {
    for (const auto& [batch, context] : {std::pair{4, 64}, {8, 1024}}) {
      bench_loader_batches(stream, options, align, batch, context, kEnd, report);
    }
  }
  const Runtime runtime = make_runtime();
  ThreadPool& pool = runtime.pool();
  Result result{.name = "loader index",
                .shape = fmt::format("{} tokens, T=1024", stream.count()),
                .tokens = static_cast<double>(stream.count())};
  time_calls(3, result, [&] { const DocumentWindows windows(stream, 1024, kEnd, pool); });
  result.bytes = 2 * result.tokens;
  report.print(result);
}

int run_bench(const BenchOptions& options, bool json) {
  const auto backend = make_backend(make_runtime(options.device));
  Reporter report(json, options);
  Machine machine;
  const auto wanted = [&](std::string_view name) {
    return options.what == "all" || options.what == name;
  };
  if (options.what == "tokenizer") return bench_tokenizer(options, report), kExitDone;
  if (options.what == "loader") return bench_loader(options, report), kExitDone;
  if (!json) print(backend->description().shown() + "\n");
  bench_gemm(*backend, options, machine, report);  // every fraction is of this run's peak
  if (options.what == "gemm") return kExitDone;
  bench_bandwidth(*backend, machine, report);
  if (wanted("train")) bench_train(*backend, options, machine, report);
  if (wanted("prefill")) bench_prefill(*backend, options, machine, report);
  if (wanted("decode")) bench_decode(*backend, options, machine, report);
  if (wanted("tokenizer")) bench_tokenizer(options, report);
  if (wanted("loader")) bench_loader(options, report);
  return kExitDone;
}

}  // namespace

void add_bench_command(CLI::App& app, Selection& selection) {
  struct Arguments {
    BenchOptions options;
    bool json = false;
  };
  auto a = std::make_shared<Arguments>();
  CLI::App* c = add_command(
      app, selection, "bench", "Measure this machine and what fraction of its limits is reached",
      marked("  inkstone bench train --dtype bf16\n  inkstone bench --json > speeds.jsonl"),
      [a] { return run_bench(a->options, a->json); });
  BenchOptions& o = a->options;
  const auto count = whole_number(int64_t{1}, int64_t{1} << 30);
  c->add_option("WHAT", o.what, "what to measure")
      ->check(one_of({"all", "gemm", "train", "prefill", "decode", "tokenizer", "loader"}))
      ->capture_default_str();
  c->add_option("--model", o.model, "shape by name, or a model")->capture_default_str();
  c->add_option("--dtype", o.dtype, "type of the arithmetic: f32 or bf16")
      ->check(one_of({"f32", "bf16"}))
      ->capture_default_str();
  c->add_option("--type", o.type,
                "of the weights, of prefill and decode: auto, f32, bf16, q8_0, ...")
      ->check(one_of(weight_names()))
      ->capture_default_str();
  add_cache_option(c, o.cache);
  c->add_option("--sequences", o.sequences, "that decode writes together")
      ->check(count)
      ->capture_default_str();
  c->add_option("--device", o.device, "cpu or cuda")->capture_default_str();
  c->add_option("--batch", o.batch, "sequences of a training step")
      ->check(count)
      ->capture_default_str();
  c->add_option("--context", o.context, "tokens of a training sequence")
      ->check(count)
      ->capture_default_str();
  c->add_option("--prompt", o.prompt, "tokens of a prompt")->check(count)->capture_default_str();
  c->add_option("--tokenizer", o.tokenizer, "of the bench tokenizer: folder or tokenizer.json")
      ->type_name("DIR");
  c->add_option("--text", o.text, "of the bench tokenizer: a text file")->type_name("FILE");
  c->add_option("--repetitions", o.repetitions, "how often each is measured")
      ->check(whole_number(3, 100000))
      ->capture_default_str();
  c->add_flag("--json", a->json, "one JSON object per line");
}

}  // namespace inkstone::cli
