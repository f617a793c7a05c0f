#pragma once
// What can go wrong in a simulated cluster, as words.

#include "actors/backoff.hpp"
#include "runtime/simulation/network.hpp"
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::simulation {

enum class fault_kind : std::uint8_t {
  kill,          ///< a: the process ends, and its connections are closed or reset by the system
  vanish,        ///< a: the machine is gone, and nobody is told
  restart,       ///< a: (ends, and) begins again with its id and the next epoch
  restart_fresh, ///< a: as one that has kept nothing: with a new id
  leave,         ///< a: stops in peace
  pause,         ///< a: the process is stopped; connections stay
  resume,        ///< a
  copy,          ///< a: is started elsewhere, too, with its data directory: one of two is over
  partition,     ///< side: nothing passes between these and the others
  heal,          ///< every fault of the network is over
  cut,           ///< a, b: nothing passes between them
  one_way,       ///< a, b: nothing passes from a to b
  slow,          ///< a, b: after `delay`, and so many bytes in a second
  flap,          ///< a, b: nothing passes for half a `period`, again and again
  swizzle_clog,  ///< side: each loses all its lines at a time of its own within `period`, and gets
                 ///< them back in another order
  reset,         ///< a, b: their connections break
  no_answer,     ///< a: whoever dials it is connected, and nobody is there
  loss,          ///< of all lines: `rate` of what is written comes late
};
inline constexpr std::size_t fault_kinds = 18;

struct fault {
  fault_kind what = fault_kind::heal;
  std::size_t a = 0;
  std::size_t b = 0;
  std::vector<std::size_t> side{};
  duration delay{};
  duration period{};
  double rate = 0;
};

/// "one_way 2 0", "partition 1 3".
std::string to_string(const fault& what);

/// A swarm: each run has its own mix of faults, so that rare pairs of them meet.
class fault_mix {
public:
  explicit fault_mix(random_source& chance);
  /// One kind, and what undoes it.
  explicit fault_mix(fault_kind one);
  bool has(fault_kind which) const noexcept { return enabled_[static_cast<std::size_t>(which)]; }
  void forbid(fault_kind which) noexcept { enabled_[static_cast<std::size_t>(which)] = false; }
  /// One of the mix, for a cluster of so many nodes.
  fault draw(random_source& chance, std::size_t nodes) const;

private:
  bool enabled_[fault_kinds]{};
};

/// Those of the network. All of them can be undone at once.
class network_faults {
public:
  network_faults(timetable& time, network& net, std::uint64_t seed)
      : time_(time), net_(net), chance_(seed) {}

  /// `places`: of the nodes, by number. False: it is not of the network.
  bool apply(const fault& what, const std::vector<place>& places);
  void heal();

private:
  using way = std::pair<place, place>;

  void block(place from, place to);
  void unblock_all(std::vector<way>& which);
  void partition(const fault& what, const std::vector<place>& places);
  void slow(place from, place to, const fault& how);
  void flap(place a, place b, duration half, std::uint64_t calm, bool down);
  void swizzle(const fault& what, const std::vector<place>& places);
  void clog(place which, const std::vector<place>& places, std::vector<way>& into);
  std::vector<std::size_t> shuffled(std::vector<std::size_t> all);

  timetable& time_;
  network& net_;
  random_source chance_;
  std::vector<way> blocked_;
  std::vector<way> slowed_;
  std::vector<place> deaf_;
  std::uint64_t calm_ = 0; ///< counts heals: what was planned before one does not come
};

} // namespace edupulse::simulation
