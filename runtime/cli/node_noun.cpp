#include "runtime/cli/nouns.hpp"

namespace edupulse::cli {

namespace {

std::string status_text(control::Answer::Reader answer) {
  const auto from = answer.getStatus();
  const auto line = [](const char* what, std::string_view value) {
    return what + printable(value) + "\n";
  };
  std::string text =
      line("name     ", from.getName().cStr()) + line("id       ", from.getId().cStr()) +
      line("epoch    ", std::to_string(from.getEpoch())) +
      line("address  ",
           from.getAddress().size() > 0 ? from.getAddress().cStr() : "- (no member of a cluster)") +
      line("process  ", std::to_string(from.getPid())) +
      line("version  ", from.getVersion().cStr()) + "\n";
  table members({"MEMBER", "STATE", "SEEN", "EPOCH", "ADDRESS", "KEPT BYTES", "ID"});
  for (const auto one : from.getMembers())
    members.add({one.getName().cStr(), one.getState().cStr(),
                 one.getSelf()        ? "itself"
                 : one.getConnected() ? "connected"
                                      : "-",
                 std::to_string(one.getEpoch()), one.getAddress().cStr(),
                 std::to_string(one.getKeptBytes()), one.getId().cStr()});
  return text + members.text();
}

} // namespace

void add_node(CLI::App& to, tool& with) {
  auto& noun = add_noun(to, "node", "the node itself");
  add_verb(noun, with, "status", "who it is, and the members of its cluster",
           [&with] { return with.show([](auto request) { request.setStatus(); }, status_text); });
}

} // namespace edupulse::cli
