#pragma once
// A node: one process (or part of one) that runs the runtime. Start one, publish and subscribe.
//
//   auto node = edupulse::node::start({.name = "api-1"}).value();
//   node.subscribe<LessonPublished>("indexer", [](auto lesson, const edupulse::event_info&) { ...
//   }); node.publish<LessonPublished>([](auto lesson) { lesson.setTitle("..."); });
//
// Any thread may call anything here. On a handler's thread nothing waits for other handlers:
// `publish` answers `back_pressure` at once, `unsubscribe` and `stop` are begun and not awaited. An
// inline handler is on the router's own thread: there every command is begun and not awaited.

#include "actors/cluster_ledger.hpp"
#include "actors/dead_letters.hpp"
#include "actors/ledger_view.hpp"
#include "actors/status.hpp"
#include "schemas/topic.hpp"
#include <edupulse/event.hpp>
#include <edupulse/handler.hpp>
#include <edupulse/members.hpp>
#include <edupulse/options.hpp>
#include <edupulse/receipt.hpp>
#include <edupulse/source.hpp>
#include <edupulse/subscription.hpp>
#include <edupulse/transport.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

class node_impl;

/// What a stop left undone.
struct stop_report {
  bool drained = false;          ///< everything admitted was concluded
  std::uint64_t dropped = 0;     ///< deliveries that were not; also in the ledger
  std::uint64_t stuck_calls = 0; ///< handlers that did not return; their threads live on
};

class node {
public:
  /// Errors: `invalid_option` naming the option; `io` for the data directory, `refused` when
  /// anybody may write to it.
  static expected<node> start(node_options options = {});
  node(node&&) noexcept;
  node& operator=(node&&) noexcept;
  /// Drains for 5 s, then drops what is left and logs how much.
  ~node();

  // -- publishing -------------------------------------------------------------------
  /// `fill` gets a `T::Builder` and fills it in place. Returns when the event is admitted. Errors:
  /// `back_pressure` naming who holds it up, `too_large`, `stopping`, `fenced`, `invalid_option`,
  /// `bad_topic`. No subscriber is not an error: it is a state of the receipt.
  template <class T, class Fill>
  expected<receipt> publish(Fill&& fill, const publish_options& options = {}) {
    require_event<T>();
    envelope_writer writer(event_traits<T>::type());
    auto payload = writer.payload().template initAs<T>();
    std::forward<Fill>(fill)(payload);
    if constexpr (event_traits<T>::has_key) {
      if (options.key.empty()) {
        const auto key = event_traits<T>::key(payload.asReader());
        return finish_publish(writer, key, options);
      }
    }
    return finish_publish(writer, options.key, options);
  }
  /// The same for a type known only at run time. `fill` may init the payload with
  /// `type.schema()`.
  expected<receipt> publish(const event_type& type,
                            const std::function<void(capnp::AnyPointer::Builder)>& fill,
                            const publish_options& options = {});

  // -- subscribing --------------------------------------------------------------------
  /// Events named as `T` says, with any subject. `handler`: see <edupulse/handler.hpp>. Errors:
  /// `duplicate_name`, `invalid_option`, `not_found` (the scope), `stopping`.
  template <class T, class F>
  expected<subscription> subscribe(std::string name, F handler, subscription_options options = {}) {
    require_event<T>();
    return add_subscription(std::move(name), topic_filter::name_and_below(event_traits<T>::name),
                            make_recipe<T>(std::move(handler)), std::move(options));
  }
  /// Events of any type on matching topics: the handler takes `const envelope&`. Errors: also
  /// `bad_filter`.
  template <class F> expected<subscription> subscribe(std::string_view filter, std::string name,
                                                      F handler,
                                                      subscription_options options = {}) {
    return add_subscription(std::move(name), topic_filter::parse(filter),
                            make_recipe<void>(std::move(handler)), std::move(options));
  }
  /// Declares a supervision scope; name it in `subscription_options::scope`. Start order is the
  /// order of subscribing. Errors: `invalid_option`, `duplicate_name` with other options.
  expected<void> scope(std::string name, scope_options options);
  /// By name. Errors: `not_found`.
  expected<subscription> find(std::string_view name) const;
  /// Waits until `n` subscriptions match `topic`. Errors: `timed_out`, saying how many there are.
  expected<void> ready(std::string_view topic, std::size_t n, duration deadline) const;

  // -- mirrors ------------------------------------------------------------------------
  /// Copies matching events to `to`, with `mirror_options` if none are given. On several nodes it
  /// needs a `group`, or each of them copies what all publish.
  expected<subscription> attach_mirror(std::string name, std::string_view filter, transport_ptr to);
  expected<subscription> attach_mirror(std::string name, std::string_view filter, transport_ptr to,
                                       subscription_options options);
  /// Sends through another transport from now on. Nothing is lost: what the old one has not
  /// answered goes to the new one.
  expected<void> swap_mirror(std::string_view name, transport_ptr to);
  expected<void> detach_mirror(std::string_view name);
  std::vector<mirror_status> mirrors() const;

  // -- sources ------------------------------------------------------------------------
  /// Publishes what comes from `from`, on a thread of its own. The events keep their ids, times and
  /// metadata. What cannot be read as an event becomes a dead letter of a subscription that is
  /// named as the source: redriving it reads it again. Errors: those of `subscribe`.
  expected<void> attach_source(std::string name, source_ptr from);
  expected<void> attach_source(std::string name, source_ptr from, source_options how);
  /// Waits for what is being read. Its dead letters stay. Errors: `not_found`.
  expected<void> detach_source(std::string_view name);
  /// Reads no more until it is resumed, and keeps its connection. Errors: `not_found`.
  expected<void> pause_source(std::string_view name);
  expected<void> resume_source(std::string_view name);
  std::vector<source_status> sources() const;

  // -- dead letters -------------------------------------------------------------------
  expected<std::vector<dead_letter>> dead_letters(const dead_letter_filter& which = {}) const;
  /// Tries one letter again, in the subscription that gave it up and in no other. Errors:
  /// `not_found`, `io`.
  expected<void> redrive(std::uint64_t letter);
  /// All letters of a subscription; answers how many.
  expected<std::size_t> redrive_all(std::string_view subscription);
  expected<void> discard(std::uint64_t letter);
  expected<std::size_t> discard_all(std::string_view subscription);

  // -- looking ------------------------------------------------------------------------
  const std::string& name() const noexcept;
  /// Kept in the data directory; without one, fresh at each start.
  const node_id& id() const noexcept;
  /// Counts the starts of this id, from 1.
  std::uint64_t epoch() const noexcept;
  /// Where it takes connections: "host:port" with the port that was taken. Empty: nowhere.
  std::string address() const;
  /// Everybody this node knows of, itself first. A node that is no member of a cluster knows
  /// itself.
  std::vector<member> members() const;
  /// Reads the files in `cluster.tls` again, which also happens a few seconds after they change.
  /// Errors: as of the start; what was in use stays in use.
  expected<void> reload_certificates();
  ledger_view ledger() const;
  /// The ledgers of this node and of all others that answer within `patience` (an hour at most), as
  /// one that balances. A node that is alone answers at once. Errors: `refused` in an inline
  /// handler, and when sixteen threads ask already; `stopping`.
  expected<edupulse::cluster_ledger> cluster_ledger(duration patience) const;
  /// Of this node. Like the next two it is empty in an inline handler, and once the node has
  /// stopped.
  std::vector<subscription_status> subscriptions() const;
  /// Those of this node and of all others, by node and name, as they have announced them: nobody is
  /// asked. A node that is believed dead has none until it is back. Those for the runtime's topics
  /// (`$...`) are known to their own node only.
  std::vector<cluster_subscription> cluster_subscriptions() const;
  /// What this node has published or was sent by others, which `published` does not count; and how
  /// many subscriptions of the cluster match, as in `ready`. A topic of the runtime's (`$...`) is
  /// listed once a subscription was given one of its events.
  std::vector<topic_status> topics() const;
  /// What this node and all others that answer within `patience` have published. Errors: as of
  /// `cluster_ledger`.
  expected<edupulse::cluster_topics> cluster_topics(duration patience) const;
  /// Counters since the start, by name; in a cluster also of connections and members, except in an
  /// inline handler.
  std::vector<std::pair<std::string, std::uint64_t>> counters() const;

  // -- the end ------------------------------------------------------------------------
  /// Admits nothing more and waits until all is concluded. Errors: `timed_out`, saying what is
  /// left.
  expected<void> drain(duration patience);
  /// Drains for `patience`, then stops all handlers and drops what is left.
  stop_report stop(duration patience = std::chrono::seconds(5));

private:
  friend struct node_access;
  explicit node(std::shared_ptr<node_impl> impl);
  expected<receipt> finish_publish(envelope_writer& writer, std::string_view key,
                                   const publish_options& options);
  expected<subscription> add_subscription(std::string name, expected<topic_filter> filter,
                                          handler_recipe recipe, subscription_options options);

  std::shared_ptr<node_impl> impl_;
};

} // namespace edupulse
