// What q8_0 pages hold, in double, for tests and benchmarks. store_in_pages (reference.h) gives
// their bytes as page_layout.h has them, each a number of -128 to 127.
#pragma once

#include <vector>

#include "kernels/reference.h"

namespace inkstone::reference {

// The numbers of pages: keys [P,NH,HS,16], values [P,NH,16,HS].
std::vector<double> keys_of_bytes(const PagedSizes& s, In bytes);
std::vector<double> values_of_bytes(const PagedSizes& s, In bytes);

}  // namespace inkstone::reference
