#pragma once
// Inbound: events from brokers. A source is where messages come from; the node reads it on a thread
// of its own, makes events of them and publishes these. `open_source` of <edupulse/transports.hpp>
// makes those that there are.
//
//     node.attach_source("lessons", open_source("kafka://host:9092?topic=lessons").value());

#include "schemas/envelope.hpp"
#include <chrono>
#include <cstdint>
#include <edupulse/transport.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

/// A message as a broker delivered it.
struct inbound_message {
  std::uint64_t token = 0; ///< the source's: what it is acknowledged by
  /// Where the broker has it, the same whenever it is delivered: "lessons/2/1047". An event without
  /// an id of its own gets one of this. Empty: unknown.
  std::string place{};
  std::string topic{};
  std::string content_type{};
  std::vector<std::pair<std::string, std::string>> headers{};
  std::string key{};
  std::string body{};
};

/// When a broker is told that it need not keep a message any more.
enum class acknowledge_when : std::uint8_t {
  accepted, ///< the bus has it. If the process dies then, who has not handled it never will
  concluded ///< all its subscriptions have: handled, or a dead letter, or dropped and counted
};

struct source_options {
  acknowledge_when acknowledge = acknowledge_when::accepted;
  /// Messages that are not concluded, when that is waited for: no more are read. Too small: slow,
  /// each waits for handlers. Too large: that many come again after a crash.
  std::size_t in_flight = 1024;
  /// The event that a message without a name of its own is: its body is the payload as JSON.
  std::string event{};
  /// The name of this cluster. What a mirror with the same `mark` sent is not taken in again.
  std::string mark{};
  /// Fields of JSON that the schema does not know make a message malformed.
  bool strict = false;
  /// Schemas by name: what there is beside the events that are compiled in. Any thread.
  type_lookup types{};
};

/// One line to one broker. One thread at a time calls this. Errors of all calls are outages, in the
/// words of the broker or its client, and end the connection: `connect` is what comes next, and
/// what was not acknowledged is delivered again.
class source {
public:
  virtual ~source() = default;
  /// For people: `kafka`.
  virtual std::string_view name() const noexcept = 0;
  /// For people: the address, without passwords.
  virtual std::string where() const { return {}; }
  /// What its address said.
  virtual source_options options() const { return {}; }
  /// `client`: who this is, to the broker: the names of node and source. Blocks for as long as the
  /// time limits of the source say.
  virtual expected<void> connect(std::string_view client) = 0;
  /// In the broker's order. Waits for the first one, not longer than `patience`.
  virtual expected<std::vector<inbound_message>> receive(duration patience) = 0;
  /// These need not be kept any more. In the order in which they were received, but for gaps.
  virtual expected<void> acknowledge(std::span<const std::uint64_t> tokens) = 0;
  /// Messages wait for the bus. Called a few times a second then, for heartbeats.
  virtual expected<void> keep_alive() { return {}; }
  /// Messages that were gone before they could be received: of core NATS, which does not wait.
  virtual std::uint64_t lost() const noexcept { return 0; }
  /// No more is read: others may have what was not acknowledged.
  virtual void close() noexcept {}
};

using source_ptr = std::unique_ptr<source>;

/// A source of one node.
struct source_status {
  std::string name;
  std::string source; ///< the broker's kind
  std::string where;  ///< without passwords
  transport_health health{};
  bool paused = false;
  std::uint64_t received = 0;
  std::uint64_t published = 0;
  std::uint64_t malformed = 0;    ///< dead letters of the subscription with the source's name
  std::uint64_t echoes = 0;       ///< came from this cluster, and were left out
  std::uint64_t acknowledged = 0; ///< the others are delivered again when the connection ends
  std::uint64_t waiting = 0;      ///< read, and not acknowledged
  std::uint64_t lost = 0;         ///< see `source::lost`
};

} // namespace edupulse
