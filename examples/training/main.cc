// training DATA RUN [STEPS]: trains a small model on prepared data in a loop of one's own, which
// stops when the validation loss has not fallen for a hundred steps.
#include <inkstone/trainer.h>

#include <iostream>
#include <limits>
#include <string>

int main(int argc, char** argv) try {
  if (argc < 3 || argc > 4) {
    std::cerr << "usage: training DATA RUN [STEPS]   (DATA: what `inkstone prepare` wrote)\n";
    return 2;
  }
  inkstone::TrainOptions options;
  options.data = {argv[1]};
  options.run = argv[2];
  options.model = {.layers = 2, .heads = 2, .width = 64, .context = 64};
  options.batch = 8;
  options.steps = argc == 4 ? std::stoll(argv[3]) : 1000;
  options.optimizer = inkstone::OptimizerKind::kMuon;
  options.lr = 8e-3;
  options.eval_every = 0;  // the loop below evaluates

  inkstone::Trainer trainer = inkstone::Trainer::begin(options);
  double best = std::numeric_limits<double>::infinity();
  while (trainer.step()) {
    if (trainer.steps_done() % 100 != 0) continue;
    const double loss = trainer.evaluate();
    std::cout << "step " << trainer.steps_done() << ": " << loss << " nats per token\n";
    if (loss >= best) break;
    best = loss;
  }
  std::cout << "saved: " << trainer.save().string() << '\n';
} catch (const inkstone::Error& error) {
  std::cerr << "training: " << error.what() << '\n';
  return 1;
}
