#pragma once
// One start of a simulated node: the cores of a real one (switchboard with membership, router,
// runners) and what their shells do around them, in the same order: runtime/wire, runtime/cluster,
// router_actor and handler_actor. Handlers are scripts. Between its parts messages take a moment,
// so that what crosses in a real node crosses here, too.

#include "actors/desk.hpp"
#include "actors/runner.hpp"
#include "runtime/simulation/wire.hpp"
#include <functional>
#include <map>
#include <memory>
#include <string>

namespace edupulse::simulation {

/// What a handler does with an event: as it must, and else by the dice.
struct temper {
  std::function<bool(const envelope&)> is_poison{}; ///< it rejects these, at every try
  std::uint64_t crash_loop_for = 0;                 ///< calls of each start of the node that throw
  double retry = 0;
  double crash = 0;
  double reject = 0;
  double unavailable = 0;
  double defer = 0;
  duration pace = std::chrono::microseconds(100);      ///< for one event
  duration defers_for = std::chrono::milliseconds(20); ///< at most
};

/// How a call of a handler ended, or what it had deferred: in success, or not.
using call_end = std::function<void(const envelope& event, std::uint32_t attempt, bool succeeded)>;

struct subscription_order {
  std::string name;
  std::string filter;
  subscription_options options{};
  temper how{}; ///< of a real handler the pace
  /// A real handler in place of a script: it tells how each of its calls has ended.
  std::function<std::unique_ptr<handler>(const call_end& tell)> make{};
  std::optional<scope_options> scope{}; ///< what `options.scope` is, if it is not there yet
};

class node final : public router_hands, public observer, public event_port, public wire_owner {
public:
  struct settings {
    place at = 0;
    peer_identity self{};
    std::uint64_t seed = 1;
    std::vector<std::string> seeds{}; ///< addresses through which it joins
    membership_options members{};
    duration redial_cap = std::chrono::seconds(1);
    std::vector<std::pair<std::string, std::string>> agreed{};
    std::uint32_t max_event_bytes = 1u << 20;
    inbox::limits mail{};
    duration unreachable_after = std::chrono::seconds(60);
    std::size_t intake_max = 8u << 20;
    duration hop = std::chrono::microseconds(20); ///< of a message between its parts, at most
    event_id_source* ids = nullptr;               ///< of what handlers publish
    bool tracked = true;                          ///< what handlers publish is followed
    std::function<void()> when_fenced{};          ///< a moment later
  };

  node(world& around, settings how);
  ~node() override;

  // -- use ------------------------------------------------------------------------------
  void open();
  expected<void> subscribe(const subscription_order& what);
  expected<void> unsubscribe(const std::string& name);
  /// Never waits. Errors: `back_pressure`, and what the node was closed for.
  expected<void> publish(envelope_ptr event);
  /// As node::stop: drains, tells the others, leaves. `done` when it is over.
  void leave(duration patience, std::function<void()> done);
  /// From now on handlers only succeed.
  void be_kind();

  // -- reading --------------------------------------------------------------------------
  const router& core() const noexcept { return desk_.core(); }
  const switchboard& board() const noexcept { return wire_.core(); }
  const settings& about() const noexcept { return how_; }
  start_number number() const noexcept { return number_; }
  const std::string& name() const noexcept { return how_.self.name; }
  bool is_over() const noexcept { return over_; } ///< it has left, or is fenced
  /// So often it has heard that a member came, changed or went.
  std::uint64_t member_changes() const noexcept { return member_changes_; }
  /// Nothing lies between its parts.
  bool is_idle() const;
  /// Asserts, and tells the record of what is not as it has to be.
  void check();

private:
  struct life {
    std::uint32_t generation = 0;
    std::unique_ptr<runner> self;
    std::shared_ptr<handler_control> control;
    std::vector<batch_ptr> mailbox{};
    bool busy = false;
  };
  struct script {
    std::uint32_t number = 0; ///< in the record
    temper how{};
    std::function<std::unique_ptr<handler>(const call_end&)> make{};
    std::shared_ptr<runner_surroundings> around;
    std::uint64_t calls = 0;
  };
  class scripted;
  std::unique_ptr<handler> make_handler(std::uint32_t which);
  using lane_key = std::pair<std::uint32_t, std::uint32_t>;

  time_point time() const noexcept { return around_.time.now(); }
  template <class F> void later(duration after, F what);
  template <class F> void hop(F what);
  duration draw_hop();
  void rung();
  void turn();
  void arm(time_point due);
  void send_orders();
  void go_on(lane_key at, std::uint32_t generation);
  void work(lane_key at, std::uint32_t generation);
  void ended(lane_key at, std::uint32_t generation, exit_kind how, std::string why);
  template <class F> void command(std::string_view verb, std::string_view about, F f);
  void left();
  std::string full_name(std::uint32_t subscription) const;

  // -- router_hands
  void dispatch(const batch_ptr& work) override;
  void start_handler(const effects::start_handler& what) override;
  void stop_handler(const effects::stop_handler& what) override;
  void bury(effects::bury&& what) override;
  void settle_redrive(const effects::settle_redrive&) override {}
  void set_gate(std::uint32_t subscription, bool closed) override;
  void unsubscribed(std::uint32_t subscription) override;
  void drained() override;
  void to_peer(std::uint64_t session, const std::shared_ptr<peer_message>& what) override;
  // -- observer
  void on_input(const input& what, const router& core, time_point now) override;
  void on_effect(const effect& what, const router& core, time_point now) override;
  // -- event_port
  expected<envelope_ptr> make(const event_type&,
                              const std::function<void(capnp::AnyPointer::Builder)>&,
                              std::string_view, std::string_view, metadata) override;
  expected<void> may_publish(const envelope& event) override { return mail_->has_room(event); }
  void commit(std::vector<envelope_ptr>&& events) override;
  time_point now() override { return time(); }
  // -- wire_owner
  void member_changed(const membership_effects::changed& what) override;
  void self_changed(const membership_effects::self_changed& what) override;
  void arm_wire(time_point when) override;

  world& around_;
  settings how_;
  std::string who_; ///< in traces: "n0#1"
  random_source chance_;
  start_number number_;
  /// Null once it is gone: deferrals may outlive it, and ring.
  std::shared_ptr<node*> self_ = std::make_shared<node*>(this);
  std::shared_ptr<inbox> mail_;
  edupulse::desk desk_;
  wire wire_;
  inbox::contents contents_;
  std::map<lane_key, life> lives_;
  std::map<std::uint32_t, script> scripts_;
  std::vector<wire::order> orders_;
  std::vector<wire::order> spare_orders_; ///< empty, with room
  time_point last_hop_{};
  time_point armed_ = time_point::max();
  time_point wire_armed_ = time_point::max();
  std::size_t deferrals_ = 0;
  std::uint64_t member_changes_ = 0;
  bool awake_ = false; ///< the router has been rung, and has not found its inbox empty since
  bool kind_ = false;
  bool over_ = false;
  std::function<void()> when_left_;
  bool drained_ = false;
  bool leaving_ = false;
};

/// At this process, if it still runs then.
template <class F> void node::later(duration after, F what) {
  auto& net = around_.net;
  around_.time.in(after,
                  [&net, at = how_.at, start = net.start_of(how_.at),
                   what = std::move(what)]() mutable { net.run_at(at, start, std::move(what)); });
}

/// A message between two parts: none overtakes another.
template <class F> void node::hop(F what) { later(draw_hop(), std::move(what)); }

} // namespace edupulse::simulation
