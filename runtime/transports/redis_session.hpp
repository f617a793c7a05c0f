#pragma once
// Redis streams: XADD, pipelined. https://redis.io/docs/latest/commands/xadd/

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/broker_url.hpp"
#include <memory>
#include <string>
#include <string_view>
#include <vector>

struct redisContext;

namespace edupulse {

struct redis_options {
  host_port at;
  std::string user;     ///< empty, with a password: the default user
  std::string password; ///< empty: no AUTH
  std::uint64_t database = 0;
  /// `MAXLEN ~ n`: about n entries stay in a stream, the oldest are forgotten. 0: it grows.
  std::uint64_t max_length = 1'000'000;
  duration connect_timeout{};
  duration ack_timeout{}; ///< of each answer
};

class redis_session final : public broker_session {
public:
  explicit redis_session(redis_options how) : how_(std::move(how)) {}

  expected<void> connect() override;
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  struct closer {
    void operator()(redisContext* what) const noexcept;
  };
  expected<void> command(const std::vector<std::string_view>& words);
  void append(const outgoing& one);
  tl::unexpected<error> over();

  const redis_options how_;
  std::unique_ptr<redisContext, closer> to_;
};

} // namespace edupulse
