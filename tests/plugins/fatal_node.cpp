// A node that dies of its plugin: DATA JOIN PLUGIN. Commands on standard input: `letters` prints
// the dead letters, `redrive` tries them again; the end of the input is the end of the node.

#include <edupulse/plugin_host.hpp>
#include <iostream>
#include <string>

int main(int argc, char** argv) {
  if (argc != 4)
    return 2;
  edupulse::watch_for_crashes();
  edupulse::node_options how;
  how.name = "worker";
  how.data_dir = argv[1];
  how.cluster.listen = "127.0.0.1:0";
  how.cluster.join = {argv[2]};
  how.cluster.profile = edupulse::network_profile::local;
  auto node = edupulse::node::start(how);
  if (!node)
    return std::cerr << node.error().text << '\n', 1;
  auto plugins = edupulse::plugin_host::open(*node, {.probe = PROBE, .deaths_max = 3});
  if (!plugins)
    return std::cerr << plugins.error().text << '\n', 1;
  if (auto loaded = plugins->load(argv[3], {}); !loaded)
    return std::cerr << loaded.error().text << '\n', 1;
  for (const auto& one : plugins->crashes())
    std::cout << one.event << ' ' << one.handler << (one.proven ? " proven" : " suspected")
              << (one.lost ? " lost\n" : "\n");
  if (auto met = node->ready("tally.counted", 1, std::chrono::seconds(20)); !met)
    return std::cerr << met.error().text << '\n', 1;
  std::cout << "ready" << std::endl;
  for (std::string command; std::getline(std::cin, command);) {
    if (command == "redrive")
      std::cout << node->redrive_all("fatal.handler").value_or(0) << std::endl;
    const auto letters = node->dead_letters();
    for (const auto& one : *letters)
      std::cout << edupulse::to_string(one.event->id()) << ' ' << one.reason << std::endl;
  }
  node->stop(std::chrono::seconds(5));
}
