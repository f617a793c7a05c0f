#pragma once
// The wire of a simulated node: what runtime/wire does around the switchboard, in the same order,
// over the simulated network and without TLS.

#include "actors/id_map.hpp"
#include "actors/inbox.hpp"
#include "actors/switchboard.hpp"
#include "runtime/simulation/world.hpp"
#include <deque>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

namespace edupulse::simulation {

/// What the wire needs of its node; outlives it.
class wire_owner {
public:
  virtual ~wire_owner() = default;
  virtual void member_changed(const membership_effects::changed& what) = 0;
  virtual void self_changed(const membership_effects::self_changed& what) = 0;
  /// Calls `wake` then, or earlier.
  virtual void arm_wire(time_point when) = 0;
};

class wire final : public network_user {
public:
  struct settings {
    place at = 0;
    std::string who; ///< in traces
    switchboard::settings core{};
    std::size_t rest_max = 8u << 20;
    std::size_t intake_max = 8u << 20;
  };
  /// One of the router's messages for the connections of a session.
  struct order {
    std::uint64_t session;
    std::shared_ptr<peer_message> what;
  };

  wire(world& around, settings how, membership members, std::uint64_t seed,
       std::shared_ptr<inbox> mail, wire_owner& owner);
  ~wire() override { *self_ = nullptr; }

  void open(const std::vector<std::string>& seeds);
  void wake();
  void write_all(const std::vector<order>& what);
  /// Takes no more events from anybody; all else goes on.
  void quiesce();
  void leave();
  void finish();

  const switchboard& core() const noexcept { return board_; }
  void check() const { board_.check(); }

  // -- network_user ---------------------------------------------------------------------
  void on_accepted(connection_id which, place from) override;
  void on_connected(std::uint64_t ticket, connection_id which) override;
  void on_dial_failed(std::uint64_t ticket, std::string_view why) override;
  void on_bytes(connection_id which, std::span<const std::byte> bytes) override;
  void on_written(connection_id which, std::size_t bytes) override;
  void on_ended(connection_id which) override;

private:
  struct connection {
    std::uint64_t queued = 0;                                      ///< bytes, ever
    std::uint64_t written = 0;                                     ///< of them
    frame_bytes buffer{};                                          ///< of this turn
    std::vector<std::pair<std::uint64_t, std::uint64_t>> frames{}; ///< end of events, session
    bool closing = false;
    bool halted = false;
    std::uint64_t session = 0; ///< whose events come here; 0: nobody's
    std::optional<time_point> frame_begins{};
    std::uint64_t pending() const noexcept { return queued - written; }
  };
  /// What lies in the inbox of one session's events.
  struct intake {
    std::size_t bytes = 0;
    bool halted = false;
  };
  struct live_session {
    peer_session with;
    std::shared_ptr<intake> taken;
    const std::uint64_t* latest_epoch = nullptr; ///< in `epochs_`
  };

  time_point now() const noexcept { return around_.time.now(); }
  void settle();
  void later(std::function<void()> what);
  void carry_out();
  void perform(switchboard_effect& what);
  void trace(const switchboard_effect& what) const;
  void session_up(const peer_session& with);
  void write_for_switchboard(const switchboard_effects::write& what);
  template <class F> void append(connection_id which, connection& to, F into);
  void send_out();
  void has_written(connection_id which, connection& to, std::uint64_t bytes);
  void close(connection_id which);
  void end_now(connection_id which);
  void for_router(const switchboard_effects::for_router& what);
  void frame_for_router(live_session& of, std::span<const std::byte> body);
  void read_again(std::uint64_t session);
  void write_one(const order& what);
  void cut(const peer_session& with, std::string_view why);
  void watch_epoch(const peer_identity& who);
  connection* find(connection_id which) { return connections_.find(which); }

  world& around_;
  settings how_;
  switchboard board_;
  std::shared_ptr<inbox> mail_;
  wire_owner& owner_;
  switchboard::effects effects_;
  switchboard::effects doing_; ///< of those, what is carried out now
  id_map<connection> connections_;
  id_map<live_session> sessions_;
  std::vector<std::pair<time_point, connection_id>> closing_; ///< at the latest
  std::vector<connection_id> touched_;
  std::unordered_map<node_id, std::uint64_t> epochs_; ///< the latest of each node that was met
  bool quiet_ = false;
  bool over_ = false;
  std::shared_ptr<wire*> self_ = std::make_shared<wire*>(this); ///< null once it is gone
};

/// The end of the turn lets go of what `into` puts into the buffer.
template <class F> void wire::append(connection_id which, connection& to, F into) {
  const auto before = to.buffer.size();
  if (before == 0)
    to.buffer = around_.net.spare();
  into(to.buffer);
  to.queued += to.buffer.size() - before;
  if (before == 0 && !to.buffer.empty())
    touched_.push_back(which);
}

/// Kinds and sizes of the frames in `bytes`, as in "hello 240, membership 88".
std::string frame_words(std::span<const char> bytes);

} // namespace edupulse::simulation
