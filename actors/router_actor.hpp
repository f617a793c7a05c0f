#pragma once
// ROUTER: the shell around the desk. It takes what lies in the inbox, starts and watches HANDLERs,
// and keeps one timer armed for the core's next deadline. It has a thread of its own; in a cluster
// it shares the one of CAF's multiplexer with WIRE, so that an event on its way to another node
// wakes one thread less at either end.

#include "actors/desk.hpp"
#include "actors/interfaces.hpp"
#include "actors/runner.hpp"
#include <map>
#include <unordered_map>

namespace edupulse {

/// What the router's shell needs of the node; all of it outlives the actor.
class router_host {
public:
  virtual ~router_host() = default;
  virtual time_point now() const = 0;
  /// Rings the inbox at `when`, or earlier.
  virtual void arm(time_point when) = 0;
  virtual void bury(dead_letter&& letter) = 0;
  virtual void settle_redrive(std::uint64_t letter, fate how) = 0;
  virtual void unsubscribed(std::uint32_t subscription) = 0;
  virtual void drained() = 0;
  virtual void ledgers(effects::ledgers&& what) = 0;
  virtual std::shared_ptr<const runner_surroundings> surroundings(std::uint32_t subscription) = 0;
  /// An actor runs a lane from now on.
  virtual void started(std::uint32_t subscription, std::uint32_t lane, const caf::actor& who) = 0;
  /// A handler is past its time limit and keeps its thread. Counted until it comes back.
  virtual void stuck(std::uint32_t subscription, bool came_back) = 0;
};

struct router_setup {
  router::settings core;
  std::shared_ptr<inbox> mail;
  router_host* host = nullptr;
  caf::actor wire{}; ///< null outside of clusters
  /// With WIRE: between two turns there are sockets to look at.
  bool shares_thread = false;
};

struct router_state : router_hands {
  static inline const char* name = "edupulse.router";

  explicit router_state(caf::scheduled_actor* actor) : self(actor) {}

  void open(router_setup setup);
  void turn();
  void on_up(const handler_up& who);
  void on_down(const caf::down_msg& what);
  void run(const errand& what);
  void finish();

  // -- hands ------------------------------------------------------------------------
  void dispatch(const batch_ptr& work) override;
  void start_handler(const effects::start_handler& what) override;
  void stop_handler(const effects::stop_handler& what) override;
  void bury(effects::bury&& what) override;
  void settle_redrive(const effects::settle_redrive& what) override;
  void set_gate(std::uint32_t subscription, bool closed) override;
  void unsubscribed(std::uint32_t subscription) override;
  void drained() override;
  void ledgers(effects::ledgers&& what) override;
  void to_peer(std::uint64_t session, const std::shared_ptr<peer_message>& what) override;

  struct child {
    std::uint32_t generation = 0;
    caf::actor actor; ///< null for inline handlers
    std::shared_ptr<handler_control> control;
    std::unique_ptr<runner> inline_life;
  };
  struct address {
    handler_up who;
    std::shared_ptr<handler_control> control;
    bool stuck = false;
  };
  using lane_key = std::pair<std::uint32_t, std::uint32_t>;

  void start_inline(const effects::start_handler& what, child& into);
  void run_inline(child& who, const batch_ptr& work);
  void settle_later();
  bool tick_if_due(time_point now);
  void arm_next();

  caf::scheduled_actor* self;
  router_setup setup;
  std::unique_ptr<edupulse::desk> desk;
  std::map<lane_key, child> children;
  std::map<caf::actor_addr, address> addresses;
  inbox::contents mail;
  std::vector<std::function<void()>> later; ///< what inline handlers left to say
  wire_orders orders;                       ///< of this turn
  time_point armed = time_point::max();
};

/// For any kind of actor.
template <class Self> caf::behavior router_messages(Self* self, router_setup setup) {
  caf_shim::after_spawn_or_end();
  auto* state = &caf_shim::state_of(self);
  state->open(std::move(setup));
  self->set_default_handler(caf::drop);
  self->set_exit_handler([](caf::exit_msg&) {}); // nobody ends the router but the node
  self->set_down_handler([=](caf::down_msg& what) { state->on_down(what); });
  return caf_shim::on_messages(
      self, [=](wake) { state->turn(); }, [=](const errand_ptr& what) { state->run(*what); },
      [=](const handler_up& who) { state->on_up(who); },
      [=](const finish& what) {
        state->finish();
        what.gone->set_value();
      });
}

/// On a thread of its own: spawn it detached.
caf::behavior router_behavior(caf::stateful_actor<router_state>* self, router_setup setup);

} // namespace edupulse
