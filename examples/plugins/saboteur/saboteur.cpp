#include "saboteur.hpp"
#include <algorithm>
#include <array>
#include <csignal>
#include <cstdlib>
#include <future>
#include <stdexcept>

namespace {

using edupulse::outcome;

constexpr std::array harms{"none", "throw", "hang",   "segfault",   "exit",
                           "slow", "retry", "reject", "unavailable"};

std::chrono::milliseconds slow_of(const edupulse::plugin_settings& settings) {
  return std::chrono::milliseconds(settings.integer("slow-ms"));
}

} // namespace

void check_harm(std::string_view harm) {
  if (std::find(harms.begin(), harms.end(), harm) != harms.end())
    return;
  std::string known;
  for (const char* one : harms)
    known += (known.empty() ? "" : ", ") + std::string(one);
  throw std::invalid_argument("there is no such harm; there are " + known);
}

outcome do_harm(std::string_view harm, std::chrono::milliseconds slow) {
  std::promise<void> never;
  if (harm == "throw")
    throw std::runtime_error("sabotage");
  if (harm == "hang")
    never.get_future().wait();
  if (harm == "slow")
    never.get_future().wait_for(slow);
  if (harm == "segfault")
    std::raise(SIGSEGV);
  if (harm == "exit")
    std::_Exit(3);
  if (harm == "retry")
    return outcome::retry("sabotage");
  if (harm == "reject")
    return outcome::reject("sabotage");
  if (harm == "unavailable")
    return outcome::unavailable("sabotage");
  return outcome::ok();
}

order_taker::order_taker(const edupulse::plugin_settings& settings) : slow_(slow_of(settings)) {}

outcome order_taker::handle(SabotageOrdered::Reader order) const {
  const std::string harm = order.getHarm();
  try {
    check_harm(harm);
  } catch (const std::invalid_argument& none) {
    return outcome::reject(none.what());
  }
  return do_harm(harm, slow_);
}

key_watcher::key_watcher(const edupulse::plugin_settings& settings)
    : harm_(settings.text("harm")), key_(settings.text("key")), tries_(settings.integer("tries")),
      slow_(slow_of(settings)) {
  check_harm(harm_);
}

outcome key_watcher::handle(const edupulse::envelope& event, edupulse::context& ctx) {
  const bool meant = key_.empty() || event.key() == key_;
  const bool still = tries_ == 0 || ctx.attempt() <= tries_;
  return meant && still ? do_harm(harm_, slow_) : outcome::ok();
}

EDUPULSE_PLUGIN(edupulse::plugin("saboteur", "1.0.0")
                    .about("Does what no handler should, when it is told to")
                    .setting("harm", "none",
                             "throw, hang, segfault, exit, slow, retry, reject, ...")
                    .setting("key", "", "of the lessons that it does harm to; empty: of all")
                    .setting("tries", 0, "of an event that it does harm to; 0: all")
                    .setting("slow-ms", 1000, "how slow `slow` is")
                    .handler<SabotageOrdered, order_taker>("orders")
                    .handler<void, key_watcher>("lessons", {.filter = "lesson.>"}));
