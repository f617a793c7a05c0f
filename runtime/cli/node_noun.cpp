#include "runtime/cli/nouns.hpp"
#include <algorithm>
#include <poll.h>

namespace edupulse::cli {

namespace {

// -- status -------------------------------------------------------------------------------

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

int status(const tool& with) {
  return with.show([](auto request) { request.setStatus(); }, status_text);
}

// -- wait ---------------------------------------------------------------------------------

constexpr int look_again_ms = 100;

struct patience {
  std::size_t members = 1;
  unsigned within_s = 30;
};

/// A node that is not there yet is waited for like members that are not.
int wait(const tool& with, const patience& how) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(how.within_s);
  for (;;) {
    std::size_t alive = 0;
    const auto told = with.ask(
        [](auto request) { request.setStatus(); },
        [&](control::Answer::Reader answer) {
          const auto all = answer.getStatus().getMembers();
          alive = static_cast<std::size_t>(std::count_if(
              all.begin(), all.end(), [](const auto& one) { return one.getState() == "alive"; }));
        });
    if (!told && told.error().exit_code != nobody_there)
      return with.complain(told.error());
    if (told && alive >= how.members)
      return status(with);
    if (std::chrono::steady_clock::now() >= deadline)
      return with.complain(told ? trouble{refused, "timed_out",
                                          std::to_string(alive) + " of " +
                                              std::to_string(how.members) + " members are alive"}
                                : told.error());
    ::poll(nullptr, 0, look_again_ms);
  }
}

} // namespace

void add_node(CLI::App& to, tool& with) {
  auto& noun = add_noun(to, "node", "the node itself");
  add_verb(noun, with, "status", "who it is, and the members of its cluster",
           [&with] { return status(with); });
  const auto how = std::make_shared<patience>();
  auto& waiting = add_verb(noun, with, "wait", "until it answers and members are alive",
                           [&with, how] { return wait(with, *how); });
  waiting.add_option("--members", how->members, "so many at least, itself among them")
      ->check(CLI::Range(1, 10000))
      ->capture_default_str();
  waiting.add_option("--within", how->within_s, "seconds")
      ->check(CLI::Range(0, 86400))
      ->capture_default_str();
}

} // namespace edupulse::cli
