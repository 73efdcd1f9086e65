#include "base/error.h"

#include <system_error>

#include "base/check.h"

namespace inkstone {

std::string errno_text(int error_number) { return std::generic_category().message(error_number); }

void check_failed(const char* condition, std::string_view text, const char* file, int line) {
  const std::string_view path(file);
  const auto name = path.substr(path.find_last_of('/') + 1);
  fail(ErrorCode::kInternal, "internal error at {}:{}: {} ({}); please report it", name, line, text,
       condition);
}

}  // namespace inkstone
