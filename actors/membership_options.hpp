#pragma once
// Options of the membership. The three profiles are meant to be enough; times belong together, so
// change a profile rather than one time.

#include "schemas/envelope.hpp"
#include <cstddef>
#include <cstdint>

namespace edupulse {

struct membership_options {
  /// One member is probed in each. Shorter: faster detection, more traffic. Must be longer than two
  /// round trips and `probe_timeout`.
  duration probe_interval = std::chrono::seconds(1);
  /// Without an answer for this long, others are asked to try. Too short: every loaded peer costs
  /// extra messages. Too long: no time is left in the interval for the others to try.
  duration probe_timeout = std::chrono::milliseconds(500);
  std::uint32_t indirect_probes = 3;
  /// A suspect that nobody else suspects has `suspicion_max` times as long to answer as one that
  /// two others suspect too, which has `suspicion_mult` intervals, times log10 of the members. Too
  /// small: busy nodes are declared dead. Too large: the dead are owed events for longer.
  std::uint32_t suspicion_mult = 4;
  std::uint32_t suspicion_max = 6;
  duration gossip_interval = std::chrono::milliseconds(200);
  std::uint32_t gossip_fanout = 3;
  /// News is sent `retransmit_mult` * ceil(log10(members + 1)) times by each. Too small: some
  /// members hear it only by the next comparison of tables.
  std::uint32_t retransmit_mult = 4;
  /// How often tables are compared; less often above 32 members.
  duration sync_interval = std::chrono::seconds(30);
  /// One of the dead is tried again after half of this to all of it: how a partition heals.
  duration reconnect_interval = std::chrono::seconds(10);
  /// For how long the dead and those that left are remembered.
  duration tombstone_age = std::chrono::hours(24);
  duration leave_timeout = std::chrono::seconds(2);
  duration seed_back_off = std::chrono::milliseconds(200);
  duration seed_back_off_cap = std::chrono::seconds(5);
  /// Living, dead and left, this node included. At most 4,096.
  std::size_t max_members = 4096;
  /// Unknown nodes that are taken into the table in a second. It bounds what one peer can make the
  /// others remember; a cluster that starts at once needs its size over this many seconds.
  std::uint32_t new_members_per_second = 50;
};

/// Processes of one machine.
constexpr membership_options local_profile() {
  membership_options how;
  how.probe_interval = std::chrono::milliseconds(500);
  how.probe_timeout = std::chrono::milliseconds(250);
  how.suspicion_mult = 3;
  how.gossip_interval = std::chrono::milliseconds(100);
  how.sync_interval = std::chrono::seconds(15);
  return how;
}

/// Machines of one network: the default.
constexpr membership_options lan_profile() { return {}; }

/// Machines far apart: round trips of up to a second.
constexpr membership_options wan_profile() {
  membership_options how;
  how.probe_interval = std::chrono::seconds(5);
  how.probe_timeout = std::chrono::seconds(3);
  how.suspicion_mult = 6;
  how.gossip_interval = std::chrono::milliseconds(500);
  how.gossip_fanout = 4;
  how.sync_interval = std::chrono::seconds(60);
  return how;
}

} // namespace edupulse
