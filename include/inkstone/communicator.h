// What several processes (or threads) that train one model say to each other.
#pragma once

#include <cstddef>
#include <memory>
#include <span>

namespace inkstone {

// Ranks 0 to size() - 1, each of which holds the whole model and reads its own part of every batch.
// All calls but rank() and size() are collective: every rank makes the same ones in the same order,
// with as many elements, each from one thread at a time, and they return when the result is there.
// An error on one rank is thrown on that rank; a rank that others wait for in vain may throw
// Error{kInputOutput}.
class Communicator {
 public:
  virtual ~Communicator() = default;

  virtual int rank() const = 0;
  virtual int size() const = 0;

  // data[i] = the sum over all ranks of their data[i], in place: the same bits on every rank, and
  // for the same ranks and data the same every time.
  virtual void all_reduce_sum(std::span<float> data) = 0;
  virtual void all_reduce_sum(std::span<double> data) = 0;
  // Every rank gets the bytes that rank `root` has.
  virtual void broadcast(std::span<std::byte> data, int root) = 0;
};

// The communicator of a process that trains alone: rank 0 of 1. Its calls do nothing.
std::shared_ptr<Communicator> single_rank();

}  // namespace inkstone
