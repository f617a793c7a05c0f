#include "runtime/simulation/node.hpp"
#include "actors/trace.hpp"
#include "actors/tracker.hpp"
#include "runtime/completion_sink.hpp"
#include "schemas/envelope_writer.hpp"
#include "schemas/overloaded.hpp"

namespace edupulse::simulation {

namespace {

/// As router_actor: after a turn of so many events and reports it naps.
constexpr std::size_t busy_turn = 16;
constexpr auto nap = std::chrono::microseconds(40);
constexpr int rounds_per_turn = 64;
/// Longer than any run.
constexpr auto never_stalls = std::chrono::hours(1);

switchboard::settings core_of(const node::settings& how) {
  switchboard::settings core;
  core.max_event_bytes = how.max_event_bytes;
  core.redial.cap = how.redial_cap;
  core.agreed = how.agreed;
  return core;
}

} // namespace

// -- the beginning ----------------------------------------------------------------------------

node::node(world& around, settings how)
    : around_(around), how_(std::move(how)),
      who_(how_.self.name + '#' + std::to_string(how_.self.boot_epoch)), chance_(how_.seed),
      number_(around.seen.begin_start(how_.self.name, how_.self.boot_epoch, around.time.now())),
      mail_(std::make_shared<inbox>(how_.mail,
                                    [self = self_] {
                                      if (*self != nullptr)
                                        (*self)->rung();
                                    })),
      desk_({how_.self.name, chance_.next(), timetable::wall_offset_ms, {}, how_.unreachable_after},
            *this),
      wire_{around,
            {how_.at, who_, core_of(how_), 8u << 20, how_.intake_max},
            membership::make(how_.members, how_.self, {}, chance_.next()).value(),
            chance_.next(),
            mail_,
            *this} { // braces: the draws are made in this order
  desk_.add_observer(this);
}

node::~node() {
  *self_ = nullptr;
  around_.seen.end_start(number_, around_.time.now());
}

void node::open() { wire_.open(how_.seeds); }

duration node::draw_hop() {
  const auto way =
      duration(static_cast<duration::rep>(chance_.unit() * static_cast<double>(how_.hop.count())));
  last_hop_ = std::max(last_hop_ + duration(1), time() + way);
  return last_hop_ - time();
}

// -- turns of the router ------------------------------------------------------------------------

void node::rung() {
  awake_ = true;
  hop([this] { turn(); });
}

void node::turn() {
  for (int round = 0; round < rounds_per_turn; ++round) {
    mail_->wait_for_wire(desk_.core().waits_for_wire());
    mail_->take(contents_, true);
    const auto due = desk_.core().next_deadline();
    const bool is_due = due && *due <= time();
    if (is_due) {
      desk_.on_tick(time());
      send_orders();
    }
    if (contents_.empty()) {
      if (is_due)
        continue; // it may wait for the wire from now on
      awake_ = false;
      send_orders();
      if (due)
        arm(*due);
      return;
    }
    const bool busy = contents_.weight() >= busy_turn;
    desk_.on_contents(contents_, time());
    send_orders();
    if (busy)
      return later(nap, [this] { turn(); });
  }
  hop([this] { turn(); });
}

void node::arm(time_point due) {
  if (due >= armed_)
    return;
  armed_ = due;
  later(due - time(), [this, due] {
    if (armed_ != due)
      return;
    armed_ = time_point::max();
    mail_->ring();
  });
}

void node::arm_wire(time_point when) {
  if (when >= wire_armed_)
    return;
  wire_armed_ = when;
  later(std::max(duration(0), when - time()), [this, when] {
    if (wire_armed_ != when)
      return;
    wire_armed_ = time_point::max();
    wire_.wake();
  });
}

void node::send_orders() {
  if (orders_.empty())
    return;
  hop([this, orders = std::exchange(orders_, std::exchange(spare_orders_, {}))]() mutable {
    wire_.write_all(orders);
    orders.clear();
    spare_orders_ = std::move(orders);
  });
}

template <class F> void node::command(std::string_view verb, std::string_view about, F f) {
  turn(); // what was left before this was asked comes first
  desk_.command(verb, about, time(), f);
  send_orders();
  turn();
}

// -- use ------------------------------------------------------------------------------------------

expected<void> node::subscribe(const subscription_order& what) {
  auto filter = read_filter(what.filter);
  if (!filter)
    return tl::unexpected<error>(filter.error());
  expected<std::uint32_t> made;
  command("subscribe", what.name, [&](router& core, effect_list& out) {
    if (what.scope)
      if (const auto good = core.add_scope(what.options.scope, *what.scope); !good) {
        made = tl::unexpected<error>(good.error());
        return false;
      }
    made = core.subscribe(what.name, std::move(*filter), what.options, time(), out);
    if (!made)
      return false;
    auto around = std::make_shared<runner_surroundings>();
    around->subscription = what.name;
    around->order = what.options.order;
    around->make = [this, which = *made] { return make_handler(which); };
    around->completions = std::make_shared<completion_sink>(mail_, *made);
    around->port = this;
    const auto& o = what.options;
    const bool drops = o.overload != overload_policy::strict &&
                       (o.overload != overload_policy::wait || o.stall_after < never_stalls);
    const auto number =
        around_.seen.subscription({what.name + '@' + name(), what.filter, o.group, drops});
    scripts_[*made] = {number, what.how, what.make, std::move(around)};
    return true;
  });
  if (!made)
    return tl::unexpected<error>(made.error());
  return {};
}

expected<void> node::unsubscribe(const std::string& name) {
  const auto which = desk_.core().find(name);
  if (!which)
    return fail(errc::not_found, "there is no subscription named " + quote(name));
  expected<void> good;
  command("unsubscribe", name, [&](router& core, effect_list& out) {
    good = core.unsubscribe(*which, time(), out);
    return true;
  });
  return good;
}

expected<void> node::publish(envelope_ptr event) {
  const auto copy = event;
  auto good = mail_->admit(std::move(event), duration(0));
  around_.seen.published(*copy, number_, good.has_value(), time());
  return good;
}

void node::be_kind() { kind_ = true; }

bool node::is_idle() const {
  if (deferrals_ > 0 || awake_)
    return false;
  return std::none_of(lives_.begin(), lives_.end(), [](const auto& one) {
    return one.second.busy || !one.second.mailbox.empty();
  });
}

void node::check() {
  desk_.check();
  wire_.check();
  if (!desk_.core().ledger_snapshot().balances())
    around_.seen.broken("the ledger of " + who_ + " does not balance", time());
  for (const auto& one : desk_.core().backlogs()) {
    if (one.is_remote && one.in_flight > one.credit)
      around_.seen.broken(who_ + " has sent " + one.name + " more than its credit", time());
    // An own subscription is sent by each other node as much as that node may owe it.
    const auto senders = one.is_remote ? 1 : 1 + 2 * board().members().table().live().size();
    if (one.events > one.most_events * senders + how_.mail.events)
      around_.seen.broken(who_ + " owes " + one.name + ' ' + std::to_string(one.events) +
                              " events, more than its backlog of " +
                              std::to_string(one.most_events) + " and the inbox hold",
                          time());
    if (one.bytes > one.most_bytes * senders + how_.mail.bytes + how_.max_event_bytes)
      around_.seen.broken(who_ + " keeps " + std::to_string(one.bytes) + " bytes for " + one.name +
                              ", more than its backlog and the inbox hold",
                          time());
  }
}

// -- the end --------------------------------------------------------------------------------------

void node::leave(duration patience, std::function<void()> done) {
  when_left_ = std::move(done);
  wire_.quiesce();
  mail_->close();
  later(patience, [this] { drained(); });
  command("drain", "", [&](router& core, effect_list& out) {
    core.drain(time(), out);
    return true;
  });
}

/// Or not, and the time is up. Others are told of all conclusions before they hear that it leaves.
void node::drained() {
  if (!when_left_ || std::exchange(drained_, true))
    return;
  later(duration(1), [this] {
    command("tell", "conclusions", [&](router& core, effect_list& out) {
      core.tell_conclusions(time(), out);
      return true;
    });
    hop([this] {
      leaving_ = true;
      wire_.leave();
    });
    later(std::chrono::seconds(3), [this] { left(); });
  });
}

void node::left() {
  if (!std::exchange(leaving_, false))
    return;
  command("stop", "", [&](router& core, effect_list& out) {
    core.stop(time(), out);
    return true;
  });
  later(std::chrono::milliseconds(100), [this] {
    wire_.finish();
    around_.net.detach(how_.at, network::ending::closed);
    std::exchange(when_left_, nullptr)();
  });
}

// -- hands ----------------------------------------------------------------------------------------

void node::bury(effects::bury&& what) {
  around_.seen.buried(*what.letter.event, number_, full_name(what.subscription), time());
}

void node::set_gate(std::uint32_t subscription, bool closed) {
  if (closed)
    mail_->close_gate(subscription, desk_.core().name(subscription),
                      desk_.core().filter(subscription));
  else
    mail_->open_gate(subscription);
}

void node::unsubscribed(std::uint32_t subscription) { scripts_.erase(subscription); }

void node::to_peer(std::uint64_t session, const std::shared_ptr<peer_message>& what) {
  orders_.push_back({session, what});
}

// -- observer, event_port, wire_owner
// ---------------------------------------------------------------

std::string node::full_name(std::uint32_t subscription) const {
  const auto& name = desk_.core().name(subscription);
  const bool has_node =
      subscriber_index::is_remote(subscription) || subscriber_index::is_group(subscription);
  return has_node ? name : name + '@' + this->name();
}

void node::on_input(const input& what, const router& core, time_point) {
  if (!around_.trace)
    return;
  if (const auto line = trace_line(what, core, timetable::first_moment); !line.empty())
    around_.tell(who_, [&] { return "< " + line; });
}

void node::on_effect(const effect& what, const router& core, time_point now) {
  around_.tell(who_, [&] { return "> " + trace_line(what, core, timetable::first_moment); });
  if (const auto* one = std::get_if<effects::routed>(&what))
    around_.seen.routed(*one->event, one->owed);
  else if (const auto* done = std::get_if<effects::settle>(&what))
    around_.seen.settled(*done->event, number_, full_name(done->subscription), done->how, now);
  else if (const auto* gone = std::get_if<effects::peer_gone>(&what))
    around_.seen.parted(number_, gone->name, now);
}

/// As runtime/stamper.
expected<envelope_ptr> node::make(const event_type& type,
                                  const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                  std::string_view subject, std::string_view key, metadata meta) {
  envelope_writer writer(type);
  fill(writer.payload());
  std::string own_key;
  if (key.empty() && type.key_of != nullptr)
    key = own_key = type.key_of(writer.payload().asReader());
  const auto now = around_.time.wall_ms();
  auto made = writer.finish({how_.ids->next(now), how_.self.node, now, subject, key, meta},
                            how_.max_event_bytes);
  if (made) {
    auto* tracked = how_.tracked ? new receipt_tracker : nullptr; // the envelope's from here on
    envelope_writer::set_travel(*made, type.level, time_point::max(), tracked,
                                tracked != nullptr ? receipt_tracker::release_tracker : nullptr);
  }
  return made;
}

void node::commit(std::vector<envelope_ptr>&& events) {
  for (const auto& one : events)
    around_.seen.published(*one, number_, true, time());
  mail_->commit(std::move(events));
}

void node::member_changed(const membership_effects::changed&) { ++member_changes_; }

void node::self_changed(const membership_effects::self_changed& what) {
  over_ = what.now >= self_state::left;
  if (what.now == self_state::fenced) {
    mail_->close({errc::fenced, "this node was started again"});
    later(std::chrono::milliseconds(100), how_.when_fenced);
  }
  if (what.now == self_state::left)
    later(duration(1), [this] { left(); });
}

} // namespace edupulse::simulation
