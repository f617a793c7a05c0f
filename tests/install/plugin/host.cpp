// host PROBE PLUGIN: publishes before and after a swap of the plugin for itself.
#include "greeting.capnp.h"
#include <edupulse/plugin_host.hpp>
#include <iostream>
#include <semaphore>

namespace {

std::binary_semaphore printed(0);

bool welcome(edupulse::node& node, const std::string& name) {
  return node.publish<VisitorCame>([&](auto to) { to.setName(name); }) &&
         printed.try_acquire_for(std::chrono::seconds(30));
}

template <class T> bool good(const edupulse::expected<T>& what) {
  if (!what)
    std::cerr << what.error().text << '\n';
  return what.has_value();
}

int run(const char* probe, const char* file) {
  auto node = edupulse::node::start({.name = "host", .log = edupulse::log_level::off}).value();
  const auto printer = node.subscribe<VisitorGreeted>("printer", [](auto greeting) {
    std::cout << greeting.getWords().cStr() << std::endl;
    printed.release();
  });
  auto plugins = edupulse::plugin_host::open(node, {.probe = probe}).value();
  if (!good(printer) || !good(plugins.load(file, {{"word", "Good evening"}})))
    return 1;
  if (!welcome(node, "Ada"))
    return 2;
  return good(plugins.swap("greeter", file, {})) && welcome(node, "Alan") ? 0 : 3;
}

} // namespace

int main(int argc, char** argv) { return argc == 3 ? run(argv[1], argv[2]) : 4; }
