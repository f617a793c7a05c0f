#include "runtime/control/verbs.hpp"

namespace edupulse::control {

void list_sources(const bench& on, Answer::Builder to) {
  const auto known = on.at.sources();
  auto all = to.initSources(count_of(known.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    const auto& one = known[i];
    all[i].setName(one.name);
    all[i].setSource(one.source);
    all[i].setWhere(one.where);
    all[i].setHealth(std::string(to_string(one.health.is)));
    all[i].setWhy(one.health.why);
    all[i].setReceived(one.received);
    all[i].setPublished(one.published);
    all[i].setMalformed(one.malformed);
    all[i].setEchoes(one.echoes);
    all[i].setAcknowledged(one.acknowledged);
    all[i].setWaiting(one.waiting);
    all[i].setLost(one.lost);
    all[i].setPaused(one.paused);
  }
}

expected<void> add_source(const bench& on, SourceAdd::Reader what, Answer::Builder to) {
  if (!on.sources)
    return fail(errc::refused, "this node takes no sources");
  auto from = on.sources(view(what.getUrl()));
  if (!from)
    return tl::unexpected(std::move(from.error()));
  return tell_done(on.at.attach_source(std::string(view(what.getName())), std::move(*from)), to);
}

expected<void> remove_source(const bench& on, std::string_view name, Answer::Builder to) {
  return tell_done(on.at.detach_source(name), to);
}

} // namespace edupulse::control
