// At-least-once means that a handler sees some events twice, and different keys in any order. This
// runs one against that, in each way a node can come to it, and compares what it did with a run
// where nothing went wrong.
//
// What a handler publishes leaves when its call has succeeded, all of it, and not before (G15). So
// there are two ways to die: in the call, when the world has seen a part of it, or all, and nobody
// what it published; and after the call, when its events are on their way and nobody knows.

#include <algorithm>
#include <edupulse/testing.hpp>
#include <map>
#include <optional>
#include <set>
#include <stdexcept>

namespace edupulse::testing {

namespace {

using maker = std::function<std::pair<handler_recipe, observe_effects>()>;
using event_list = std::vector<envelope_ptr>;

constexpr std::size_t at_the_end = 0; ///< instead of the number of a publish

/// What happens to the handler around one event, which it sees again afterwards.
struct mishap {
  enum class kinds {
    none,         ///< handled once
    repeat,       ///< nothing happens: the publisher has not heard of the success
    death_after,  ///< when its call has succeeded and its events have left
    death_in_call ///< what it has published in it never leaves
  };
  kinds what = kinds::none;
  std::size_t publish = at_the_end; ///< death_in_call: right after which
};

std::string in_words(const mishap& what) {
  switch (what.what) {
  case mishap::kinds::none:
    return "handled once, as before";
  case mishap::kinds::repeat:
    return "delivered twice";
  case mishap::kinds::death_after:
    return "delivered again to a new handler, because the first one died right after its call";
  case mishap::kinds::death_in_call:
    break;
  }
  const auto when = what.publish == at_the_end
                        ? std::string("at the end of its call, before it could return")
                        : "right after publish " + std::to_string(what.publish) + " of its call";
  return "delivered again to a new handler, because the first one died " + when +
         " (what it had published in it never left)";
}

// -- the handler under test -----------------------------------------------------------------

struct planned_death : std::runtime_error {
  planned_death() : std::runtime_error("expect_idempotent ended this call") {}
};

/// Of all handlers of one run.
struct watch {
  std::set<event_id> given;                ///< what they are there for; what they publish is not
  std::optional<std::size_t> dies_after{}; ///< this publish of the next call
  std::size_t most_published = 0;          ///< in one call
};

class watched_context final : public context {
public:
  watched_context(context& real, watch& seen)
      : context(real), real_(real), seen_(seen),
        dies_after_(std::exchange(seen.dies_after, std::nullopt)) {}
  expected<event_id> publish_event(const event_type& type,
                                   const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                   std::string_view subject, std::string_view key) override {
    auto id = real_.publish_event(type, fill, subject, key);
    if (id)
      seen_.most_published = std::max(seen_.most_published, ++published_);
    if (id && dies_after_ == published_)
      throw planned_death();
    return id;
  }
  deferral defer() override { return real_.defer(); }
  /// Also for a handler that has caught what it was to die of.
  void end_of_call() const {
    if (dies_after_ && (*dies_after_ == at_the_end || *dies_after_ <= published_))
      throw planned_death();
  }

private:
  context& real_;
  watch& seen_;
  std::size_t published_ = 0; ///< in this call
  const std::optional<std::size_t> dies_after_;
};

class watched_handler final : public handler {
public:
  watched_handler(std::unique_ptr<handler> inner, std::shared_ptr<watch> seen)
      : inner_(std::move(inner)), seen_(std::move(seen)) {}
  outcome handle(const envelope& event, context& ctx) override {
    if (!seen_->given.contains(event.id()))
      return outcome::ok();
    watched_context watched(ctx, *seen_);
    auto said = inner_->handle(event, watched);
    watched.end_of_call();
    return said;
  }
  void end_of_batch() override { inner_->end_of_batch(); }

private:
  std::unique_ptr<handler> inner_;
  std::shared_ptr<watch> seen_;
};

// -- one run --------------------------------------------------------------------------------

struct effects_seen {
  std::set<std::string> published; ///< topic, key and payload bytes: repeats are one
  std::string world;
  std::size_t most_published = 0; ///< in one call
};

std::string bytes_of(const envelope& event) {
  payload_reader reader(event);
  auto payload = reader.payload().getAs<capnp::AnyStruct>();
  const auto words = payload.canonicalize();
  const auto chars = words.asPtr().asChars();
  return {chars.begin(), chars.size()};
}

void deliver(bus& to, watch& handler, const envelope_ptr& event, const mishap& with) {
  if (with.what == mishap::kinds::death_in_call)
    handler.dies_after = with.publish;
  static_cast<void>(to.publish(event));
  handler.dies_after.reset(); // unless it was not called at all
  if (with.what == mishap::kinds::death_after)
    to.kill("handler"); // what it kept in memory is gone
  if (with.what == mishap::kinds::death_in_call)
    to.advance(std::chrono::seconds(1)); // until it is tried again
  else if (with.what != mishap::kinds::none)
    static_cast<void>(to.publish(event));
}

expected<effects_seen> run(const maker& make, const event_list& events,
                           const std::function<mishap(std::size_t)>& mishap_of) {
  bus at;
  auto [recipe, effects] = make();
  auto seen = std::make_shared<watch>();
  for (const auto& one : events)
    seen->given.insert(one->id());
  recipe.make = [make_one = recipe.make, seen]() -> std::unique_ptr<handler> {
    return std::make_unique<watched_handler>(make_one(), seen);
  };
  if (auto good = at.subscribe_recipe(">", "handler", std::move(recipe)); !good)
    return tl::unexpected<error>(good.error());
  for (std::size_t i = 0; i < events.size(); ++i)
    deliver(at, *seen, events[i], mishap_of(i));
  at.advance(std::chrono::minutes(2));
  effects_seen result;
  for (const auto& event : at.published_by_handlers())
    result.published.insert(std::string(event->topic()) + '\n' + std::string(event->key()) + '\n' +
                            bytes_of(*event));
  if (effects)
    result.world = effects();
  result.most_published = seen->most_published;
  return result;
}

// -- all of them ----------------------------------------------------------------------------

std::string named(std::string_view published) {
  const auto topic = published.substr(0, published.find('\n'));
  const auto key = published.substr(topic.size() + 1);
  return std::string(topic) + " with key \"" + std::string(key.substr(0, key.find('\n'))) + "\"";
}

/// "" when they are the same.
std::string difference(const effects_seen& calm, const effects_seen& rough) {
  for (const auto& one : calm.published)
    if (!rough.published.contains(one))
      return "it does not publish " + named(one) + " any more, or with another payload";
  for (const auto& one : rough.published)
    if (!calm.published.contains(one))
      return "it also publishes " + named(one) + ", or another payload with that";
  if (calm.world != rough.world)
    return "its effects are \"" + rough.world + "\" instead of \"" + calm.world + "\"";
  return {};
}

/// Every key's events in their order, keys taken in turns from the last to the first.
event_list other_order(const event_list& events) {
  std::map<std::string, event_list, std::greater<>> by_key;
  for (std::size_t i = 0; i < events.size(); ++i) {
    const auto key = std::string(events[i]->key());
    by_key[key.empty() ? "keyless " + std::to_string(i) : key].push_back(events[i]);
  }
  event_list mixed;
  for (std::size_t round = 0; mixed.size() < events.size(); ++round)
    for (const auto& [key, line] : by_key)
      if (round < line.size())
        mixed.push_back(line[round]);
  return mixed;
}

event_list followed_by(event_list first, const event_list& then) {
  first.insert(first.end(), then.begin(), then.end());
  return first;
}

/// All that can happen to a call that publishes so much.
std::vector<mishap> mishaps(std::size_t publishes) {
  using kinds = mishap::kinds;
  std::vector<mishap> all{{kinds::repeat}, {kinds::death_after}};
  for (std::size_t publish = 1; publish <= publishes; ++publish)
    all.push_back({kinds::death_in_call, publish});
  all.push_back({kinds::death_in_call, at_the_end});
  return all;
}

class trial {
public:
  trial(const maker& make, const event_list& events) : make_(make), events_(events) {}

  expected<void> carry_out() {
    const auto in_peace = [](std::size_t) { return mishap(); };
    auto calm = run(make_, events_, in_peace);
    if (!calm)
      return tl::unexpected<error>(calm.error());
    calm_ = std::move(*calm);
    if (auto differs = differs_with(events_, in_peace))
      return fail(errc::refused, "a second run in which nothing goes wrong is another one, so "
                                 "chance or the time is in it: " +
                                     *differs);
    const auto all = mishaps(calm_.most_published);
    for (const auto& what : all)
      if (auto differs = differs_with(events_, [&](std::size_t) { return what; }))
        return blame(what, *differs);
    if (auto differs = differs_with(followed_by(events_, events_), in_peace))
      return fail(errc::refused,
                  "when all events are delivered again after the last one, " + *differs);
    const auto mixed = other_order(events_);
    if (auto differs = differs_with(mixed, in_peace))
      return fail(errc::refused,
                  "when the events of different keys come in another order, " + *differs);
    if (auto differs = differs_with(followed_by(mixed, events_),
                                    [&](std::size_t i) { return all[i % all.size()]; }))
      return fail(errc::refused,
                  "with another order of keys, repeats and deaths together, " + *differs);
    return {};
  }

private:
  std::optional<std::string> differs_with(const event_list& events,
                                          const std::function<mishap(std::size_t)>& mishap_of) {
    const auto rough = run(make_, events, mishap_of);
    auto text = rough ? difference(calm_, *rough) : rough.error().text;
    return text.empty() ? std::nullopt : std::optional(std::move(text));
  }

  /// It happened to all events: the first to which it must happen alone is the one to look at.
  expected<void> blame(const mishap& what, const std::string& difference_for_all) {
    for (std::size_t at = 0; at < events_.size(); ++at)
      if (auto differs =
              differs_with(events_, [&](std::size_t i) { return i == at ? what : mishap(); }))
        return fail(errc::refused, "when event " + std::to_string(at + 1) + " of " +
                                       std::to_string(events_.size()) + " (" +
                                       std::string(events_[at]->topic()) + ", key \"" +
                                       std::string(events_[at]->key()) + "\") is " +
                                       in_words(what) + ", " + *differs);
    return fail(errc::refused, "when each event is " + in_words(what) + ", " + difference_for_all);
  }

  const maker& make_;
  const event_list& events_;
  effects_seen calm_;
};

} // namespace

expected<void> expect_idempotent(const maker& make, const event_list& events) {
  return trial(make, events).carry_out();
}

} // namespace edupulse::testing
