// Running code in a process of its own: under a limit, as another user, or to be killed.
#pragma once

#include <functional>
#include <optional>
#include <string>

namespace inkstone::test {

// Runs f in a forked process, which never returns from it. Gives the text of the Error that f
// threw, "" if it threw none, and nullopt if the process died or threw anything else.
std::optional<std::string> text_thrown_in_child(const std::function<void()>& f);

// For f: no file of this process may grow beyond so many bytes, which to write() looks like a full
// disk.
void limit_file_size(unsigned long bytes);

// For f: gives up root, whom permissions do not stop. False when that is not possible.
bool become_ordinary_user();

}  // namespace inkstone::test
