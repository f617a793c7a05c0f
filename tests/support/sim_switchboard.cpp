#include "tests/support/sim_switchboard.hpp"
#include <cstring>

namespace edupulse::test {

namespace asks = switchboard_effects;

namespace {

std::string address_of(std::size_t who) { return "10.0.0." + std::to_string(who + 1) + ":7000"; }

/// What the stand-in of a router says first: nobody else would say it in this session.
std::uint64_t mark(const peer_session& with, node_id by) {
  return with.number ^ low_half(by.value);
}

} // namespace

sim_switchboard::sim_switchboard(const settings& how) : how_(how), chance_(how.seed) {
  nodes_.resize(how.nodes);
  for (std::size_t i = 0; i < nodes_.size(); ++i) {
    const auto high = chance_.next(); // of two arguments compilers take either first
    nodes_[i].id = {make_node_id(high, chance_.next()), 1,        chance_.next(),
                    "node" + std::to_string(i),         "school", address_of(i)};
    if (i < how_.begin_with)
      start(i);
  }
}

// -- nodes --------------------------------------------------------------------------------

void sim_switchboard::boot(std::size_t who) {
  auto& one = nodes_[who];
  one.up = true;
  ++one.start;
  one.sessions.clear();
  auto members = membership::make(local_profile(), one.id, {}, chance_.next());
  const auto other = how_.profiles.find(who);
  const auto profile = other == how_.profiles.end() ? "local" : other->second;
  one.core = std::make_unique<switchboard>(switchboard::settings{.agreed = {{"profile", profile}}},
                                           std::move(members.value()), chance_.next());
  std::vector<std::string> seeds;
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (how_.mesh ? i != who : i == 0 || (i == 1 && who == 0 && one.start > 1))
      seeds.push_back(address_of(i));
  one.core->join(seeds, now_, out_);
  carry_out(who);
}

void sim_switchboard::start(std::size_t who) { boot(who); }

void sim_switchboard::kill(std::size_t who) {
  auto& one = nodes_[who];
  one.up = false;
  duplicates_of_dead_ += one.core->counted().duplicates;
  std::vector<connection_id> its;
  for (const auto& [id, at] : ends_)
    if (at.owner == who)
      its.push_back(id);
  for (const auto id : its)
    close(id);
}

void sim_switchboard::restart(std::size_t who, bool fresh_id) {
  kill(who);
  auto& id = nodes_[who].id;
  if (fresh_id) {
    const auto high = chance_.next();
    id.node = make_node_id(high, chance_.next());
    id.boot_epoch = 1;
  } else {
    ++id.boot_epoch;
  }
  id.instance = chance_.next();
  boot(who);
}

void sim_switchboard::no_more_faults() {
  how_.cut_chance = how_.no_answer = how_.no_connection = how_.restart_chance = 0;
  heal();
}

std::uint64_t sim_switchboard::duplicates() const {
  auto all = duplicates_of_dead_;
  for (const auto& one : nodes_)
    all += one.core->counted().duplicates;
  return all;
}

bool sim_switchboard::all_connected() const {
  for (const auto& one : nodes_) {
    if (one.sessions.size() != nodes_.size() - 1)
      return false;
    for (const auto& [number, with] : one.sessions) {
      const auto other = std::find_if(nodes_.begin(), nodes_.end(), [&](const node& what) {
        return what.id.node == with.who.node && what.id.boot_epoch == with.who.boot_epoch;
      });
      if (other == nodes_.end() || !other->sessions.contains(number) ||
          !(other->sessions.at(number).who.node == one.id.node))
        return false;
    }
  }
  return true;
}

// -- connections --------------------------------------------------------------------------

duration sim_switchboard::delay() {
  return duration(
      static_cast<duration::rep>(chance_.unit() * static_cast<double>(how_.delay_max.count())));
}

sim_switchboard::end* sim_switchboard::open(connection_id which) {
  const auto at = ends_.find(which);
  return at == ends_.end() ? nullptr : &at->second;
}

/// Nothing overtakes what was sent to the same end before.
void sim_switchboard::after_all(end& to, std::function<void()> what) {
  to.last_arrival = std::max(to.last_arrival + duration(1), now_ + delay());
  in_flight_.push_back({to.last_arrival, std::move(what)});
}

void sim_switchboard::dial(std::size_t who, const asks::dial& what) {
  const auto start = nodes_[who].start;
  later(delay(), [this, who, start, ticket = what.ticket, address = what.address] {
    if (!nodes_[who].up || nodes_[who].start != start)
      return;
    std::size_t to = 0;
    while (to < nodes_.size() && address_of(to) != address)
      ++to;
    const bool answered = chance_.unit() >= how_.no_answer;
    if (to == nodes_.size() || !nodes_[to].up || parted(who, to) ||
        chance_.unit() < how_.no_connection) {
      nodes_[who].core->on_dial_failed(ticket, "nobody answers", now_, out_);
      return carry_out(who);
    }
    connect(who, ticket, to, answered);
  });
}

void sim_switchboard::connect(std::size_t who, std::uint64_t ticket, std::size_t to,
                              bool answered) {
  const auto here = next_id_++;
  const auto there = answered ? next_id_++ : 0;
  ends_.emplace(here, end{who, nodes_[who].start, to, there, now_});
  if (answered) {
    ends_.emplace(there, end{to, nodes_[to].start, who, here, now_});
    nodes_[to].core->on_accepted(there, "10.0.0." + std::to_string(who + 1), now_, out_);
    carry_out(to);
  }
  nodes_[who].core->on_connected(ticket, here, now_, out_);
  carry_out(who);
}

void sim_switchboard::write(std::size_t who, connection_id to, const frame_bytes& bytes) {
  auto* from = open(to);
  if (from == nullptr || from->owner != who)
    return complain("written to a connection that is closed");
  if (how_.on_write)
    how_.on_write(who, from->peer, bytes);
  auto* there = open(from->there);
  if (there == nullptr || parted(who, there->owner))
    return;
  for (std::size_t at = 0; at < bytes.size();) {
    const auto piece = std::min<std::size_t>(bytes.size() - at, 1 + chance_.next() % 200);
    frame_bytes part(bytes.begin() + static_cast<std::ptrdiff_t>(at),
                     bytes.begin() + static_cast<std::ptrdiff_t>(at + piece));
    at += piece;
    after_all(*there, [this, id = from->there, part = std::move(part)] {
      if (auto* now = open(id)) {
        const auto owner = now->owner;
        nodes_[owner].core->on_bytes(id, std::as_bytes(std::span(part)), now_, out_);
        carry_out(owner);
      }
    });
  }
}

void sim_switchboard::close(connection_id which) {
  const auto* here = open(which);
  if (here == nullptr)
    return;
  const auto there = here->there;
  const bool silent = parted(here->owner, here->peer);
  ends_.erase(which);
  if (auto* other = open(there); other != nullptr && !silent)
    after_all(*other, [this, there] { closed(there); });
}

/// The other end has closed.
void sim_switchboard::closed(connection_id which) {
  const auto* here = open(which);
  if (here == nullptr)
    return;
  const auto owner = here->owner;
  ends_.erase(which);
  nodes_[owner].core->on_closed(which, "the connection has ended", now_, out_);
  carry_out(owner);
}

/// What is on its way is lost; the ends notice one after the other.
void sim_switchboard::cut(connection_id which) {
  auto* here = open(which);
  if (here == nullptr)
    return;
  if (auto* other = open(here->there)) {
    other->there = 0;
    later(10 * delay(), [this, id = here->there] { closed(id); });
  }
  here->there = 0;
  later(10 * delay(), [this, which] { closed(which); });
}

// -- routers ------------------------------------------------------------------------------

void sim_switchboard::begin_session(std::size_t who, const peer_session& with) {
  auto& one = nodes_[who];
  ++sessions_made_;
  for (const auto& [number, other] : one.sessions)
    if (other.who.node == with.who.node)
      complain("two sessions with one node");
  one.sessions[with.number] = with;
  frame_bytes bytes;
  append_frame(bytes, control_message(link_resume{mark(with, one.id.node), {}}));
  write(who, with.control, bytes);
}

void sim_switchboard::routed(std::size_t who, const asks::for_router& what) {
  ++frames_routed_;
  auto& one = nodes_[who];
  const auto at = one.sessions.find(what.session);
  if (at == one.sessions.end() || !(at->second.who.node == what.from))
    return complain("a frame outside a session that is up");
  if (what.kind == frame_kind::events) {
    std::uint64_t said = 0;
    std::memcpy(&said, what.body.data(), sizeof said);
    if (said != mark(at->second, what.from))
      complain("events of another session");
    return;
  }
  const auto said = decode_control(what.body);
  if (!said || std::get<link_resume>(*said).control_seen != mark(at->second, what.from))
    return complain("a control message of another session");
  const auto own = mark(at->second, one.id.node); // the peer is there: events may be sent
  frame_bytes bytes;
  append_frame(bytes, frame_kind::events, std::as_bytes(std::span(&own, 1)));
  write(who, at->second.bulk, bytes);
}

void sim_switchboard::carry_out(std::size_t who) {
  auto& one = nodes_[who];
  for (std::size_t at = 0; at < out_.size(); ++at) {
    auto what = std::move(out_[at]);
    if (how_.on_effect)
      how_.on_effect(who, what);
    if (const auto* w = std::get_if<asks::write>(&what)) {
      write(who, w->to, w->bytes);
    } else if (const auto* c = std::get_if<asks::close>(&what)) {
      close(c->which);
    } else if (const auto* d = std::get_if<asks::dial>(&what)) {
      dial(who, *d);
    } else if (const auto* up = std::get_if<asks::session_up>(&what)) {
      begin_session(who, up->with);
    } else if (const auto* lost = std::get_if<asks::session_lost>(&what)) {
      if (one.sessions.erase(lost->with.number) == 0)
        complain("a session was lost that was not up");
    } else if (const auto* frame = std::get_if<asks::for_router>(&what)) {
      routed(who, *frame);
    }
  }
  out_.clear();
  one.core->check();
  for (const auto& [number, with] : one.sessions)
    if (!one.core->is_connected(with.who.node))
      complain("the switchboard has forgotten a session that it did not end");
}

// -- time ---------------------------------------------------------------------------------

void sim_switchboard::make_faults() {
  if (now_ < next_faults_)
    return;
  next_faults_ = now_ + std::chrono::seconds(1);
  std::vector<connection_id> all;
  for (const auto& [id, at] : ends_)
    all.push_back(id);
  for (const auto id : all)
    if (chance_.unit() < how_.cut_chance)
      cut(id);
  if (chance_.unit() < how_.restart_chance)
    restart(chance_.next() % nodes_.size(), chance_.unit() < 0.3);
}

void sim_switchboard::ticks() {
  for (std::size_t i = 0; i < nodes_.size(); ++i)
    if (auto& one = nodes_[i]; one.up)
      if (const auto due = one.core->next_deadline(); due && *due <= now_) {
        one.core->tick(now_, out_);
        carry_out(i);
      }
}

/// To the next thing that happens, or to `until`. It must not stay at one time for ever.
void sim_switchboard::step(time_point until) {
  auto next = std::min(until, next_faults_);
  for (const auto& one : in_flight_)
    next = std::min(next, one.when);
  for (const auto& one : nodes_)
    if (one.up)
      next = std::min(next, one.core->next_deadline().value_or(until));
  idle_turns_ = next > now_ ? 0 : idle_turns_ + 1;
  if (idle_turns_ > 1000) {
    complain("it asks to be woken at once, again and again");
    next = now_ + std::chrono::milliseconds(1);
  }
  now_ = std::max(now_, next);
  make_faults();
  while (auto one = take_due(in_flight_, now_))
    one->what();
  ticks();
}

void sim_switchboard::run_for(duration how_long) {
  const auto until = now_ + how_long;
  while (now_ < until)
    step(until);
}

bool sim_switchboard::run_until(const std::function<bool()>& done, duration limit) {
  const auto until = now_ + limit;
  while (now_ < until && !done())
    step(until);
  return done();
}

} // namespace edupulse::test
