#pragma once
// A node's part in a cluster, as the node sees it: opens the wire by the options, asks it things,
// and is told what it has to say.

#include "actors/rate_limit.hpp"
#include "actors/router_actor.hpp"
#include "runtime/alarm.hpp"
#include "runtime/identity.hpp"
#include "runtime/wire/wire_actor.hpp"
#include <condition_variable>
#include <edupulse/members.hpp>
#include <edupulse/options.hpp>
#include <functional>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace edupulse {

class cluster final : public wire_host {
public:
  struct surroundings {
    caf::actor_system& system;
    node_identity identity;
    std::uint64_t seed;
    std::shared_ptr<inbox> mail;
    std::function<void(log_level, std::string_view)> say; ///< any thread
    /// On the multiplexer's thread.
    std::function<void(const membership_effects::changed&)> changed;
  };
  /// Opens the door; nobody is let in before `start`. Errors: `invalid_option` naming the option,
  /// `io` for the address, those of tls_context::open.
  static expected<std::unique_ptr<cluster>> open(const node_options& options);
  ~cluster() override;

  /// Of an option left to its default, what it becomes: "127.0.0.1:4711", or the name in the
  /// certificate.
  const std::string& name() const noexcept { return self_.name; }
  const std::string& address() const noexcept { return self_.address; }
  /// Errors: `invalid_option` for an actor system without the I/O middleman; `malformed` for a name
  /// or address that cannot travel.
  expected<void> start(surroundings around);
  caf::actor spawn_router(router_setup setup);

  // -- any thread but the multiplexer's ---------------------------------------------------
  std::vector<member> members();
  /// Of connections, sessions and members, by name.
  std::vector<std::pair<std::string, std::uint64_t>> counters();
  expected<void> reload_certificates();
  /// No more events are taken from others; acknowledgements still come and go.
  void quiesce();
  /// Says goodbye and waits until others know, for two seconds at most.
  void leave();
  /// Closes everything. Nothing is called back after this.
  void stop();

  // -- wire_host ----------------------------------------------------------------------------
  time_point now() const override { return std::chrono::steady_clock::now(); }
  void arm_wire(time_point when) override { alarm_->set(when); }
  void say(bool trouble, std::string_view text) override;
  void member_changed(const membership_effects::changed& what) override;
  void self_changed(const membership_effects::self_changed& what) override;

private:
  cluster() = default;
  void fenced(const membership_effects::self_changed& what);
  template <class F, class T> T ask(F f, T otherwise);

  cluster_options how_;
  peer_identity self_;
  std::size_t max_event_bytes_ = 0;
  bool loopback_only_ = true;
  std::shared_ptr<tls_context> tls_;
  std::shared_ptr<acceptor> door_;
  std::optional<surroundings> around_;
  std::unique_ptr<alarm> alarm_;
  caf::actor wire_;

  std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  bool over_ = false;   ///< it has left, or is fenced
  rate_limit says_{20}; ///< strangers can cause lines
  std::uint64_t unsaid_ = 0;
  bool stopped_ = false;
};

} // namespace edupulse
