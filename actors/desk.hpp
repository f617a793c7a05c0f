#pragma once
// The router's desk: the one place where messages reach the core and effects leave it. The shell
// around it (router_actor, or the testing bus in virtual time) lends it hands.

#include "actors/inbox.hpp"
#include "actors/neighbours.hpp"
#include "actors/observer.hpp"
#include "actors/router.hpp"
#include <string>
#include <vector>

namespace edupulse {

/// What a shell can do for the core.
class router_hands {
public:
  virtual ~router_hands() = default;
  virtual void dispatch(const batch_ptr& work) = 0;
  virtual void start_handler(const effects::start_handler& what) = 0;
  virtual void stop_handler(const effects::stop_handler& what) = 0;
  virtual void bury(effects::bury&& what) = 0;
  virtual void settle_redrive(const effects::settle_redrive& what) = 0;
  virtual void set_gate(std::uint32_t subscription, bool closed) = 0;
  virtual void unsubscribed(std::uint32_t subscription) = 0;
  virtual void drained() = 0;
  virtual void ledgers(effects::ledgers&& what) { static_cast<void>(what); }
  /// Write to the connections of a session, or cut them. Without a wire there are no peers.
  virtual void to_peer(std::uint64_t session, const std::shared_ptr<peer_message>& what) {
    static_cast<void>(session);
    static_cast<void>(what);
  }
};

class desk {
public:
  desk(router::settings how, router_hands& hands)
      : node_name_(how.node_name), core_(std::move(how)), hands_(hands) {}

  // -- what arrives -------------------------------------------------------------------
  void on_contents(inbox::contents& what, time_point now);
  void on_tick(time_point now);
  void on_handler_up(std::uint32_t which, std::uint32_t lane, std::uint32_t generation,
                     time_point now);
  void on_handler_down(std::uint32_t which, std::uint32_t lane, std::uint32_t generation,
                       exit_kind how, std::string why, time_point now);
  void on_report(const batch_ptr& work, time_point now);

  /// Runs `f(core, effects)` as the command `verb` about `about`, and carries out what it asks.
  template <class F>
  auto command(std::string_view verb, std::string_view about, time_point now, F f) {
    show(inputs::command{verb, about}, now);
    auto answer = f(core_, effects_);
    carry_out(now);
    return answer;
  }

  const router& core() const noexcept { return core_; }
  router& core() noexcept { return core_; }
  void add_observer(observer* who) { observers_.push_back(who); }
  void check() const { core_.check(); }

private:
  void show(const input& what, time_point now);
  void carry_out(time_point now);
  void perform(effect& what, time_point now);
  std::string full_name(std::uint32_t subscription) const;

  const std::string node_name_;
  router core_;
  neighbours neighbours_;
  router_hands& hands_;
  effect_list effects_;
  effect_list doing_;
  std::vector<observer*> observers_;
  bool busy_ = false;
  std::uint64_t turns_ = 0;
};

} // namespace edupulse
