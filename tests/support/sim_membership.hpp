#pragma once
// A cluster of membership cores in one thread and virtual time: real cores, real frames, and a
// network of TCP connections that is made of numbers. A lost packet delays what follows on its
// connection (by 0.2 s, 0.4 s, ...); a cut loses what is on its way and breaks connections. One
// seed is one run, whatever machine or compiler.

#include "actors/membership.hpp"
#include "schemas/hash.hpp"
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

namespace edupulse::test {

struct sim_options {
  std::size_t nodes = 3;
  std::uint64_t seed = 1;
  membership_options how = lan_profile();
  /// Packets in a thousand that are lost, and sent again.
  std::uint32_t loss_permille = 0;
  /// A delay is `delay_min` plus an exponentially distributed time of this mean.
  duration delay_min = std::chrono::microseconds(500);
  duration delay_mean = std::chrono::milliseconds(2);
  /// Cores check their invariants after every input: linear in the cluster.
  bool check = false;
  bool trace = true;       ///< keep `trace_hash`
  bool data_links = false; ///< the end of a process is seen by all at once, as `link_down`
  /// Told of each effect before it is carried out.
  std::function<void(std::size_t who, const membership_effect& what)> on_effect{};
};

/// What one node reported of another.
struct sim_event {
  time_point at;
  std::size_t observer;
  std::size_t subject;
  member_event what;
  bool subject_up; ///< running, not paused
};

class sim_membership {
public:
  explicit sim_membership(const sim_options& options);
  sim_membership(sim_membership&&) noexcept;
  ~sim_membership();

  // -- what happens to nodes ------------------------------------------------------
  /// Another epoch of the same node; joins through these nodes.
  void start(std::size_t who, const std::vector<std::size_t>& seeds);
  /// Without a data directory: the same name, a fresh id.
  void start_with_fresh_id(std::size_t who, const std::vector<std::size_t>& seeds);
  /// A second process with the same id, another address and this epoch, at the place of `at`.
  void start_copy(std::size_t at, std::size_t of, std::uint64_t boot_epoch,
                  const std::vector<std::size_t>& seeds);
  void set_cluster(std::size_t who, std::string name) { nodes_[who].id.cluster = std::move(name); }
  void kill(std::size_t who);
  void leave(std::size_t who);
  void pause(std::size_t who, duration how_long);
  /// Node 0 first, then the others through the first three, forty in a second; until all see all.
  void form();

  // -- what happens to the network --------------------------------------------------
  /// Nodes of different sides do not reach each other.
  void split(std::function<int(std::size_t)> side_of);
  void heal() { split({}); }
  void block(std::size_t from, std::size_t to) { blocked_.emplace_back(from, to); }
  void unblock() { blocked_.clear(); }
  void set_loss(std::uint32_t permille) { options_.loss_permille = permille; }

  // -- time -----------------------------------------------------------------------
  void run_for(duration how_long) { run_until(now_ + how_long); }
  void run_until(time_point when);
  /// The time it took; `limit` when it did not happen.
  duration run_until(const std::function<bool()>& done, duration limit,
                     duration step = std::chrono::milliseconds(50));
  time_point now() const noexcept { return now_; }

  // -- what is seen -----------------------------------------------------------------
  membership& core(std::size_t who) { return *nodes_[who].core; }
  const peer_identity& id(std::size_t who) const { return nodes_[who].id; }
  bool is_up(std::size_t who) const { return nodes_[who].up; }
  std::size_t size() const noexcept { return nodes_.size(); }
  /// Everybody who is up sees as alive exactly those who are up and joined, in their last start.
  bool all_see_all() const;
  /// And has the same keys of all that are or were members: a digest. A view may be right with an
  /// old incarnation, when an accusation and its refutation both passed somebody by.
  bool all_agree() const;
  std::size_t live_seen_by(std::size_t who) const;
  const std::vector<sim_event>& events() const noexcept { return events_; }
  void forget_events() { events_.clear(); }
  std::size_t count(member_event what, std::size_t subject) const;
  /// `dead` about nodes that ran.
  std::size_t false_deaths() const;
  /// Since the last call of `reset_traffic`, per node.
  std::uint64_t bytes_sent(std::size_t who) const { return nodes_[who].bytes; }
  std::uint64_t largest_frame() const noexcept { return largest_frame_; }
  void reset_traffic();
  std::uint64_t total_bytes() const;
  std::uint64_t frames() const noexcept { return frames_; }
  /// Of all that was decided and sent so far.
  std::uint64_t trace_hash() const noexcept { return trace_; }
  /// Effects that are neither `send` nor `dial` nor `changed`, as lines.
  const std::vector<std::string>& lines(std::size_t who) const { return nodes_[who].lines; }
  /// A rule that must hold always was broken: M3, M4, M7.
  const std::string& broken() const noexcept { return broken_; }

  /// A frame that `from` did not think of.
  void inject(std::size_t from, std::size_t to, std::span<const std::byte> bytes);

private:
  struct node;
  struct happening;
  struct later;

  void boot(std::size_t who, const std::vector<std::size_t>& seeds);
  duration delay();
  bool reachable(std::size_t from, std::size_t to) const;
  bool connect(std::size_t from, std::size_t to, std::string_view dialed);
  void push(happening what);
  void happen(happening& what);
  void deliver(happening& what);
  void dialed(happening& what);
  void carry_out(std::size_t who);
  void carry_out_send(std::size_t who, membership_effects::send& what);
  void observe(std::size_t who, const membership_effects::changed& what);
  void arm(std::size_t who);
  void note(std::uint64_t what) { trace_ = mix_bits(trace_ ^ what); }

  struct node {
    std::unique_ptr<membership> core;
    peer_identity id;
    bool up = false;
    std::uint32_t generation = 0;
    time_point paused_until{};
    time_point armed = time_point::max();
    std::uint64_t bytes = 0;
    std::vector<std::string> lines;
    membership::effects out;
  };

  sim_options options_;
  random_source chance_;
  time_point now_{std::chrono::hours(1)};
  std::vector<node> nodes_;
  std::vector<happening> queue_; // a heap
  std::uint64_t order_ = 0;
  std::vector<std::uint64_t> connections_; // generations of both ends; 0: none
  std::vector<time_point> last_arrival_;   // nothing overtakes on a connection
  std::function<int(std::size_t)> side_of_;
  std::vector<std::pair<std::size_t, std::size_t>> blocked_;
  std::vector<sim_event> events_;
  std::uint64_t largest_frame_ = 0;
  std::uint64_t frames_ = 0;
  std::uint64_t trace_ = 0;
  std::string broken_;
};

} // namespace edupulse::test
