#include "runtime/control/verbs.hpp"

namespace edupulse::control {

namespace {

expected<transport_ptr> open(const bench& on, std::string_view url) {
  if (!on.transports)
    return fail(errc::refused, "this node takes no mirrors");
  return on.transports(url);
}

} // namespace

void list_mirrors(const bench& on, Answer::Builder to) {
  const auto known = on.at.mirrors();
  auto all = to.initMirrors(count_of(known.size()));
  for (unsigned i = 0; i < all.size(); ++i) {
    const auto& one = known[i];
    all[i].setName(one.name);
    all[i].setFilter(one.filter);
    all[i].setGroup(one.group);
    all[i].setState(one.state);
    all[i].setTransport(one.transport);
    all[i].setWhere(one.where);
    all[i].setHealth(std::string(to_string(one.health.is)));
    all[i].setWhy(one.health.why);
    all[i].setLag(one.lag);
    all[i].setOldestMs(static_cast<std::uint64_t>(one.oldest.count()));
  }
}

expected<void> add_mirror(const bench& on, MirrorAdd::Reader what, Answer::Builder to) {
  auto transport = open(on, view(what.getUrl()));
  if (!transport)
    return tl::unexpected(std::move(transport.error()));
  auto options = mirror_options(**transport);
  options.group = view(what.getGroup());
  const auto made = on.at.attach_mirror(std::string(view(what.getName())), view(what.getFilter()),
                                        std::move(*transport), std::move(options));
  return tell_done(made ? expected<void>() : tl::unexpected(made.error()), to);
}

expected<void> swap_mirror(const bench& on, MirrorSwap::Reader what, Answer::Builder to) {
  auto transport = open(on, view(what.getUrl()));
  if (!transport)
    return tl::unexpected(std::move(transport.error()));
  return tell_done(on.at.swap_mirror(view(what.getName()), std::move(*transport)), to);
}

expected<void> remove_mirror(const bench& on, std::string_view name, Answer::Builder to) {
  return tell_done(on.at.detach_mirror(name), to);
}

} // namespace edupulse::control
