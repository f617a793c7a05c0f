#include "runtime/transports/redis_client.hpp"

#include "runtime/transports/times.hpp"
#include <cerrno>

namespace edupulse {

namespace {

/// Words of a command as hiredis takes them. They must outlive it.
class arguments {
public:
  explicit arguments(const std::vector<std::string_view>& words) {
    for (const auto one : words) {
      texts_.push_back(one.data());
      sizes_.push_back(one.size());
    }
  }
  int count() const noexcept { return static_cast<int>(texts_.size()); }
  const char** texts() noexcept { return texts_.data(); }
  const std::size_t* sizes() const noexcept { return sizes_.data(); }

private:
  std::vector<const char*> texts_;
  std::vector<std::size_t> sizes_;
};

} // namespace

expected<redis_login> redis_login::read(const broker_url& url, setting_reader& settings,
                                        const broker_times& times) {
  auto at = only_host(url, 6379);
  if (!at)
    return tl::unexpected(std::move(at.error()));
  return redis_login{std::move(*at), url.user,
                     url.password,   settings.number("database", 0, 0, 65'535),
                     times.connect,  times.ack};
}

/// The connection ends here; this is why.
tl::unexpected<error> redis_client::over() {
  std::string why = to_->errstr;
  if (to_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
    why = "no answer within " + ms_text(how_.answer_timeout);
  to_.reset();
  return fail(errc::io, "redis: " + why);
}

void redis_client::append(const std::vector<std::string_view>& words) {
  arguments all(words);
  ::redisAppendCommandArgv(to_.get(), all.count(), all.texts(), all.sizes());
}

expected<redis_reply> redis_client::next() {
  void* answer = nullptr;
  if (::redisGetReply(to_.get(), &answer) != REDIS_OK)
    return over();
  return redis_reply(static_cast<redisReply*>(answer));
}

expected<redis_reply> redis_client::ask(const std::vector<std::string_view>& words) {
  append(words);
  return next();
}

expected<redis_reply> redis_client::demand(const std::vector<std::string_view>& words) {
  auto reply = ask(words);
  if (!reply || (*reply)->type != REDIS_REPLY_ERROR)
    return reply;
  to_.reset();
  return fail(errc::io,
              "redis: " + std::string(words.front()) + ": " + std::string(words_of(**reply)));
}

expected<void> redis_client::connect() {
  to_.reset(::redisConnectWithTimeout(how_.at.host.c_str(), how_.at.port,
                                      as_timeval(how_.connect_timeout)));
  if (!to_)
    return fail(errc::io, "redis: out of memory");
  if (to_->err != 0)
    return over();
  ::redisSetTimeout(to_.get(), as_timeval(how_.answer_timeout));
  ::redisEnableKeepAlive(to_.get());
  const auto done = [](const expected<redis_reply>& reply) {
    return reply ? expected<void>() : tl::unexpected(reply.error());
  };
  if (!how_.password.empty()) {
    std::vector<std::string_view> auth = {"AUTH"};
    if (!how_.user.empty())
      auth.push_back(how_.user);
    auth.push_back(how_.password);
    if (auto ok = demand(auth); !ok)
      return done(ok);
  }
  if (how_.database != 0)
    return done(demand({"SELECT", std::to_string(how_.database)}));
  return done(demand({"PING"}));
}

} // namespace edupulse
