#include "runtime/control/verbs.hpp"
#include "runtime/control/versions.hpp"
#include <unistd.h>

namespace edupulse::control {

void tell_version(NodeVersion::Builder to) {
  to.setVersion(own_version);
  to.setCompiler(own_compiler);
  to.setCapnp(own_capnp());
}

void tell_status(const node& at, NodeStatus::Builder to) {
  to.setName(at.name());
  to.setId(to_string(at.id()));
  to.setEpoch(at.epoch());
  to.setAddress(at.address());
  to.setPid(static_cast<std::uint32_t>(::getpid()));
  to.setVersion(own_version);
  const auto members = at.members();
  auto all = to.initMembers(count_of(members.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    const auto& one = members[i];
    all[i].setName(one.name);
    all[i].setId(to_string(one.id));
    all[i].setEpoch(one.epoch);
    all[i].setAddress(one.address);
    all[i].setState(std::string(to_string(one.state)));
    all[i].setSelf(one.self);
    all[i].setConnected(one.connected);
    all[i].setKeptBytes(one.kept_bytes);
  }
}

void tell_subscriptions(const node& at, Answer::Builder to) {
  const auto known = at.subscriptions();
  auto all = to.initSubscriptions(count_of(known.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    const auto& one = known[i];
    all[i].setName(one.name);
    all[i].setFilter(one.filter);
    all[i].setScope(one.scope);
    all[i].setGroup(one.group);
    all[i].setState(one.state);
    all[i].setPending(one.pending);
    all[i].setInFlight(one.in_flight);
    all[i].setRestarts(one.restarts);
    all[i].setWhy(one.why);
  }
}

void tell_counters(const bench& on, Answer::Builder to) {
  auto known = on.at.counters();
  known.emplace_back("control.answered", on.answered.load());
  known.emplace_back("control.malformed", on.malformed.load());
  known.emplace_back("control.refused", on.refused.load());
  auto all = to.initCounters(count_of(known.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    all[i].setName(known[i].first);
    all[i].setValue(known[i].second);
  }
}

void tell_ledger(const node& at, Ledger::Builder to) {
  const auto book = at.ledger();
  to.setBalances(book.balances());
  auto all = to.initLines(count_of(book.lines.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    const auto& one = book.lines[i];
    all[i].setTopic(one.topic);
    all[i].setSubscription(one.subscription);
    all[i].setReceived(one.received);
    all[i].setPublished(one.published);
    all[i].setHandled(one.handled);
    all[i].setDead(one.dead);
    all[i].setExpired(one.expired);
    all[i].setDropped(one.dropped_in_all());
    all[i].setPending(one.pending);
    all[i].setRetries(one.retries);
    all[i].setCrashes(one.crashes);
    all[i].setBalances(one.balances());
  }
}

namespace {

expected<void> tell_handler(const node& at, std::string_view name, Answer::Builder to,
                            expected<void> (subscription::*what)()) {
  auto found = at.find(name);
  if (!found)
    return fail(found.error().code, found.error().text + ": `edupulse handler ls` lists them");
  return tell_done(((*found).*what)(), to);
}

} // namespace

expected<void> pause(const node& at, std::string_view name, Answer::Builder to) {
  return tell_handler(at, name, to, &subscription::pause);
}

expected<void> resume(const node& at, std::string_view name, Answer::Builder to) {
  return tell_handler(at, name, to, &subscription::resume);
}

} // namespace edupulse::control
