#pragma once
// Faults of the network without being root: the connections that one node makes lead through a
// relay in its own process, and the relay can hold bytes up. Give the same object to
// `cluster_options::hook` and to whoever decides what goes wrong. Both nodes of a pair must be told
// of a fault between them: each relays the connections that it has made.
//
//   auto wire = std::make_shared<edupulse::faulty_wire>();
//   options.cluster.hook = wire;
//   wire->set("127.0.0.1:7001", {.to = {.blocked = true}});  // nothing reaches that node from here
//
// As on a real network nothing is lost of a connection that outlives the fault: what is held up
// goes on when the line is mended. Who is behind a blocked line is not told that a connection has
// ended either, and cannot be dialled.

#include <chrono>
#include <edupulse/wire_hook.hpp>
#include <memory>
#include <string>

namespace edupulse {

/// One direction of a line.
struct wire_way {
  bool blocked = false;
  std::chrono::nanoseconds delay{};
  double bytes_per_second = 0; ///< 0: as fast as it goes

  bool operator==(const wire_way&) const = default;
};
struct wire_line {
  wire_way to{};   ///< from this node to the peer
  wire_way from{}; ///< from the peer to this node
};

/// Thread-safe. One thread of its own.
class faulty_wire final : public wire_hook {
public:
  /// Bytes that one direction of a connection holds; then its writer waits.
  static constexpr std::size_t held_bytes = 256u << 10;
  /// A dial to somebody who cannot be reached fails after so long.
  static constexpr std::chrono::milliseconds dial_patience{1000};

  faulty_wire();
  /// Ends every connection.
  ~faulty_wire() override;
  faulty_wire(const faulty_wire&) = delete;
  faulty_wire& operator=(const faulty_wire&) = delete;

  expected<int> dialled(int socket, const std::string& address) override;

  /// Of all connections to that peer, those to come included.
  void set(const std::string& address, const wire_line& how);
  /// All lines are as they were.
  void heal();
  /// Connections to that peer break, at both ends.
  void reset(const std::string& address);
  /// That are relayed now.
  std::size_t connections() const;

private:
  class relay_thread;
  std::shared_ptr<relay_thread> thread_;
};

} // namespace edupulse
