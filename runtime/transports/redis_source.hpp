#pragma once
// Redis streams, read as a consumer group: XREADGROUP, and XACK once the bus has them. What this
// consumer had and did not acknowledge comes first after each connect; what a consumer had that is
// gone is claimed after a while. https://redis.io/docs/latest/develop/data-types/streams/

#include "runtime/transports/broker_source.hpp"
#include "runtime/transports/redis_client.hpp"
#include <string>
#include <unordered_map>
#include <vector>

namespace edupulse {

struct redis_source_options {
  std::vector<std::string> streams;
  std::string consumer; ///< empty: the names of node and source
  std::string body;     ///< the field that is the body
  bool from_begin = true;
  std::uint64_t batch = 256;
  duration claim_after{};
};

class redis_source final : public broker_source {
public:
  redis_source(redis_login login, redis_source_options how, source_settings all)
      : broker_source(std::move(all)), how_(std::move(how)), to_(std::move(login)) {}

  std::string_view name() const noexcept override { return "redis"; }
  expected<void> connect(std::string_view client) override;
  expected<std::vector<inbound_message>> receive(duration patience) override;
  expected<void> acknowledge(std::span<const std::uint64_t> tokens) override;
  void close() noexcept override { to_.close(); }

private:
  struct place {
    std::size_t stream;
    std::string id;
  };
  expected<void> make_groups();
  expected<std::vector<inbound_message>> claim(std::size_t stream);
  void take(const redisReply& entries, std::size_t stream, std::vector<inbound_message>& into);
  inbound_message read(const redisReply& entry, std::size_t stream);

  const redis_source_options how_;
  redis_client to_;
  std::string consumer_;
  /// Where reading goes on, by stream: an id while there are messages that this consumer had
  /// before, ">" afterwards.
  std::vector<std::string> next_;
  std::unordered_map<std::uint64_t, place> open_; ///< bounded by what is not acknowledged
  std::uint64_t last_token_ = 0;
  time_point next_claim_{};
};

} // namespace edupulse
