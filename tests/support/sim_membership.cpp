#include "tests/support/sim_membership.hpp"

#include "actors/fixed_log.hpp"
#include <algorithm>
#include <charconv>

namespace edupulse::test {

using namespace std::chrono_literals;
namespace effect = membership_effects;

namespace {

constexpr std::size_t nobody = SIZE_MAX;

std::string address_of(std::size_t who) { return "n" + std::to_string(who) + ":4711"; }

std::size_t node_at(std::string_view address) {
  std::size_t who = nobody;
  if (!address.empty())
    std::from_chars(address.data() + 1, address.data() + address.size(), who);
  return who;
}

/// -ln(u) * mean, in integers.
duration exponential(duration mean, random_source& chance) {
  const std::uint64_t draw = chance.next() >> 32 | 1;                     // u * 2^32
  const std::uint64_t log2_of_inverse = (32ULL << 16) - log2_fixed(draw); // * 65536
  const std::uint64_t ln = log2_of_inverse * 45426 >> 16;                 // ln 2 * 65536
  return duration(static_cast<duration::rep>(static_cast<std::uint64_t>(mean.count()) * ln >> 16));
}

} // namespace

struct sim_membership::happening {
  enum class kind : std::uint8_t { frame, dial, tick };
  time_point at;
  std::uint64_t order;
  kind what;
  std::uint32_t from;
  std::uint32_t to;
  std::uint32_t generation; // of the sender; for a tick, of the node
  node_id meant;
  std::vector<std::byte> bytes;
};

struct sim_membership::later {
  bool operator()(const happening& a, const happening& b) const noexcept {
    return a.at != b.at ? a.at > b.at : a.order > b.order;
  }
};

sim_membership::sim_membership(const sim_options& options)
    : options_(options), chance_(options.seed), nodes_(options.nodes),
      connections_(options.nodes * options.nodes),
      last_arrival_(options.nodes * options.nodes, now_) {
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const std::uint64_t high = chance_.next();
    nodes_[i].id = {make_node_id(high, chance_.next()), 0,     0,
                    "node" + std::to_string(i),         "sim", address_of(i)};
  }
}

sim_membership::sim_membership(sim_membership&&) noexcept = default;
sim_membership::~sim_membership() = default;

// -- nodes --------------------------------------------------------------------

void sim_membership::boot(std::size_t who, const std::vector<std::size_t>& seeds) {
  node& one = nodes_[who];
  one.id.instance = chance_.next();
  one.core = std::make_unique<membership>(
      membership::make(options_.how, one.id, {}, chance_.next()).value());
  one.up = true;
  ++one.generation;
  one.armed = time_point::max();
  one.paused_until = now_;
  std::vector<std::string> addresses;
  for (const std::size_t seed : seeds)
    addresses.push_back(address_of(seed));
  one.core->join(addresses, now_, one.out);
  carry_out(who);
}

void sim_membership::start(std::size_t who, const std::vector<std::size_t>& seeds) {
  ++nodes_[who].id.boot_epoch;
  boot(who, seeds);
}

void sim_membership::start_with_fresh_id(std::size_t who, const std::vector<std::size_t>& seeds) {
  const std::uint64_t high = chance_.next();
  nodes_[who].id.node = make_node_id(high, chance_.next());
  nodes_[who].id.boot_epoch = 1;
  boot(who, seeds);
}

void sim_membership::start_copy(std::size_t at, std::size_t of, std::uint64_t boot_epoch,
                                const std::vector<std::size_t>& seeds) {
  nodes_[at].id = nodes_[of].id;
  nodes_[at].id.address = address_of(at);
  nodes_[at].id.boot_epoch = boot_epoch;
  boot(at, seeds);
}

void sim_membership::kill(std::size_t who) {
  nodes_[who].up = false;
  for (std::size_t i = 0; options_.data_links && i < nodes_.size(); ++i)
    if (nodes_[i].up) {
      nodes_[i].core->link_down(nodes_[who].id.node, now_, nodes_[i].out);
      carry_out(i);
    }
}

void sim_membership::leave(std::size_t who) {
  nodes_[who].core->leave(now_, nodes_[who].out);
  carry_out(who);
}

void sim_membership::pause(std::size_t who, duration how_long) {
  nodes_[who].paused_until = now_ + how_long;
}

void sim_membership::form() {
  start(0, {0});
  for (std::size_t i = 1; i < nodes_.size(); ++i) {
    run_for(25ms);
    start(i, {0, std::min<std::size_t>(1, i - 1), std::min<std::size_t>(2, i - 1)});
  }
  run_until([this] { return all_agree(); }, 120s);
}

// -- network ------------------------------------------------------------------

void sim_membership::split(std::function<int(std::size_t)> side_of) {
  side_of_ = std::move(side_of);
}

bool sim_membership::reachable(std::size_t from, std::size_t to) const {
  if (side_of_ && side_of_(from) != side_of_(to))
    return false;
  return std::find(blocked_.begin(), blocked_.end(), std::pair(from, to)) == blocked_.end();
}

duration sim_membership::delay() {
  duration time = options_.delay_min + exponential(options_.delay_mean, chance_);
  for (duration again = 200ms;
       options_.loss_permille > 0 && below(1000, chance_) < options_.loss_permille; again *= 2)
    time += again;
  return time;
}

/// Both ends say hello. True when both accept.
bool sim_membership::connect(std::size_t from, std::size_t to, std::string_view dialed) {
  node& a = nodes_[from];
  node& b = nodes_[to];
  if (!b.up || now_ < b.paused_until || !reachable(from, to) || !reachable(to, from))
    return false;
  const auto at_b = b.core->on_hello(a.id, {}, now_, b.out);
  const auto at_a = a.core->on_hello(b.id, dialed, now_, a.out);
  if (at_b != hello_verdict::accepted)
    a.core->on_refused(b.id.node, b.core->refusal(a.id, at_b), now_, a.out);
  if (at_a != hello_verdict::accepted)
    b.core->on_refused(a.id.node, a.core->refusal(b.id, at_a), now_, b.out);
  carry_out(to);
  carry_out(from);
  if (at_a != hello_verdict::accepted || at_b != hello_verdict::accepted)
    return false;
  const std::uint64_t low = a.generation;
  const std::uint64_t high = b.generation;
  connections_[from * nodes_.size() + to] = low << 32 | high;
  connections_[to * nodes_.size() + from] = high << 32 | low;
  return true;
}

// -- time ---------------------------------------------------------------------

void sim_membership::push(happening what) {
  what.order = ++order_;
  queue_.push_back(std::move(what));
  std::push_heap(queue_.begin(), queue_.end(), later{});
}

void sim_membership::run_until(time_point when) {
  while (!queue_.empty() && queue_.front().at <= when) {
    std::pop_heap(queue_.begin(), queue_.end(), later{});
    happening next = std::move(queue_.back());
    queue_.pop_back();
    now_ = std::max(now_, next.at);
    happen(next);
  }
  now_ = when;
}

duration sim_membership::run_until(const std::function<bool()>& done, duration limit,
                                   duration step) {
  const time_point since = now_;
  while (!done() && now_ - since < limit)
    run_for(step);
  return now_ - since;
}

void sim_membership::happen(happening& what) {
  node& to = nodes_[what.to];
  if (what.what != happening::kind::dial && to.up && now_ < to.paused_until) {
    what.at = to.paused_until; // it waits in a socket, or for a timer to be looked at
    return push(std::move(what));
  }
  switch (what.what) {
  case happening::kind::frame:
    return deliver(what);
  case happening::kind::dial:
    return dialed(what);
  case happening::kind::tick:
    if (!to.up || to.generation != what.generation || to.armed > now_)
      return;
    to.armed = time_point::max();
    to.core->tick(now_, to.out);
    return carry_out(what.to);
  }
}

void sim_membership::deliver(happening& what) {
  node& from = nodes_[what.from];
  node& to = nodes_[what.to];
  if (!to.up || from.generation != what.generation || !reachable(what.from, what.to))
    return;
  const std::uint64_t ends = std::uint64_t{from.generation} << 32 | to.generation;
  if (connections_[what.from * nodes_.size() + what.to] != ends)
    if (!from.up || now_ < from.paused_until || !connect(what.from, what.to, {}))
      return;
  if (to.id.node != what.meant)
    return;
  to.core->receive(from.id, what.bytes, now_, to.out);
  carry_out(what.to);
}

void sim_membership::inject(std::size_t from, std::size_t to, std::span<const std::byte> bytes) {
  if (!nodes_[to].up)
    return;
  nodes_[to].core->receive(nodes_[from].id, bytes, now_, nodes_[to].out);
  carry_out(to);
}

void sim_membership::dialed(happening& what) {
  node& from = nodes_[what.from];
  if (!from.up || from.generation != what.generation || now_ < from.paused_until)
    return;
  const std::string address = address_of(what.to);
  if (what.from != what.to) {
    connect(what.from, what.to, address);
  } else {
    from.core->on_hello(from.id, address, now_, from.out);
    carry_out(what.from);
  }
}

void sim_membership::arm(std::size_t who) {
  node& one = nodes_[who];
  const auto next = one.core->next_deadline();
  if (!next || *next >= one.armed)
    return;
  one.armed = *next;
  const auto self = static_cast<std::uint32_t>(who);
  push({std::max(*next, now_), 0, happening::kind::tick, self, self, one.generation, {}, {}});
}

// -- effects ------------------------------------------------------------------

void sim_membership::carry_out(std::size_t who) {
  node& one = nodes_[who];
  for (auto& what : std::exchange(one.out, {})) {
    note(who ^ static_cast<std::uint64_t>(now_.time_since_epoch().count()) << 10);
    note(what.index());
    if (options_.on_effect)
      options_.on_effect(who, what);
    if (auto* send = std::get_if<effect::send>(&what)) {
      carry_out_send(who, *send);
    } else if (auto* dial = std::get_if<effect::dial>(&what)) {
      if (const std::size_t to = node_at(dial->address); to < nodes_.size())
        push({now_ + delay() + delay() + delay(),
              0,
              happening::kind::dial,
              static_cast<std::uint32_t>(who),
              static_cast<std::uint32_t>(to),
              one.generation,
              dial->node,
              {}});
    } else if (auto* changed = std::get_if<effect::changed>(&what)) {
      observe(who, *changed);
    } else {
      one.lines.push_back(to_string(what));
    }
  }
  if (options_.check)
    one.core->check();
  arm(who);
}

void sim_membership::carry_out_send(std::size_t who, effect::send& what) {
  node& one = nodes_[who];
  one.bytes += what.bytes.size();
  ++frames_;
  largest_frame_ = std::max<std::uint64_t>(largest_frame_, what.bytes.size());
  if (what.bytes.size() > membership_limits::frame_bytes)
    broken_ = "M7: a frame of " + std::to_string(what.bytes.size()) + " bytes";
  if (options_.trace)
    note(text_hash({reinterpret_cast<const char*>(what.bytes.data()), what.bytes.size()}));
  const std::size_t to = node_at(what.address);
  if (to >= nodes_.size() || to == who)
    return;
  const std::size_t pair = who * nodes_.size() + to;
  if (!reachable(who, to)) {
    connections_[pair] = connections_[to * nodes_.size() + who] = 0;
    return;
  }
  const std::uint64_t ends = std::uint64_t{one.generation} << 32 | nodes_[to].generation;
  duration time = delay();
  if (connections_[pair] != ends)
    time += delay() + delay();
  last_arrival_[pair] = std::max(last_arrival_[pair], now_ + time);
  push({last_arrival_[pair], 0, happening::kind::frame, static_cast<std::uint32_t>(who),
        static_cast<std::uint32_t>(to), one.generation, what.to, std::move(what.bytes)});
}

void sim_membership::observe(std::size_t who, const effect::changed& what) {
  const std::size_t subject = node_at(what.member.address);
  note(static_cast<std::uint64_t>(what.what) << 32 ^ subject);
  if (subject >= nodes_.size())
    return;
  const node& about = nodes_[subject];
  const bool same_start =
      about.id.node == what.member.node && about.id.boot_epoch == what.member.boot_epoch;
  if (same_start && what.member.inc > about.core->table()[0].inc)
    broken_ = "M3: " + nodes_[who].id.name + " knows a later incarnation of " + about.id.name +
              " than it has itself";
  if (what.what != member_event::joined && what.what != member_event::changed)
    events_.push_back({now_, who, subject, what.what,
                       same_start && about.up && now_ >= about.paused_until &&
                           about.core->state() == self_state::joined});
}

// -- what is seen -------------------------------------------------------------

bool sim_membership::all_agree() const {
  std::size_t up = 0;
  const node* first = nullptr;
  for (const node& one : nodes_) {
    if (!one.up || one.core->state() == self_state::left)
      continue;
    if (one.core->state() != self_state::joined)
      return false;
    ++up;
    if (first == nullptr)
      first = &one;
    if (one.core->table().digest() != first->core->table().digest())
      return false;
  }
  return first == nullptr || first->core->table().live().size() + 1 == up;
}

bool sim_membership::all_see_all() const {
  const auto is_in = [](const node& one) {
    return one.up && one.core->state() != self_state::left;
  };
  for (const node& by : nodes_) {
    if (!is_in(by))
      continue;
    const auto seen = [&](const node& one) {
      const auto& table = by.core->table();
      const member_slot at = table.find(one.id.node);
      return one.core->state() == self_state::joined && at != no_member &&
             table[at].boot_epoch == one.id.boot_epoch && table[at].state == member_state::alive;
    };
    if (!std::all_of(nodes_.begin(), nodes_.end(),
                     [&](const node& one) { return !is_in(one) || seen(one); }))
      return false;
    if (by.core->table().live().size() + 1 !=
        static_cast<std::size_t>(std::count_if(nodes_.begin(), nodes_.end(), is_in)))
      return false;
  }
  return true;
}

std::size_t sim_membership::live_seen_by(std::size_t who) const {
  return nodes_[who].core->table().live().size() + 1;
}

std::size_t sim_membership::count(member_event what, std::size_t subject) const {
  return static_cast<std::size_t>(
      std::count_if(events_.begin(), events_.end(), [&](const sim_event& one) {
        return one.what == what && one.subject == subject;
      }));
}

std::size_t sim_membership::false_deaths() const {
  return static_cast<std::size_t>(
      std::count_if(events_.begin(), events_.end(), [](const sim_event& one) {
        return one.what == member_event::dead && one.subject_up;
      }));
}

void sim_membership::reset_traffic() {
  for (node& one : nodes_)
    one.bytes = 0;
  largest_frame_ = 0;
  frames_ = 0;
}

std::uint64_t sim_membership::total_bytes() const {
  std::uint64_t sum = 0;
  for (const node& one : nodes_)
    sum += one.bytes;
  return sum;
}

} // namespace edupulse::test
