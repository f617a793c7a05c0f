// Mirrors of a node: subscriptions whose handler is a transport, and which one that is.

#include "runtime/mirror.hpp"
#include "runtime/node_impl.hpp"
#include "runtime/wall_clock.hpp"
#include <algorithm>

namespace edupulse {

namespace {

tl::unexpected<error> no_transport() {
  return fail(errc::invalid_option, "a mirror needs a transport, and was given none");
}

tl::unexpected<error> no_mirror(std::string_view name) {
  return fail(errc::not_found, "there is no mirror named " + quote(name) + " on this node");
}

} // namespace

expected<subscription> node::attach_mirror(std::string name, std::string_view filter,
                                           transport_ptr to) {
  if (!to)
    return no_transport();
  auto options = mirror_options(*to);
  return attach_mirror(std::move(name), filter, std::move(to), std::move(options));
}

expected<subscription> node::attach_mirror(std::string name, std::string_view filter,
                                           transport_ptr to, subscription_options options) {
  if (!to)
    return no_transport();
  if (options.concurrency != 1)
    return fail(errc::invalid_option, "a mirror has one line to its transport: concurrency must be "
                                      "1 and is " +
                                          std::to_string(options.concurrency));
  to = impl_->adopt(std::move(to));
  auto made =
      add_subscription(name, topic_filter::parse(filter), mirror_recipe(to), std::move(options));
  if (made)
    impl_->note_mirror(name, std::move(to));
  return made;
}

expected<void> node::swap_mirror(std::string_view name, transport_ptr to) {
  if (!to)
    return no_transport();
  if (!impl_->has_mirror(name))
    return no_mirror(name);
  to = impl_->adopt(std::move(to));
  auto done = impl_->replace(std::string(name), mirror_recipe(to));
  if (done)
    impl_->note_mirror(std::string(name), std::move(to));
  return done;
}

expected<void> node::detach_mirror(std::string_view name) {
  if (!impl_->has_mirror(name))
    return no_mirror(name);
  return impl_->unsubscribe(std::string(name));
}

std::vector<mirror_status> node::mirrors() const { return impl_->mirrors(); }

// -- what the node knows of them -----------------------------------------------------------------

void node_impl::note_mirror(const std::string& name, transport_ptr to) {
  std::lock_guard guard(mutex_);
  if (live_.contains(name)) // else somebody else has ended it
    mirrors_.insert_or_assign(name, std::move(to));
}

bool node_impl::has_mirror(std::string_view name) {
  std::lock_guard guard(mutex_);
  return mirrors_.contains(name);
}

std::vector<mirror_status> node_impl::mirrors() {
  std::map<std::string, transport_ptr, std::less<>> known;
  {
    std::lock_guard guard(mutex_);
    known = mirrors_;
  }
  const auto now_ms = wall_ms();
  return ask([&](desk& at) {
    std::vector<mirror_status> all;
    for (auto& one : at.core().status()) {
      const auto mirror = known.find(one.name);
      const auto index = at.core().find(one.name);
      if (mirror == known.end() || !index)
        continue;
      const auto& to = *mirror->second;
      auto health = to.health();
      if (health.why.empty())
        health.why = std::move(one.why); // it is connected, and nothing is taken
      const auto oldest = at.core().oldest_ms(*index).value_or(now_ms);
      all.push_back({std::move(one.name), std::move(one.filter), std::move(one.group),
                     std::move(one.state), std::string(to.name()), to.where(), std::move(health),
                     one.pending,
                     std::chrono::milliseconds(std::max<std::int64_t>(0, now_ms - oldest))});
    }
    return all;
  });
}

} // namespace edupulse
