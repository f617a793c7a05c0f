// The wire and the router: frames that arrive, and frames that are to leave.

#include "runtime/wire/wire_actor.hpp"

namespace edupulse {

namespace asks = switchboard_effects;

void wire_state::for_router(const asks::for_router& what) {
  const auto at = sessions.find(what.session);
  if (at == sessions.end())
    return;
  if (what.kind == frame_kind::events)
    return frame_for_router(at->second, what.body);
  auto said = decode_control(what.body);
  if (said)
    setup->mail->leave(peer_inputs::control{what.session, std::move(*said)});
  else
    board->cut(what.from, what.session, said.error().text, setup->host->now(), effects);
}

void wire_state::frame_for_router(live_session& of, std::span<const std::byte> body) {
  const auto number = of.with.number;
  const auto now = setup->host->now();
  auto runs = decode_events(body, of.with.who.node, now,
                            link_limits{.max_event_bytes = setup->core.max_event_bytes});
  if (!runs)
    return board->cut(of.with.who.node, number, runs.error().text, now, effects);
  if (auto* from = find(of.with.bulk))
    from->frame_begins.reset(); // the next one begins with the next read
  const auto size = body.size();
  const auto lies = of.taken->bytes.fetch_add(size) + size;
  std::shared_ptr<void> held(
      nullptr, [taken = of.taken, size, number, me = caf::actor_cast<caf::actor>(self)](void*) {
        const auto left = taken->bytes.fetch_sub(size) - size;
        if (left <= intake_max / 2 && taken->halted.exchange(false))
          caf_shim::send(me, read_on{number});
      });
  if (lies > intake_max) {
    if (auto* from = find(of.with.bulk)) {
      self->halt(from->handle);
      from->halted = true;
      of.taken->halted = true;
      if (of.taken->bytes <= intake_max / 2 && of.taken->halted.exchange(false))
        read_again(number); // the router was quicker
    }
  }
  setup->mail->leave(peer_inputs::frame{number, std::move(*runs), std::move(held)});
}

void wire_state::read_again(std::uint64_t session) {
  const auto at = sessions.find(session);
  if (at == sessions.end() || quiet)
    return;
  if (auto* from = find(at->second.with.bulk); from != nullptr && from->halted) {
    from->halted = false;
    self->trigger(from->handle);
  }
}

void wire_state::write_all(const wire_orders& what) {
  for (const auto& one : *what)
    write_one(one);
  if (effects.empty())
    send_out();
  else
    settle();
}

void wire_state::write_one(const wire_order& order) {
  const auto at = sessions.find(order.session);
  if (at == sessions.end())
    return; // it has ended, and the router hears of it
  const auto& with = at->second.with;
  if (const auto* stop = std::get_if<link_effects::cut>(&order.what->what))
    return board->cut(with.who.node, with.number, stop->why, setup->host->now(), effects);
  const auto* events = std::get_if<link_effects::send_events>(&order.what->what);
  auto* to = find(events != nullptr ? with.bulk : with.control);
  if (to == nullptr || to->closing)
    return;
  const auto put = [&](frame_bytes& into) {
    if (events != nullptr)
      append_frame(into, events->runs);
    else
      append_frame(into, std::get<link_effects::send_control>(order.what->what).what);
  };
  if (to->tls) {
    scratch.clear();
    put(scratch);
    write(*to, scratch);
  } else {
    append(*to, put);
  }
  if (events != nullptr)
    to->frames.emplace_back(to->queued, order.session);
  else if (to->pending() > rest_max)
    board->cut(with.who.node, with.number, "it does not read what it is told", setup->host->now(),
               effects);
}

} // namespace edupulse
