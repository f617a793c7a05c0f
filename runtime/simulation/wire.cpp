#include "runtime/simulation/wire.hpp"
#include "schemas/overloaded.hpp"
#include <algorithm>

namespace edupulse::simulation {

namespace asks = switchboard_effects;

namespace {

constexpr auto last_words = std::chrono::seconds(1);
constexpr auto tell_arriving_every = std::chrono::seconds(1);

std::string_view name_of(frame_kind kind) {
  constexpr std::string_view names[] = {"none",    "hello",  "refusal",
                                        "control", "events", "membership"};
  return names[static_cast<std::size_t>(kind)];
}

} // namespace

std::string frame_words(std::span<const char> bytes) {
  std::string words;
  auto left = std::as_bytes(bytes);
  while (left.size() >= frame_header::size) {
    const auto header = decode_header(left.first<frame_header::size>(), std::size_t(1) << 31);
    if (!header)
      return words + " (no frame)";
    words += words.empty() ? "" : ", ";
    words += std::string(name_of(header->kind)) + ' ' + std::to_string(header->body_bytes);
    left = left.subspan(std::min(left.size(), frame_header::size + header->body_bytes));
  }
  return words;
}

wire::wire(world& around, settings how, membership members, std::uint64_t seed,
           std::shared_ptr<inbox> mail, wire_owner& owner)
    : around_(around), how_(std::move(how)), board_(how_.core, std::move(members), seed),
      mail_(std::move(mail)), owner_(owner) {}

// -- turns ----------------------------------------------------------------------------------

void wire::open(const std::vector<std::string>& seeds) {
  around_.net.attach(how_.at, *this);
  board_.join(seeds, now(), effects_);
  settle();
}

void wire::settle() {
  carry_out();
  send_out();
  if (over_)
    return;
  auto due = board_.next_deadline().value_or(time_point::max());
  for (const auto& [when, which] : closing_)
    due = std::min(due, when);
  if (due != time_point::max())
    owner_.arm_wire(due);
}

void wire::wake() {
  if (over_)
    return;
  for (const auto& [when, which] : std::exchange(closing_, {}))
    if (when <= now())
      end_now(which);
    else
      closing_.emplace_back(when, which);
  if (const auto due = board_.next_deadline(); due && *due <= now())
    board_.tick(now(), effects_);
  settle();
}

/// As a message to itself.
void wire::later(std::function<void()> what) {
  around_.time.in(duration(1), [self = self_, what = std::move(what)] {
    if (*self != nullptr)
      (*self)->around_.net.run_at((*self)->how_.at, what);
  });
}

/// In order, until none is left: what is asked for may ask for more.
void wire::carry_out() {
  while (!effects_.empty()) {
    doing_.swap(effects_);
    for (auto& what : doing_)
      perform(what);
    doing_.clear();
  }
}

void wire::perform(switchboard_effect& what) {
  trace(what);
  std::visit(overloaded{
                 [&](asks::write& e) { write_for_switchboard(e); },
                 [&](asks::close& e) { close(e.which); },
                 [&](asks::dial& e) { around_.net.dial(how_.at, e.ticket, e.address); },
                 [&](asks::session_up& e) { session_up(e.with); },
                 [&](asks::session_lost& e) {
                   sessions_.erase(e.with.number);
                   mail_->leave(peer_inputs::session_lost{e.with.number});
                 },
                 [&](asks::for_router& e) { for_router(e); },
                 [&](asks::notice&) {},
                 [&](membership_effects::changed& e) {
                   if (e.what == member_event::dead || e.what == member_event::left)
                     mail_->leave(peer_inputs::gone{e.member.node, e.member.name});
                   owner_.member_changed(e);
                 },
                 [&](membership_effects::self_changed& e) { owner_.self_changed(e); },
             },
             what);
}

void wire::trace(const switchboard_effect& what) const {
  const auto of = [](const peer_session& with) {
    return with.who.name + '#' + std::to_string(with.who.boot_epoch) + " number " +
           std::to_string(with.number);
  };
  around_.tell(how_.who, [&] {
    return std::visit(overloaded{
                          [&](const asks::write& e) {
                            return "> write " + std::to_string(e.to) + ": " + frame_words(e.bytes);
                          },
                          [&](const asks::close& e) {
                            return "> close " + std::to_string(e.which) + ": " + e.why;
                          },
                          [&](const asks::dial& e) {
                            return "> dial " + std::to_string(e.ticket) + ' ' + e.address;
                          },
                          [&](const asks::session_up& e) { return "> session up: " + of(e.with); },
                          [&](const asks::session_lost& e) {
                            return "> session lost: " + of(e.with) + ": " + e.why;
                          },
                          [&](const asks::for_router& e) {
                            return "> for router: " + std::string(name_of(e.kind)) + ' ' +
                                   std::to_string(e.body.size()) + " of session " +
                                   std::to_string(e.session);
                          },
                          [&](const asks::notice& e) { return "> notice: " + e.text; },
                          [&](const membership_effects::changed& e) {
                            return "> " + to_string(membership_effect(e));
                          },
                          [&](const membership_effects::self_changed& e) {
                            return "> " + to_string(membership_effect(e));
                          },
                      },
                      what);
  });
}

void wire::session_up(const peer_session& with) {
  watch_epoch(with.who);
  sessions_[with.number] = {with, std::make_shared<intake>(), &epochs_[with.who.node]};
  if (auto* bulk = find(with.bulk))
    bulk->session = with.number;
  mail_->leave(peer_inputs::session_up{with.who, with.number});
  if (quiet_)
    quiesce();
}

/// A rule of the whole cluster, and here it is seen when it is broken: whoever has met a start of a
/// node takes nothing from an earlier one.
void wire::watch_epoch(const peer_identity& who) {
  auto& latest = epochs_[who.node];
  if (who.boot_epoch < latest)
    around_.seen.broken("fencing: " + how_.who + " takes something from epoch " +
                            std::to_string(who.boot_epoch) + " of " + who.name +
                            ", and has met epoch " + std::to_string(latest),
                        now());
  latest = std::max(latest, who.boot_epoch);
}

// -- connections ------------------------------------------------------------------------------

void wire::on_accepted(connection_id which, place from) {
  if (over_)
    return around_.net.close(which);
  around_.tell(how_.who, [&] { return "< accepted " + std::to_string(which); });
  connections_[which];
  const auto address = address_of(from);
  board_.on_accepted(which, address.substr(0, address.find(':')), now(), effects_);
  settle();
}

void wire::on_connected(std::uint64_t ticket, connection_id which) {
  if (over_)
    return around_.net.close(which);
  around_.tell(how_.who, [&] {
    return "< connected " + std::to_string(ticket) + " as " + std::to_string(which);
  });
  connections_[which];
  board_.on_connected(ticket, which, now(), effects_);
  settle();
}

void wire::on_dial_failed(std::uint64_t ticket, std::string_view why) {
  if (over_)
    return;
  around_.tell(how_.who,
               [&] { return "< dial " + std::to_string(ticket) + " failed: " + std::string(why); });
  board_.on_dial_failed(ticket, why, now(), effects_);
  settle();
}

void wire::write_for_switchboard(const asks::write& what) {
  auto* to = find(what.to);
  if (to == nullptr || to->closing)
    return;
  append(what.to, *to, [&](frame_bytes& buffer) {
    buffer.insert(buffer.end(), what.bytes.begin(), what.bytes.end());
  });
  if (to->pending() <= how_.rest_max)
    return;
  board_.on_closed(what.to, "it does not read what it is told", now(), effects_);
  close(what.to);
}

void wire::on_bytes(connection_id which, std::span<const std::byte> bytes) {
  auto* from = find(which);
  if (from == nullptr || from->closing)
    return;
  around_.tell(how_.who, [&] {
    return "< " + std::to_string(bytes.size()) + " bytes from " + std::to_string(which);
  });
  if (!from->frame_begins)
    from->frame_begins = now();
  if (from->session != 0 && now() - *from->frame_begins >= tell_arriving_every) {
    from->frame_begins = now();
    mail_->leave(peer_inputs::arriving{from->session});
  }
  board_.on_bytes(which, bytes, now(), effects_);
  settle();
}

void wire::on_written(connection_id which, std::size_t bytes) {
  if (auto* to = find(which))
    has_written(which, *to, bytes);
}

void wire::has_written(connection_id which, connection& to, std::uint64_t bytes) {
  to.written += bytes;
  while (!to.frames.empty() && to.frames.front().first <= to.written) {
    mail_->leave_written(to.frames.front().second);
    to.frames.erase(to.frames.begin());
  }
  if (to.closing && to.pending() == 0)
    end_now(which);
}

void wire::send_out() {
  for (const auto which : touched_) {
    auto* to = find(which);
    if (to == nullptr)
      continue;
    const auto sent = around_.net.write(which, std::exchange(to->buffer, {}));
    has_written(which, *to, sent);
  }
  touched_.clear();
}

void wire::on_ended(connection_id which) {
  if (!connections_.erase(which))
    return;
  around_.tell(how_.who, [&] { return "< ended " + std::to_string(which); });
  board_.on_closed(which, "the connection has ended", now(), effects_);
  settle();
}

/// The switchboard has forgotten it already.
void wire::close(connection_id which) {
  auto* one = find(which);
  if (one == nullptr || one->closing)
    return;
  one->closing = true;
  if (one->pending() == 0)
    end_now(which);
  else
    closing_.emplace_back(now() + last_words, which);
}

void wire::end_now(connection_id which) {
  if (connections_.erase(which))
    around_.net.close(which);
}

// -- the end ---------------------------------------------------------------------------------

void wire::quiesce() {
  quiet_ = true;
  sessions_.for_each([&](std::uint64_t, const live_session& one) {
    if (auto* from = find(one.with.bulk); from != nullptr && !from->halted) {
      around_.net.halt(one.with.bulk);
      from->halted = true;
    }
  });
}

void wire::leave() {
  board_.leave(now(), effects_);
  settle();
}

void wire::finish() {
  board_.close_all("the node stops", now(), effects_);
  carry_out();
  send_out();
  over_ = true;
}

} // namespace edupulse::simulation
