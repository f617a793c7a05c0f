// The code of docs/mirrors.md and docs/sources.md, as far to the left as it stands there.
#pragma GCC diagnostic ignored "-Wmisleading-indentation"

#include "lesson.capnp.h"
#include <edupulse/node.hpp>
#include <edupulse/transports.hpp>
#include <iostream>

namespace {

int complain(const edupulse::error& what) {
  std::cerr << what.text << '\n';
  return 1;
}

int source(edupulse::node& node) {
  // clang-format off
auto from = edupulse::open_source("kafka://127.0.0.1:9092?topic=lessons",
                                  edupulse::types_of<LessonPublished>());
if (!from)
  return complain(from.error());
auto attached = node.attach_source("lessons", std::move(*from));
  // clang-format on
  return attached ? 0 : complain(attached.error());
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
  return node ? mirror(*node) + source(*node) : complain(node.error());
}
