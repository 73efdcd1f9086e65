#include "model/importance.h"

#include <algorithm>
#include <numeric>

#include "model/decoder.h"

namespace inkstone {
namespace {

// Sums of squares of the columns of what products are given.
class ColumnSquares {
 public:
  explicit ColumnSquares(const Weights& weights)
      : backend_(&weights.backend()),
        output_(weights.table().output()),
        sums_(weights.table().rows().size()) {}

  void add(int row, ConstView x) {
    values_.resize(static_cast<size_t>(x.count()));
    backend_->copy_to_host(x, values_.data());
    add_values(row, x.shape[1]);
  }
  // The output layer is given the last hidden states of all rows of a pass.
  void add_output(Decoder& decoder, int64_t rows) {
    std::vector<int64_t> all(static_cast<size_t>(rows));
    std::iota(all.begin(), all.end(), 0);
    values_.resize(static_cast<size_t>(rows * decoder.config().width));
    decoder.hidden(all, values_);
    add_values(output_, decoder.config().width);
  }

  std::vector<std::vector<float>> means(int64_t tokens) const {
    std::vector<std::vector<float>> means(sums_.size());
    for (size_t row = 0; row < sums_.size(); ++row) {
      for (const double sum : sums_[row])
        means[row].push_back(static_cast<float>(sum / static_cast<double>(tokens)));
    }
    return means;
  }

 private:
  void add_values(int row, int64_t columns) {
    auto& sums = sums_[static_cast<size_t>(row)];
    sums.resize(static_cast<size_t>(columns));
    for (size_t begin = 0; begin < values_.size(); begin += sums.size()) {
      for (size_t i = 0; i < sums.size(); ++i) {
        const double value = values_[begin + i];
        sums[i] += value * value;
      }
    }
  }

  Backend* backend_;
  int output_;
  std::vector<std::vector<double>> sums_;
  std::vector<float> values_;
};

}  // namespace

std::vector<std::vector<float>> measure_importance(
    const Weights& weights, std::span<const TokenId> tokens,
    const std::function<void(int64_t done, int64_t all)>& on_progress) {
  INK_CHECK(weights.compute() == DType::kF32, "importance is measured in float32");
  const auto window = static_cast<size_t>(weights.config().context);
  Decoder decoder(weights, weights.config().context);
  ColumnSquares squares(weights);
  decoder.observe([&](int row, ConstView x) { squares.add(row, x); });
  const int64_t sequence = decoder.open();
  for (size_t begin = 0; begin < tokens.size(); begin += window) {
    const Chunk chunk{sequence, tokens.subspan(begin, std::min(window, tokens.size() - begin))};
    decoder.run({&chunk, 1});
    squares.add_output(decoder, static_cast<int64_t>(chunk.tokens.size()));
    decoder.truncate(sequence, 0);
    if (on_progress) {
      on_progress(static_cast<int64_t>(begin + chunk.tokens.size()),
                  static_cast<int64_t>(tokens.size()));
    }
  }
  return squares.means(static_cast<int64_t>(tokens.size()));
}

}  // namespace inkstone
