// At-least-once means that a handler sees some events twice, and different keys in any order. This
// runs one against that, and compares what it did with a run where nothing went wrong.

#include <algorithm>
#include <edupulse/testing.hpp>
#include <map>
#include <set>

namespace edupulse::testing {

namespace {

struct effects_seen {
  std::set<std::string> published; ///< topic, key and payload bytes: repeats are one
  std::string world;
};

std::string bytes_of(const envelope& event) {
  payload_reader reader(event);
  auto payload = reader.payload().getAs<capnp::AnyStruct>();
  const auto words = payload.canonicalize();
  const auto chars = words.asPtr().asChars();
  return {chars.begin(), chars.size()};
}

effects_seen gather(bus& from, const observe_effects& effects) {
  effects_seen seen;
  for (const auto& event : from.published_by_handlers())
    seen.published.insert(std::string(event->topic()) + '\n' + std::string(event->key()) + '\n' +
                          bytes_of(*event));
  if (effects)
    seen.world = effects();
  return seen;
}

expected<effects_seen>
plain_run(const std::function<std::pair<handler_recipe, observe_effects>()>& make,
          const std::vector<envelope_ptr>& events) {
  bus calm;
  auto [recipe, effects] = make();
  if (auto good = calm.subscribe_recipe(">", "handler", std::move(recipe)); !good)
    return tl::unexpected<error>(good.error());
  for (const auto& event : events)
    static_cast<void>(calm.publish(event));
  calm.advance(std::chrono::minutes(2));
  return gather(calm, effects);
}

/// Every key's events in their order, keys taken in turns from the last to the first.
std::vector<envelope_ptr> other_order(const std::vector<envelope_ptr>& events) {
  std::map<std::string, std::vector<envelope_ptr>, std::greater<>> by_key;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto key = std::string(events[i]->key());
    by_key[key.empty() ? "keyless " + std::to_string(i) : key].push_back(events[i]);
  }
  std::vector<envelope_ptr> mixed;
  for (std::size_t round = 0; mixed.size() < events.size(); ++round)
    for (const auto& [key, line] : by_key)
      if (round < line.size())
        mixed.push_back(line[round]);
  return mixed;
}

expected<effects_seen>
rough_run(const std::function<std::pair<handler_recipe, observe_effects>()>& make,
          const std::vector<envelope_ptr>& events) {
  bus rough;
  auto [recipe, effects] = make();
  if (auto good = rough.subscribe_recipe(">", "handler", std::move(recipe)); !good)
    return tl::unexpected<error>(good.error());
  std::size_t count = 0;
  for (const auto& event : other_order(events)) {
    static_cast<void>(rough.publish(event));
    if (++count % 2 == 0)
      rough.kill("handler"); // what it kept in memory is gone
    static_cast<void>(rough.publish(event));
  }
  rough.advance(std::chrono::minutes(2));
  return gather(rough, effects);
}

} // namespace

expected<void>
expect_idempotent(const std::function<std::pair<handler_recipe, observe_effects>()>& make,
                  const std::vector<envelope_ptr>& events) {
  auto calm = plain_run(make, events);
  if (!calm)
    return tl::unexpected<error>(calm.error());
  auto rough = rough_run(make, events);
  if (!rough)
    return tl::unexpected<error>(rough.error());
  for (const auto& one : calm->published)
    if (!rough->published.contains(one))
      return fail(errc::refused, "with repeats and crashes it did not publish " +
                                     one.substr(0, one.find('\n')) + " any more");
  for (const auto& one : rough->published)
    if (!calm->published.contains(one))
      return fail(errc::refused, "with repeats and crashes it also published " +
                                     one.substr(0, one.find('\n')) +
                                     ", with another payload or key");
  if (calm->world != rough->world)
    return fail(errc::refused, "with repeats and crashes its effects differ: \"" + rough->world +
                                   "\" instead of \"" + calm->world + "\"");
  return {};
}

} // namespace edupulse::testing
