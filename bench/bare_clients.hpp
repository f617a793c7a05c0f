#pragma once
// The client libraries of brokers in tight loops, for what a mirror adds to them.

#include "children.hpp"
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace bench {

/// A server that has started, with what it needs on disk; it ends with this object.
struct broker_server {
  scratch place;
  std::uint16_t port = free_port();
  std::string url;     ///< for `open_transport`, with a `?`
  std::string address; ///< of Kafka
  std::unique_ptr<child> helper;
  std::unique_ptr<child> process;
};

struct bare_client {
  std::string name;
  std::string missing;  ///< the program that is not installed; empty: all is there
  std::uint64_t events; ///< in one run
  std::function<std::unique_ptr<broker_server>()> start;
  /// So many messages with this body, all of them confirmed at the end.
  std::function<void(const broker_server& to, std::uint64_t events, const std::string& body,
                     const std::string& content_type)>
      publish;
};

/// Those whose libraries this program was built with.
std::vector<bare_client> bare_clients();

bare_client bare_kafka();
bare_client bare_rabbitmq();
bare_client bare_redis();
bare_client bare_nats();
bare_client bare_jetstream();

} // namespace bench
