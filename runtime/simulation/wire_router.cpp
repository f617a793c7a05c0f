// The wire and the router: frames that arrive, and frames that are to leave.

#include "runtime/simulation/wire.hpp"
#include <algorithm>

namespace edupulse::simulation {

namespace asks = switchboard_effects;

namespace {

/// Why an honest node may end a session with another one: trouble, or one had given the other up.
constexpr std::string_view fair_reasons[] = {"it is believed dead",
                                             "unreachable: ",
                                             "it had given this node up",
                                             "the peer goes on with a link that was given up here",
                                             "it has taken nothing for ",
                                             "it confirms nothing of what it is told",
                                             "it does not read what it is told"};

} // namespace

/// All nodes are honest here: whatever else is found wrong with what one said is a mistake.
void wire::cut(const peer_session& with, std::string_view why) {
  const bool is_fair = std::any_of(std::begin(fair_reasons), std::end(fair_reasons),
                                   [&](auto fair) { return why.starts_with(fair); });
  if (!is_fair)
    around_.seen.broken("protocol: " + how_.who + " cuts the session with " + with.who.name + ": " +
                            std::string(why),
                        now());
  board_.cut(with.who.node, with.number, why, now(), effects_);
}

void wire::for_router(const asks::for_router& what) {
  auto* of = sessions_.find(what.session);
  if (of == nullptr)
    return;
  if (of->with.who.boot_epoch < *of->latest_epoch)
    watch_epoch(of->with.who);
  if (what.kind == frame_kind::events)
    return frame_for_router(*of, what.body);
  auto said = decode_control(what.body);
  if (said)
    mail_->leave(peer_inputs::control{what.session, std::move(*said)});
  else
    cut(of->with, said.error().text);
}

void wire::frame_for_router(live_session& of, std::span<const std::byte> body) {
  const auto number = of.with.number;
  auto runs = decode_events(body, of.with.who.node, now(),
                            link_limits{.max_event_bytes = how_.core.max_event_bytes});
  if (!runs)
    return cut(of.with, runs.error().text);
  if (auto* from = find(of.with.bulk))
    from->frame_begins.reset(); // the next one begins with the next read
  const auto size = body.size();
  of.taken->bytes += size;
  std::shared_ptr<void> held(nullptr, [self = self_, taken = of.taken, size, number](void*) {
    taken->bytes -= size;
    if (*self != nullptr && taken->bytes <= (*self)->how_.intake_max / 2 &&
        std::exchange(taken->halted, false))
      (*self)->later([self, number] { (*self)->read_again(number); });
  });
  if (of.taken->bytes > how_.intake_max)
    if (auto* from = find(of.with.bulk)) {
      around_.net.halt(of.with.bulk);
      from->halted = true;
      of.taken->halted = true;
    }
  mail_->leave(peer_inputs::frame{number, std::move(*runs), std::move(held)});
}

void wire::read_again(std::uint64_t session) {
  const auto* of = sessions_.find(session);
  if (of == nullptr || quiet_)
    return;
  if (auto* from = find(of->with.bulk); from != nullptr && from->halted) {
    from->halted = false;
    around_.net.read_on(of->with.bulk);
  }
}

void wire::write_all(const std::vector<order>& what) {
  for (const auto& one : what)
    write_one(one);
  if (effects_.empty())
    send_out();
  else
    settle();
}

void wire::write_one(const order& one) {
  const auto* to_whom = sessions_.find(one.session);
  if (to_whom == nullptr)
    return; // it has ended, and the router hears of it
  const auto& with = to_whom->with;
  if (const auto* stop = std::get_if<link_effects::cut>(&one.what->what))
    return cut(with, stop->why);
  const auto* events = std::get_if<link_effects::send_events>(&one.what->what);
  const auto which = events != nullptr ? with.bulk : with.control;
  auto* to = find(which);
  if (to == nullptr || to->closing)
    return;
  append(which, *to, [&](frame_bytes& into) {
    if (events != nullptr)
      append_frame(into, events->runs);
    else
      append_frame(into, std::get<link_effects::send_control>(one.what->what).what);
  });
  if (events != nullptr)
    to->frames.emplace_back(to->queued, one.session);
  else if (to->pending() > how_.rest_max)
    cut(with, "it does not read what it is told");
}

} // namespace edupulse::simulation
