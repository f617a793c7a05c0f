#pragma once
// What can be set on a node and on one publish. The options of subscriptions and scopes are in
// "actors/options.hpp", which this includes.

#include "actors/options.hpp"
#include <cstddef>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

class wire_hook;

enum class log_level : std::uint8_t { debug, info, warning, error, off };

/// How patient the members of a cluster are with each other; the same on all of them.
enum class network_profile : std::uint8_t {
  local, ///< processes of one machine: a death is noticed in about three seconds
  lan,   ///< machines of one network: about six seconds
  wan,   ///< machines far apart, with round trips of up to a second: about half a minute
};

/// A node without `listen` and `join` opens no socket. Made for up to 200 members: each has a
/// session with each.
struct cluster_options {
  /// Nodes of one cluster find each other; those of two never mix. With TLS it is part of every
  /// certificate. 1 to 63 of [A-Za-z0-9._-].
  std::string name = "main";
  /// "host:port" to take connections at; port 0 takes a free one, see `node::address`. Anything but
  /// a loopback address needs `tls` or `insecure_plaintext`.
  std::string listen{};
  /// "host:port" where the others reach this node, when that is not `listen`: behind 0.0.0.0, NAT
  /// or a container's port. Empty: `listen`.
  std::string advertise{};
  /// Members to ask to be let in, "host:port" each; one that answers is enough, and the node goes
  /// on asking until one does. Empty: this node is the first. Needs `listen`.
  std::vector<std::string> join{};
  /// A directory as `edupulse-pki issue` makes it: ca.crt, node.crt, node.key, ca.crl. Files that
  /// are replaced are read again. The node's name must be that of its certificate.
  std::filesystem::path tls{};
  /// Speak without TLS to other machines, too. Whoever can reach the port can read and publish
  /// everything; said in the log at every start.
  bool insecure_plaintext = false;
  network_profile profile = network_profile::lan;
  /// What a member that is dead or has left was owed is kept for so long, should it return; then it
  /// goes to other members of its group, or into the dead letters as `unreachable`. Too short: a
  /// restart makes dead letters. Too long: more memory, and a group's events wait for their member.
  /// At most 24 hours.
  duration unreachable_after = std::chrono::seconds(60);
  /// Bytes of events kept for one member, whatever backlogs its subscriptions announce. One that
  /// stands still takes half of it at most, several share it, and what finds no room meets its
  /// subscription's overload policy. Too small: publishers wait for members that are only busy, and
  /// a large backlog there cannot be used. Too large: that much memory for each member that stops.
  /// 1 MiB to `budget`.
  std::size_t peer_budget = std::size_t{32} << 20;
  /// The same for all members together; at most 1 TiB.
  std::size_t budget = std::size_t{256} << 20;
  /// What stands between the node and its connections in a simulation; see
  /// <edupulse/faulty_wire.hpp>. None in production.
  std::shared_ptr<wire_hook> hook{};
};

struct node_options {
  /// Who this node is to people, and half of every subscription's id. 1 to 255 bytes. In a cluster
  /// the default stands for the address, or the name in the certificate.
  std::string name = "node";
  /// Where dead letters (and the node's id) are kept. Empty: in memory, and gone with the process.
  std::filesystem::path data_dir{};
  /// Threads for `shared` handlers. 0: one per processor, at least two.
  std::size_t workers = 0;
  /// Events and bytes between `publish` and the router. Full: `publish` waits. Too small:
  /// publishers wake and wait in turns. Too large: more memory, and more to lose with the process.
  std::size_t inbox_events = 16384;
  std::size_t inbox_bytes = 16u << 20;
  /// The largest event, header and payload, in bytes. 1 KiB to 16 MiB.
  std::size_t max_event_bytes = 1u << 20;
  /// Dead letters kept in memory when there is no data directory; the oldest make room, counted.
  std::size_t dead_letters_max = 10000;
  /// Calls past their time limit that have not returned; each keeps a thread. One more quarantines
  /// its scope. Too small: one bad hour of a database quarantines what uses it. Too large: a
  /// handler that always hangs costs that many threads.
  std::size_t stuck_calls_max = 64;
  /// Other nodes. By default there are none.
  cluster_options cluster{};
  /// Decisions are logged one per line, to standard error unless a sink is given.
  log_level log = log_level::warning;
  std::function<void(log_level, std::string_view)> log_sink{};
  /// Randomness of ids and back-off; 0 draws from the operating system.
  std::uint64_t seed = 0;
};

struct publish_options {
  /// Tokens below the event name: `eu.math` makes the topic `lesson.published.eu.math`.
  std::string_view subject{};
  /// Overrides the schema's `$Event.key`. Events with one key are handled in order.
  std::string_view key{};
  /// Names and values, such as `tenant`, `correlation-id`, `traceparent`.
  std::vector<std::pair<std::string, std::string>> meta{};
  /// Empty: that of the event, from the schema's `$Event.level`.
  std::optional<delivery_level> level{};
  /// How long `publish` may wait when a queue is full; zero: try once. Never waits on a handler's
  /// thread.
  duration deadline = std::chrono::seconds(5);
  /// Handlers that have not begun by then skip it; counted as `expired`. Zero: never.
  duration expires_in{};
  /// Follow what becomes of it: the receipt can be waited on. Costs about a microsecond.
  bool track = false;
};

} // namespace edupulse
