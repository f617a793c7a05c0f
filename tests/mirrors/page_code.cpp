// The code of docs/mirrors.md, as far to the left as it stands there.
#pragma GCC diagnostic ignored "-Wmisleading-indentation"

#include <edupulse/node.hpp>
#include <edupulse/transports.hpp>
#include <iostream>

namespace {

int complain(const edupulse::error& what) {
  std::cerr << what.text << '\n';
  return 1;
}

int mirror(edupulse::node& node) {
  // clang-format off
auto to = edupulse::open_transport("nats://127.0.0.1:4222?topic=school.{name}");
if (!to)
  return complain(to.error());
auto copy = node.attach_mirror("copy", "lesson.>", *to);
  // clang-format on
  if (!copy)
    return complain(copy.error());
  // clang-format off
for (const auto& one : node.mirrors())
  std::cout << one.name << " is " << one.lag << " events behind: " << one.health.why << '\n';
  // clang-format on
  return 0;
}

} // namespace

int main() {
  auto node = edupulse::node::start({.name = "page", .log = edupulse::log_level::off});
  return node ? mirror(*node) : complain(node.error());
}
