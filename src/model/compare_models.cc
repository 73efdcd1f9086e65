// Two models on one text: perplexity, divergence, agreement.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "base/error.h"
#include "base/thread_pool.h"
#include "inkstone/quantize.h"
#include "model/decoder.h"
#include "model/model_impl.h"

namespace inkstone {
namespace {

// Rows whose logits exist at once, of both models.
constexpr int64_t kRowsAtOnce = 32;

struct Row {
  double loss, other_loss, divergence;
  bool same_top;
};

// log of the sum of e^x.
double log_sum(std::span<const float> logits, float largest) {
  double sum = 0;
  for (const float x : logits) sum += std::exp(double{x} - double{largest});
  return std::log(sum) + double{largest};
}

Row compare_row(std::span<const float> p, std::span<const float> q, TokenId target) {
  const auto top = std::ranges::max_element(p), other_top = std::ranges::max_element(q);
  const double p_sum = log_sum(p, *top), q_sum = log_sum(q, *other_top);
  Row row{.loss = p_sum - double{p[static_cast<size_t>(target)]},
          .other_loss = q_sum - double{q[static_cast<size_t>(target)]},
          .divergence = 0,
          .same_top = top - p.begin() == other_top - q.begin()};
  for (size_t v = 0; v < p.size(); ++v) {
    const double log_p = double{p[v]} - p_sum;
    row.divergence += std::exp(log_p) * (log_p - (double{q[v]} - q_sum));
  }
  return row;
}

// One model reading windows.
struct Reader {
  explicit Reader(const Model& model, int64_t window)
      : decoder(*model.impl().weights, window), sequence(decoder.open()) {}

  void read(std::span<const TokenId> tokens) {
    decoder.truncate(sequence, 0);
    const Chunk chunk{sequence, tokens};
    decoder.run({&chunk, 1});
  }
  std::span<const float> logits(std::span<const int64_t> rows) {
    values.resize(rows.size() * static_cast<size_t>(decoder.config().vocab_size));
    decoder.logits(rows, values);
    return values;
  }

  Decoder decoder;
  int64_t sequence;
  std::vector<float> values;
};

class Comparing {
 public:
  Comparing(const Model& model, const Model& other, int64_t window)
      : pool_(&model.impl().backend->runtime().pool()),
        vocabulary_(model.config().vocab_size),
        model_(model, window),
        other_(other, window) {}

  // Of a window the predictions of its second half.
  void add(std::span<const TokenId> window) {
    model_.read(window);
    other_.read(window);
    const auto n = static_cast<int64_t>(window.size());
    for (int64_t first = n / 2; first < n - 1; first += kRowsAtOnce) {
      std::vector<int64_t> rows(static_cast<size_t>(std::min(kRowsAtOnce, n - 1 - first)));
      std::iota(rows.begin(), rows.end(), first);
      add_rows(rows, window);
    }
  }

  ModelComparison result() const {
    ModelComparison mean = total_;
    const double n = static_cast<double>(total_.tokens);
    mean.loss /= n, mean.other_loss /= n, mean.divergence /= n, mean.same_top /= n;
    return mean;
  }

 private:
  void add_rows(std::span<const int64_t> rows, std::span<const TokenId> window) {
    const auto p = model_.logits(rows), q = other_.logits(rows);
    std::vector<Row> compared(rows.size());
    const auto V = static_cast<size_t>(vocabulary_);
    pool_->parallel_each(static_cast<int64_t>(rows.size()), [&](int64_t i, int) {
      const auto at = static_cast<size_t>(i);
      compared[at] = compare_row(p.subspan(at * V, V), q.subspan(at * V, V),
                                 window[static_cast<size_t>(rows[at] + 1)]);
    });
    for (const Row& row : compared) {
      total_.loss += row.loss;
      total_.other_loss += row.other_loss;
      total_.divergence += row.divergence;
      total_.same_top += row.same_top ? 1 : 0;
    }
    total_.tokens += static_cast<int64_t>(rows.size());
  }

  ThreadPool* pool_;
  int64_t vocabulary_;
  Reader model_, other_;
  ModelComparison total_;
};

}  // namespace

ModelComparison compare_models(const Model& model, const Model& other,
                               std::span<const TokenId> tokens, int64_t window,
                               const std::function<void(int64_t done, int64_t all)>& on_progress) {
  if (model.config().vocab_size != other.config().vocab_size) {
    fail(ErrorCode::kMismatch, "the models have vocabularies of {} and {} ids",
         model.config().vocab_size, other.config().vocab_size);
  }
  window = std::min({window, model.config().context, other.config().context});
  const auto all = static_cast<int64_t>(tokens.size()) / window;
  if (all < 1 || window < 4) {
    fail(ErrorCode::kUsage, "the text has {} tokens, expected at least a window of {}",
         tokens.size(), std::max<int64_t>(window, 4));
  }
  Comparing comparing(model, other, window);
  for (int64_t i = 0; i < all; ++i) {
    comparing.add(tokens.subspan(static_cast<size_t>(i * window), static_cast<size_t>(window)));
    if (on_progress) on_progress(i + 1, all);
  }
  return comparing.result();
}

}  // namespace inkstone
