#pragma once
// Switchboards in virtual time, on one thread, with connections made of numbers between them: bytes
// are cut at places that the seed chooses, and arrive late, in order; connections break, are never
// answered, or cannot be made at all. The routers are stand-ins that begin each session as a real
// one does, and write down what reaches them.

#include "actors/switchboard.hpp"
#include "tests/support/in_flight.hpp"
#include <deque>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace edupulse::test {

class sim_switchboard {
public:
  struct settings {
    std::size_t nodes = 3;
    std::uint64_t seed = 1;
    duration delay_max = std::chrono::milliseconds(5);
    double cut_chance = 0;             ///< of each connection, in each second
    double no_answer = 0;              ///< of each dial: connected, and then silence
    double no_connection = 0;          ///< of each dial
    double restart_chance = 0;         ///< of some node, in each second
    bool mesh = false;                 ///< everybody knows everybody from the start, and dials
    std::size_t begin_with = SIZE_MAX; ///< nodes that are there from the start
    std::map<std::size_t, std::string> profiles{}; ///< of those that do not say `local`
    /// Told of what is written, and of each effect before it is carried out.
    std::function<void(std::size_t from, std::size_t to, const frame_bytes& what)> on_write{};
    std::function<void(std::size_t who, const switchboard_effect& what)> on_effect{};
  };
  explicit sim_switchboard(const settings& how);

  // -- what happens -------------------------------------------------------------------
  void start(std::size_t who);
  void kill(std::size_t who);
  void restart(std::size_t who, bool fresh_id);
  /// Bytes and connections between the two are lost, and neither is told before its time.
  void part(std::size_t a, std::size_t b) { parted_.insert(std::minmax(a, b)); }
  void heal() { parted_.clear(); }
  void no_more_faults();
  void run_for(duration how_long);
  /// False: not within this time.
  bool run_until(const std::function<bool()>& done, duration limit);

  // -- what is seen -------------------------------------------------------------------
  switchboard& core(std::size_t who) { return *nodes_[who].core; }
  std::size_t size() const noexcept { return nodes_.size(); }
  time_point now() const noexcept { return now_; }
  /// Each has one session with each other one, and both ends call it by the same number.
  bool all_connected() const;
  /// A rule that must hold always was broken.
  const std::string& broken() const noexcept { return broken_; }
  std::uint64_t sessions_made() const noexcept { return sessions_made_; }
  std::uint64_t duplicates() const;
  std::uint64_t frames_routed() const noexcept { return frames_routed_; }

private:
  struct node {
    std::unique_ptr<switchboard> core;
    peer_identity id;
    bool up = false;
    std::uint64_t start = 0; ///< which of its starts
    std::map<std::uint64_t, peer_session> sessions;
  };
  /// One end of a connection. The other end is `there`, or 0 when nobody is.
  struct end {
    std::size_t owner;
    std::uint64_t start;
    std::size_t peer;
    connection_id there;
    time_point last_arrival;
  };
  struct arrival {
    time_point when;
    std::function<void()> what;
  };

  void boot(std::size_t who);
  duration delay();
  void later(duration in, std::function<void()> what) {
    in_flight_.push_back({now_ + in, std::move(what)});
  }
  void after_all(end& to, std::function<void()> what);
  bool parted(std::size_t a, std::size_t b) const { return parted_.contains(std::minmax(a, b)); }
  end* open(connection_id which);
  void dial(std::size_t who, const switchboard_effects::dial& what);
  void connect(std::size_t who, std::uint64_t ticket, std::size_t to, bool answered);
  void write(std::size_t who, connection_id to, const frame_bytes& bytes);
  void close(connection_id which);
  void closed(connection_id which);
  void cut(connection_id which);
  void begin_session(std::size_t who, const peer_session& with);
  void routed(std::size_t who, const switchboard_effects::for_router& what);
  void carry_out(std::size_t who);
  void ticks();
  void make_faults();
  void step(time_point until);
  void complain(const std::string& what) {
    if (broken_.empty())
      broken_ = what;
  }

  settings how_;
  random_source chance_;
  time_point now_{std::chrono::hours(1)};
  time_point next_faults_ = now_;
  std::vector<node> nodes_;
  std::map<connection_id, end> ends_;
  std::deque<arrival> in_flight_;
  std::set<std::pair<std::size_t, std::size_t>> parted_;
  connection_id next_id_ = 1;
  switchboard::effects out_;
  std::string broken_;
  std::uint64_t sessions_made_ = 0;
  std::uint64_t frames_routed_ = 0;
  std::uint64_t duplicates_of_dead_ = 0;
  std::uint64_t idle_turns_ = 0;
};

} // namespace edupulse::test
