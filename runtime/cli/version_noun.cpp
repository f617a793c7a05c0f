#include "runtime/cli/nouns.hpp"
#include "runtime/control/versions.hpp"

namespace edupulse::cli {

namespace {

std::string line(const char* who, const json& of) {
  return std::string(who) + " " + of["version"].get<std::string>() + " (" +
         of["compiler"].get<std::string>() + ", Cap'n Proto " + of["capnp"].get<std::string>() +
         ")\n";
}

int version(const tool& with) {
  const json own{{"version", control::own_version},
                 {"compiler", control::own_compiler},
                 {"capnp", control::own_capnp()}};
  json node;
  if (with.has_node()) {
    const auto told =
        with.ask([](auto request) { request.setVersion(); },
                 [&](control::Answer::Reader answer) { node = answer_to_json(answer); });
    if (!told)
      return with.complain(told.error());
  }
  if (with.json_wanted)
    return with.print(json{{"tool", own}, {"node", node}});
  return with.print(line("edupulse", own) + (node.is_null() ? "" : line("node", node)));
}

} // namespace

void add_version(CLI::App& to, tool& with) {
  add_verb(to, with, "version", "of this tool, and of the node if one is named",
           [&with] { return version(with); });
}

} // namespace edupulse::cli
