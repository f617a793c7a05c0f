// The path of an event, stop 1 of 5. Next: actors/router.cpp.
//
// publish() stamps the event that the caller's closure filled and leaves it in the router's inbox,
// or says who is behind. Everything else here passes the question on to the router's thread.

#include "runtime/node_access.hpp"
#include "runtime/node_impl.hpp"
#include <edupulse/node.hpp>

namespace edupulse {

// -- receipt ----------------------------------------------------------------------------

namespace {
constexpr const char* untracked =
    "this receipt follows nothing: publish with `.track = true` to wait on it";
}

expected<receipt_status> receipt::status() const {
  if (tracked_ == nullptr)
    return fail(errc::not_tracked, untracked);
  return tracked_->status();
}

expected<receipt_status> receipt::wait(duration patience) const {
  if (tracked_ == nullptr)
    return fail(errc::not_tracked, untracked);
  if (on_runtime_thread() && !tracked_->status().complete())
    return fail(errc::refused, "a handler must not wait for other handlers: it holds their thread");
  if (tracked_->wait(patience))
    return tracked_->status();
  const auto now = tracked_->status();
  return fail(errc::timed_out, now.routed ? std::to_string(now.owed - now.concluded()) + " of " +
                                                std::to_string(now.owed) +
                                                " subscriptions have not concluded it yet"
                                          : "the router has not come to it yet");
}

// -- subscription -------------------------------------------------------------------------

namespace {
tl::unexpected<error> gone() { return fail(errc::stopping, "the node has stopped"); }
} // namespace

expected<void> subscription::unsubscribe() {
  auto at = node_.lock();
  return at ? at->unsubscribe(name_) : expected<void>(gone());
}
expected<void> subscription::pause() {
  auto at = node_.lock();
  return at ? at->command("pause", name_, &router::pause) : expected<void>(gone());
}
expected<void> subscription::resume() {
  auto at = node_.lock();
  return at ? at->command("resume", name_, &router::resume) : expected<void>(gone());
}

// -- starting ------------------------------------------------------------------------------

namespace {

expected<void> check_node_options(const node_options& o) {
  if (o.name.empty() || o.name.size() > 255)
    return fail(errc::invalid_option, "option `name` needs 1 to 255 bytes");
  if (o.inbox_events < 16 || o.inbox_bytes < o.max_event_bytes)
    return fail(errc::invalid_option, "options `inbox_events` (at least 16) and `inbox_bytes` (at "
                                      "least `max_event_bytes`) are too small");
  if (o.max_event_bytes < 1024 || o.max_event_bytes > (16u << 20))
    return fail(errc::invalid_option, "option `max_event_bytes` is 1 KiB to 16 MiB");
  if (o.workers > 1024)
    return fail(errc::invalid_option, "option `workers` is at most 1024");
  if (o.stuck_calls_max < 1 || o.stuck_calls_max > 4096)
    return fail(errc::invalid_option, "option `stuck_calls_max` is 1 to 4096");
  return {};
}

} // namespace

expected<node> node_access::start(node_options options, caf::actor_system* given) {
  if (auto good = check_node_options(options); !good)
    return tl::unexpected<error>(good.error());
  auto impl = std::make_shared<node_impl>(std::move(options));
  if (auto good = impl->open(given); !good)
    return tl::unexpected<error>(good.error());
  return node(std::move(impl));
}

expected<node> node::start(node_options options) {
  return node_access::start(std::move(options), nullptr);
}

node::node(std::shared_ptr<node_impl> impl) : impl_(std::move(impl)) {}
node::node(node&&) noexcept = default;
node& node::operator=(node&& other) noexcept {
  std::swap(impl_, other.impl_);
  return *this;
}
node::~node() {
  if (impl_)
    impl_->stop(std::chrono::seconds(5));
}

// -- publishing -------------------------------------------------------------------------------

expected<receipt> node::finish_publish(envelope_writer& writer, std::string_view key,
                                       const publish_options& options) {
  return impl_->publish(writer, key, options);
}

expected<receipt> node::publish(const event_type& type,
                                const std::function<void(capnp::AnyPointer::Builder)>& fill,
                                const publish_options& options) {
  envelope_writer writer(type);
  fill(writer.payload());
  if (options.key.empty() && type.key_of != nullptr) {
    const auto key = type.key_of(writer.payload().asReader());
    return impl_->publish(writer, key, options);
  }
  return impl_->publish(writer, options.key, options);
}

// -- subscribing --------------------------------------------------------------------------------

expected<subscription> node::add_subscription(std::string name, expected<topic_filter> filter,
                                              handler_recipe recipe, subscription_options options) {
  if (!filter)
    return tl::unexpected<error>(filter.error());
  auto added = impl_->subscribe(name, std::move(*filter), std::move(recipe), std::move(options));
  if (!added)
    return tl::unexpected<error>(added.error());
  const auto id = make_subscription_id(impl_->options().name, name);
  return subscription(impl_, std::move(name), id);
}

expected<void> node::scope(std::string name, scope_options options) {
  return impl_->ask([name = std::move(name), options](desk& at) {
    return at.command("scope", name, std::chrono::steady_clock::now(),
                      [&](router& core, effect_list&) { return core.add_scope(name, options); });
  });
}

expected<subscription> node::find(std::string_view name) const {
  if (!impl_->has(name))
    return fail(errc::not_found,
                "there is no subscription named '" + std::string(name) + "' on this node");
  return subscription(impl_, std::string(name), make_subscription_id(impl_->options().name, name));
}

expected<void> node::ready(std::string_view topic, std::size_t n, duration deadline) const {
  return impl_->ready(std::string(topic), n, deadline);
}

// -- dead letters ---------------------------------------------------------------------------------

expected<std::vector<dead_letter>> node::dead_letters(const dead_letter_filter& which) const {
  return impl_->letters().list(which);
}
expected<void> node::redrive(std::uint64_t letter) { return impl_->redrive(letter); }
expected<void> node::discard(std::uint64_t letter) { return impl_->discard(letter); }
expected<std::size_t> node::redrive_all(std::string_view subscription) {
  return impl_->for_all_letters(std::string(subscription), &node_impl::redrive);
}
expected<std::size_t> node::discard_all(std::string_view subscription) {
  return impl_->for_all_letters(std::string(subscription), &node_impl::discard);
}

// -- looking ----------------------------------------------------------------------------

const std::string& node::name() const noexcept { return impl_->options().name; }
const node_id& node::id() const noexcept { return impl_->identity().id; }
std::uint64_t node::epoch() const noexcept { return impl_->identity().epoch; }
std::string node::address() const { return impl_->address(); }
std::vector<member> node::members() const { return impl_->members(); }
expected<void> node::reload_certificates() { return impl_->reload_certificates(); }
ledger_view node::ledger() const { return impl_->ledger(); }
expected<edupulse::cluster_ledger> node::cluster_ledger(duration patience) const {
  return impl_->cluster_ledger(patience);
}
std::vector<subscription_status> node::subscriptions() const {
  return impl_->ask([](desk& at) { return at.core().status(); });
}
std::vector<cluster_subscription> node::cluster_subscriptions() const {
  return impl_->ask([](desk& at) { return at.core().cluster_subscriptions(); });
}
std::vector<topic_status> node::topics() const {
  return impl_->ask([](desk& at) { return at.core().topics(); });
}
expected<edupulse::cluster_topics> node::cluster_topics(duration patience) const {
  return impl_->cluster_topics(patience);
}
std::vector<std::pair<std::string, std::uint64_t>> node::counters() const {
  return impl_->counters();
}

// -- the end ----------------------------------------------------------------------------

expected<void> node::drain(duration patience) { return impl_->drain(patience); }
stop_report node::stop(duration patience) { return impl_->stop(patience); }

} // namespace edupulse
