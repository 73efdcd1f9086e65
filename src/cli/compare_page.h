// The page of `compare --html`: one file with everything in it, which asks the network for nothing.
#pragma once

#include <string>
#include <vector>

#include "cli/comparison.h"

namespace inkstone::cli {

// web/compare.html with its style and script, and what the runs' files say as JSON: curves thinned
// and samples cut so that 20 runs take less than 1 MB. Nothing of it becomes markup, whatever the
// runs' files hold. `language`: what the page speaks at first; "": what the browser prefers.
// The same runs give the same bytes.
std::string compare_page(const std::vector<ComparedRun>& runs, const std::string& language);

}  // namespace inkstone::cli
