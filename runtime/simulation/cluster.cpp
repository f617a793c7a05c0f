#include "runtime/simulation/cluster.hpp"
#include "actors/tracker.hpp"
#include "schemas/envelope_writer.hpp"
#include <cstring>

namespace edupulse::simulation {

namespace {

const event_type simulated_event{"event", 1, 0xa5e8f0c1d2b3e4f5, nullptr, {}, nullptr};
constexpr auto look_every = std::chrono::milliseconds(10);
/// Nodes through which the others join, beside those that were moved.
constexpr std::size_t seeds = 3;

void fill_with(std::uint64_t number, std::size_t bytes, capnp::AnyPointer::Builder payload) {
  auto data = payload.initAsAnyStruct(0, 1).getPointerSection()[0].initAs<capnp::Data>(
      static_cast<unsigned>(std::max(bytes, sizeof number)));
  std::memset(data.begin(), static_cast<int>(number & 255), data.size());
  std::memcpy(data.begin(), &number, sizeof number);
}

} // namespace

cluster::cluster(settings how)
    : how_(std::move(how)), chance_(how_.seed), world_([this] {
        auto net = how_.net;
        net.seed = chance_.next();
        return net;
      }()),
      faults_(world_.time, world_.net, chance_.next()) {
  world_.trace = how_.trace;
  for (std::size_t i = 0; i < how_.nodes; ++i)
    add_node();
  for (std::size_t i = 0; i < how_.nodes; ++i)
    start(i);
}

// -- nodes --------------------------------------------------------------------------------

std::size_t cluster::add_node() {
  slot one;
  one.name = "n" + std::to_string(how_.first_name + slots_.size());
  one.at = static_cast<place>(slots_.size() + 1);
  one.id = draw_id();
  slots_.push_back(std::move(one));
  return slots_.size() - 1;
}

void cluster::start(std::size_t at) {
  auto& one = slots_[at];
  if (one.running || one.is_over)
    return;
  ++one.epoch;
  one.leaving = false;
  tell("start " + one.name + '#' + std::to_string(one.epoch) + ' ' + to_string(one.id));
  node::settings how;
  how.at = one.at;
  how.self = {one.id, one.epoch, chance_.next(), one.name, "simulated", address_of(one.at)};
  how.seed = chance_.next();
  for (std::size_t i = 0; i < slots_.size(); ++i)
    if (i < seeds || slots_[i].is_copy)
      how.seeds.push_back(address_of(slots_[i].at));
  how.members = how_.members;
  how.redial_cap = how_.redial_cap;
  how.mail = how_.mail;
  how.unreachable_after = how_.unreachable_after;
  how.intake_max = how_.intake_max;
  how.hop = how_.hop;
  how.tracked = how_.tracked;
  how.when_fenced = [this, at] { kill(at, network::ending::closed); }; // its program ends
  one.ids = std::make_unique<event_id_source>(chance_.next());
  how.ids = one.ids.get();
  one.running = std::make_unique<node>(world_, std::move(how));
  one.running->open();
  for (const auto& wanted : one.wanted)
    static_cast<void>(one.running->subscribe(wanted));
}

void cluster::kill(std::size_t at, network::ending how) {
  auto& one = slots_[at];
  if (!one.running)
    return;
  tell("end of " + one.name);
  world_.net.detach(one.at, how);
  one.running.reset();
}

void cluster::restart(std::size_t at, bool fresh_id) {
  if (slots_[at].is_over)
    return;
  kill(at, network::ending::closed);
  if (fresh_id) {
    slots_[at].id = draw_id();
    slots_[at].epoch = 0;
  }
  start(at);
}

void cluster::leave(std::size_t at, duration patience) {
  auto& one = slots_[at];
  if (!one.running || std::exchange(one.leaving, true))
    return;
  one.running->leave(patience, [this, at, which = one.running->number()] {
    if (slots_[at].running && slots_[at].running->number() == which)
      slots_[at].running.reset();
  });
}

void cluster::pause(std::size_t at) {
  if (slots_[at].running)
    world_.net.pause(slots_[at].at);
}

void cluster::resume(std::size_t at) {
  if (is_paused(at))
    world_.net.resume(slots_[at].at);
}

std::size_t cluster::copy(std::size_t at) {
  const auto other = add_node();
  slots_[other].name = slots_[at].name;
  slots_[other].id = slots_[at].id;
  slots_[other].epoch = slots_[at].epoch;
  slots_[other].wanted = slots_[at].wanted;
  slots_[other].is_copy = true;
  slots_[at].is_over = true;
  start(other);
  return other;
}

std::vector<place> cluster::places() const {
  std::vector<place> all;
  for (const auto& one : slots_)
    all.push_back(one.at);
  return all;
}

void cluster::apply(const fault& what) {
  tell(to_string(what));
  if (faults_.apply(what, places()))
    return;
  switch (what.what) {
  case fault_kind::kill:
    return kill(what.a, chance_.unit() < 0.5 ? network::ending::closed : network::ending::reset);
  case fault_kind::vanish:
    return kill(what.a, network::ending::silent);
  case fault_kind::restart:
    return restart(what.a, false);
  case fault_kind::restart_fresh:
    return restart(what.a, true);
  case fault_kind::leave:
    return leave(what.a);
  case fault_kind::pause:
    return pause(what.a);
  case fault_kind::resume:
    return resume(what.a);
  case fault_kind::copy:
    if (what.a > 0 && !slots_[what.a].is_over) // somebody stays where all were told to join
      static_cast<void>(copy(what.a));
    return;
  default:
    return;
  }
}

void cluster::mend() {
  tell("mend");
  faults_.heal();
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    auto& one = slots_[at];
    resume(at);
    if (one.leaving)
      kill(at, network::ending::closed);
    if (!one.running)
      start(at);
    if (one.running)
      one.running->be_kind();
  }
}

// -- use ----------------------------------------------------------------------------------

expected<void> cluster::subscribe(std::size_t at, const subscription_order& what) {
  auto& one = slots_[at];
  if (one.running)
    if (auto good = one.running->subscribe(what); !good)
      return good;
  one.wanted.push_back(what);
  return {};
}

expected<void> cluster::unsubscribe(std::size_t at, const std::string& name) {
  auto& one = slots_[at];
  std::erase_if(one.wanted, [&](const subscription_order& what) { return what.name == name; });
  if (!one.running)
    return {};
  return one.running->unsubscribe(name);
}

expected<void> cluster::publish(std::size_t at, const event_order_form& what) {
  auto& one = slots_[at];
  envelope_writer writer(what.type != nullptr ? *what.type : simulated_event);
  const auto number = events_++;
  if (what.fill)
    what.fill(writer.payload());
  else
    fill_with(number, what.bytes, writer.payload());
  envelope_header header;
  header.id = one.ids->next(world_.time.wall_ms());
  header.publisher = one.id;
  header.occurred_at_ms = world_.time.wall_ms();
  header.subject = what.subject;
  header.key = what.key;
  header.meta = what.meta;
  auto made = writer.finish(header);
  if (!made)
    return tl::unexpected<error>(made.error());
  const auto expires = what.expires_in > duration(0) ? now() + what.expires_in : time_point::max();
  auto* tracked = how_.tracked ? new receipt_tracker : nullptr; // the envelope's from here on
  if (tracked != nullptr || expires != time_point::max() ||
      what.level != delivery_level::acknowledged)
    envelope_writer::set_travel(*made, what.level, expires, tracked,
                                tracked != nullptr ? receipt_tracker::release_tracker : nullptr);
  return one.running->publish(std::move(*made));
}

// -- time ---------------------------------------------------------------------------------

void cluster::run_for(duration how_long) {
  const auto until = now() + how_long;
  while (world_.time.step(until)) {
  }
}

bool cluster::run_until(const std::function<bool()>& done, duration limit) {
  const auto until = now() + limit;
  while (!done()) {
    if (now() >= until)
      return false;
    run_for(std::min<duration>(look_every, until - now()));
  }
  return true;
}

void cluster::check() {
  for (const auto& one : slots_)
    if (one.running)
      one.running->check();
}

// -- looking ------------------------------------------------------------------------------

bool cluster::is_expected(const slot& which) const {
  return which.running && !which.leaving && !which.is_over;
}

bool cluster::is_whole() const { return unrest().empty() || unrest().starts_with("owed"); }

bool cluster::is_informed() const {
  std::size_t all = 0;
  for (const auto& one : slots_)
    all += is_expected(one) ? one.wanted.size() : 0;
  return std::all_of(slots_.begin(), slots_.end(), [&](const slot& one) {
    return !is_expected(one) || one.running->core().cluster_subscriptions().size() == all;
  });
}

bool cluster::is_at_rest() const { return unrest().empty(); }

std::string cluster::unrest() const {
  std::size_t expected = 0;
  for (const auto& one : slots_)
    expected += is_expected(one);
  for (const auto& one : slots_) {
    if (!is_expected(one))
      continue;
    if (one.running->is_over() || world_.net.is_paused(one.at))
      return one.name + " is over, or stopped";
    const auto& board = one.running->board();
    const auto& members = board.members();
    if (members.table().live().size() + 1 != expected)
      return one.name + " sees " + std::to_string(members.table().live().size()) + " members of " +
             std::to_string(expected);
    for (const auto& other : slots_) {
      if (!is_expected(other) || &other == &one)
        continue;
      const auto seen = members.find(other.id);
      if (!seen || seen->boot_epoch != other.epoch || seen->state != member_state::alive)
        return one.name + " does not see that " + other.name + " is alive";
      if (!board.is_connected(other.id))
        return one.name + " has no session with " + other.name;
    }
  }
  for (const auto& one : slots_)
    if (one.running && one.is_over)
      return one.name + " still runs beside its copy";
  for (const auto& one : slots_)
    if (one.running && (one.running->core().owed() > 0 || !one.running->is_idle()))
      return "owed: " + std::to_string(one.running->core().owed()) + " by " + one.name;
  return {};
}

verdict cluster::judge(bool at_rest) const {
  std::vector<book> books;
  for (const auto& one : slots_)
    if (one.running)
      books.push_back({one.running->number(), one.running->core().ledger_snapshot()});
  return simulation::judge(world_.seen, books, at_rest);
}

} // namespace edupulse::simulation
