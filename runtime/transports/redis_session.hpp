#pragma once
// Redis streams: XADD, pipelined. https://redis.io/docs/latest/commands/xadd/

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/redis_client.hpp"

namespace edupulse {

class redis_session final : public broker_session {
public:
  /// `max_length`: `MAXLEN ~ n`: about n entries stay in a stream, the oldest are forgotten. 0: it
  /// grows.
  redis_session(redis_login how, std::uint64_t max_length)
      : max_length_(max_length), to_(std::move(how)) {}

  expected<void> connect() override { return to_.connect(); }
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  void append(const outgoing& one);

  const std::uint64_t max_length_;
  redis_client to_;
};

} // namespace edupulse
