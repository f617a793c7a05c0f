#pragma once
// A cluster of whole nodes in one thread and virtual time. One seed is one run: the same seed, the
// same binary and the same calls give the same trace, to the byte.
//
//     cluster all({.seed = 7, .nodes = 3});
//     all.subscribe(1, {"reader", "event.>"});
//     all.run_until([&] { return all.is_whole(); }, 10s);
//     all.publish(0, {.subject = "s", .key = "k"});
//     all.apply({.what = fault_kind::kill, .a = 1});
//     all.run_for(5s);

#include "runtime/simulation/fault.hpp"
#include "runtime/simulation/judge.hpp"
#include "runtime/simulation/node.hpp"
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

namespace edupulse::simulation {

struct event_order_form {
  std::string subject{}; ///< the topic is "event", or "event." and this
  std::string key{};
  std::size_t bytes = 16;           ///< of payload
  const event_type* type = nullptr; ///< with `fill`: an event of that type, whose topic begins so
  std::function<void(capnp::AnyPointer::Builder payload)> fill{};
  std::vector<std::pair<std::string_view, std::string_view>> meta{};
  delivery_level level = delivery_level::acknowledged;
  duration expires_in{}; ///< zero: never
};

class cluster {
public:
  struct settings {
    std::uint64_t seed = 1;
    std::size_t nodes = 3; ///< that run from the beginning
    network::settings net{};
    membership_options members = local_profile();
    duration redial_cap = std::chrono::milliseconds(500);
    inbox::limits mail{};
    duration unreachable_after = std::chrono::seconds(60);
    std::size_t intake_max = 8u << 20;
    duration hop = std::chrono::microseconds(20);
    std::size_t first_name = 0; ///< nodes are called n0, n1 ..., or from another number on
    bool tracked = true;        ///< every event is followed; costs a little
    std::function<void(std::string_view line)> trace{};
  };
  explicit cluster(settings how);

  // -- nodes ----------------------------------------------------------------------------
  std::size_t add_node();
  std::size_t size() const noexcept { return slots_.size(); }
  void start(std::size_t at);
  void kill(std::size_t at, network::ending how);
  void restart(std::size_t at, bool fresh_id);
  void leave(std::size_t at, duration patience = std::chrono::seconds(5));
  void pause(std::size_t at);
  void resume(std::size_t at);
  /// Starts it elsewhere, too, as a copy of its data directory would. Answers the copy's number.
  std::size_t copy(std::size_t at);
  bool is_up(std::size_t at) const { return slots_[at].running != nullptr; }
  bool is_paused(std::size_t at) const { return world_.net.is_paused(slots_[at].at); }
  const node& at(std::size_t which) const { return *slots_[which].running; }
  /// What does not fit to the state of the node it is about changes nothing.
  void apply(const fault& what);
  /// No more faults, handlers only succeed, and everybody is up.
  void mend();

  // -- use ------------------------------------------------------------------------------
  /// Also in its later starts. Errors: of the router.
  expected<void> subscribe(std::size_t at, const subscription_order& what);
  expected<void> unsubscribe(std::size_t at, const std::string& name);
  /// Errors: `back_pressure`, `stopping`, `fenced`.
  expected<void> publish(std::size_t at, const event_order_form& what);

  // -- time -----------------------------------------------------------------------------
  void run_for(duration how_long);
  /// Looked at every 10 ms. False: not within this time.
  bool run_until(const std::function<bool()>& done, duration limit);
  time_point now() const noexcept { return world_.time.now(); }
  /// Everything that can be checked at any time, of all nodes.
  void check();

  // -- looking --------------------------------------------------------------------------
  /// All that run are members for each other, alive, with a session; and nobody else is.
  bool is_whole() const;
  /// All that run have been told what all of these subscribe to.
  bool is_informed() const;
  /// Nothing is owed, and nothing lies anywhere.
  bool is_at_rest() const;
  /// Why it is not whole, or not at rest; for people.
  std::string unrest() const;
  const record& seen() const noexcept { return world_.seen; }
  network& net() noexcept { return world_.net; }
  std::uint64_t steps() const noexcept { return world_.time.done(); }
  verdict judge(bool at_rest) const;

private:
  struct slot {
    std::string name;
    place at = 0;
    node_id id;
    std::uint64_t epoch = 0;
    std::vector<subscription_order> wanted{};
    std::unique_ptr<node> running{};
    std::unique_ptr<event_id_source> ids{};
    bool leaving = false;
    bool is_over = false; ///< has a copy, and is to be fenced
    bool is_copy = false;
  };

  node_id draw_id() {
    const auto high = chance_.next(); // of two arguments compilers take either first
    return make_node_id(high, chance_.next());
  }
  std::vector<place> places() const;
  bool is_expected(const slot& which) const;
  void tell(const std::string& what) const {
    world_.tell("*", [&] { return what; });
  }

  settings how_;
  random_source chance_;
  world world_;
  network_faults faults_;
  std::vector<slot> slots_;
  std::uint64_t events_ = 0;
};

} // namespace edupulse::simulation
