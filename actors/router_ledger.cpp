// The router's ledger, and those of other nodes.

#include "actors/router.hpp"

namespace edupulse {

/// `count(index, topic)` for each event that is owed and not concluded.
template <class F> void router::for_each_pending(F count) const {
  for (std::uint32_t which = 0; which < slots_.size(); ++which)
    if (slots_[which])
      slots_[which]->owed->for_each_owed([&](const envelope& event, bool received) {
        count(received ? ledger::received(which) : which, event.topic());
      });
  const auto count_at = [&](std::uint32_t index, const envelope& event) {
    count(index, event.topic());
  };
  peers_.for_each_owed(count_at);
  groups_.for_each_kept(count_at);
}

ledger_view router::ledger_snapshot() const {
  return book_.snapshot([this](auto&& count) { for_each_pending(count); });
}

std::vector<backlog_status> router::backlogs() const {
  std::vector<backlog_status> all;
  for (const auto& what : slots_)
    if (what && what->owed->owed() > 0) {
      const auto& about = what->owed->about();
      all.push_back({about.name, false, what->owed->owed(), what->owed->owed_bytes(),
                     about.options.backlog_events, about.options.backlog_bytes,
                     what->owed->in_flight(), about.options.window});
    }
  peers_.for_each([&](std::uint32_t, const std::string&, const link& to) {
    to.owed().for_each([&](const destination& one) {
      const auto& about = one.about();
      if (one.owed() > 0)
        all.push_back({about.name, true, one.owed(), one.owed_bytes(), about.overload.events,
                       about.overload.bytes, one.in_flight(), about.window_events});
    });
  });
  return all;
}

std::vector<topic_status> router::topics() {
  return topics(book_.snapshot([](auto&&) {}).topics); // what is pending does not matter here
}

std::vector<topic_status> router::topics(const std::vector<ledger_topic>& of) {
  std::vector<topic_status> all;
  for (const auto& one : of) {
    if (one.topic.starts_with('$') && one.published == one.no_subscriber)
      continue;
    const bool has_name = check_topic(one.topic).has_value(); // not "(other topics)"
    all.push_back({one, has_name ? count_matching(one.topic) : 0});
  }
  return all;
}

node_ledger router::published() const {
  return {how_.node_name,
          book_.published(how_.node_name, [this](auto&& count) { for_each_pending(count); })};
}

expected<void> router::ask_ledgers(std::uint64_t query, time_point deadline, time_point now,
                                   effect_list& out) {
  std::vector<inquiries::who> all;
  peers_.for_each([&](std::uint32_t id, const std::string& name, const link& to) {
    all.push_back({id, name, to.has_session()});
  });
  auto begun = inquiries_.begin(query, published(), all, deadline, now, out);
  finish_turn(now, out);
  return begun;
}

expected<void> router::on_inquiry(std::uint32_t peer, peer_control& what, time_point now,
                                  effect_list& out) {
  if (!peers_.is_up(peer))
    return fail(errc::protocol, "the peer did not begin the session");
  if (auto* told = std::get_if<link_answer>(&what))
    return inquiries_.on_answer(peer, std::move(*told), now, out);
  inquiries_.on_ask(
      peer, std::get<link_ask>(what), [this] { return published().published; }, now, out);
  return {};
}

} // namespace edupulse
