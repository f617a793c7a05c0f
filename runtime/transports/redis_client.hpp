#pragma once
// One connection to Redis, for the mirror and the source.

#include "runtime/transports/broker_factory.hpp"
#include <hiredis/hiredis.h>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

struct redis_login {
  host_port at;
  std::string user;     ///< empty, with a password: the default user
  std::string password; ///< empty: no AUTH
  std::uint64_t database = 0;
  duration connect_timeout{};
  duration answer_timeout{};

  /// Errors: `invalid_option`, about the address.
  static expected<redis_login> read(const broker_url& url, setting_reader& settings,
                                    const broker_times& times);
};

struct redis_reply_closer {
  void operator()(redisReply* what) const noexcept { ::freeReplyObject(what); }
};
using redis_reply = std::unique_ptr<redisReply, redis_reply_closer>;

inline std::string_view words_of(const redisReply& what) { return {what.str, what.len}; }

/// One thread. Errors: `io`, in Redis' or hiredis' words; the connection is over then.
class redis_client {
public:
  explicit redis_client(redis_login how) : how_(std::move(how)) {}

  expected<void> connect();
  void close() noexcept { to_.reset(); }
  int fd() const noexcept { return to_->fd; }
  /// Asks, and waits. What Redis refuses is an answer, too.
  expected<redis_reply> ask(const std::vector<std::string_view>& words);
  /// The same, and refusals are errors that end the connection.
  expected<redis_reply> demand(const std::vector<std::string_view>& words);
  /// Asks and does not wait: `next` is the answer.
  void append(const std::vector<std::string_view>& words);
  expected<redis_reply> next();

private:
  struct closer {
    void operator()(redisContext* what) const noexcept { ::redisFree(what); }
  };
  tl::unexpected<error> over();

  const redis_login how_;
  std::unique_ptr<redisContext, closer> to_;
};

} // namespace edupulse
