// The kinds of weights that linear tells apart (kernels/backend.h has the contract). Types, sizes
// and layout have been checked, and there is at least one row and one column.
#pragma once

#include "kernels/cpu/operations.h"

namespace inkstone::cpu {

void linear_in_out(Context& context, const Linear& op);  // floats as kInOut: linear_in_out.cc
void linear_out_in(Context& context, const Linear& op);  // floats as kOutIn: linear_out_in.cc

}  // namespace inkstone::cpu
