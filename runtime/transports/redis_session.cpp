#include "runtime/transports/redis_session.hpp"

#include "runtime/transports/broker_factory.hpp"
#include "runtime/transports/times.hpp"
#include <algorithm>
#include <array>
#include <cerrno>
#include <hiredis/hiredis.h>
#include <poll.h>

namespace edupulse {

namespace {

struct reply_closer {
  void operator()(redisReply* what) const noexcept { ::freeReplyObject(what); }
};
using reply_ptr = std::unique_ptr<redisReply, reply_closer>;

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

std::string_view words_of(const redisReply& what) { return {what.str, what.len}; }

/// Errors that are not the event's fault, and pass.
bool is_outage(std::string_view words) {
  static constexpr std::array<std::string_view, 11> codes = {
      "OOM",         "LOADING",  "MISCONF",    "READONLY", "BUSY",  "MASTERDOWN",
      "CLUSTERDOWN", "TRYAGAIN", "NOREPLICAS", "NOAUTH",   "NOPERM"};
  return std::ranges::find(codes, words.substr(0, words.find(' '))) != codes.end();
}

outcome outcome_of(const redisReply& reply) {
  if (reply.type != REDIS_REPLY_ERROR)
    return outcome::ok();
  const auto words = words_of(reply);
  return is_outage(words) ? outcome::unavailable(std::string(words))
                          : outcome::reject(std::string(words));
}

} // namespace

void redis_session::closer::operator()(redisContext* what) const noexcept { ::redisFree(what); }

/// The connection ends here; this is why.
tl::unexpected<error> redis_session::over() {
  std::string why = to_->errstr;
  if (to_->err == REDIS_ERR_IO && (errno == EAGAIN || errno == EWOULDBLOCK))
    why = "no answer within " + ms_text(how_.ack_timeout);
  to_.reset();
  return fail(errc::io, "redis: " + why);
}

expected<void> redis_session::command(const std::vector<std::string_view>& words) {
  arguments all(words);
  const reply_ptr reply(static_cast<redisReply*>(
      ::redisCommandArgv(to_.get(), all.count(), all.texts(), all.sizes())));
  if (!reply)
    return over();
  if (reply->type != REDIS_REPLY_ERROR)
    return {};
  auto refused =
      fail(errc::io, "redis: " + std::string(words.front()) + ": " + std::string(words_of(*reply)));
  to_.reset();
  return refused;
}

expected<void> redis_session::connect() {
  to_.reset(::redisConnectWithTimeout(how_.at.host.c_str(), how_.at.port,
                                      as_timeval(how_.connect_timeout)));
  if (!to_)
    return fail(errc::io, "redis: out of memory");
  if (to_->err != 0)
    return over();
  ::redisSetTimeout(to_.get(), as_timeval(how_.ack_timeout));
  ::redisEnableKeepAlive(to_.get());
  if (!how_.password.empty()) {
    std::vector<std::string_view> auth = {"AUTH"};
    if (!how_.user.empty())
      auth.push_back(how_.user);
    auth.push_back(how_.password);
    if (auto ok = command(auth); !ok)
      return ok;
  }
  if (how_.database != 0)
    return command({"SELECT", std::to_string(how_.database)});
  return command({"PING"});
}

/// The id is there in every form: readers tell by it what they have seen already.
void redis_session::append(const outgoing& one) {
  const auto id = to_string(one.done.event().id());
  const auto most = std::to_string(how_.max_length);
  std::vector<std::string_view> words = {"XADD", one.message.topic};
  if (how_.max_length != 0)
    words.insert(words.end(), {"MAXLEN", "~", most});
  words.insert(words.end(), {"*", "id", id, "content-type", one.message.content_type});
  for (const auto& [name, value] : one.message.headers)
    words.insert(words.end(), {name, value});
  words.insert(words.end(), {"data", one.message.body});

  arguments all(words);
  ::redisAppendCommandArgv(to_.get(), all.count(), all.texts(), all.sizes());
}

expected<void> redis_session::send(std::vector<outgoing> batch) {
  std::ranges::for_each(batch, [&](const auto& one) { append(one); });
  expected<void> outage;
  for (auto one = batch.begin(); one != batch.end(); ++one) {
    void* answer = nullptr;
    if (::redisGetReply(to_.get(), &answer) != REDIS_OK) {
      auto why = over();
      batch.erase(batch.begin(), one);
      answer_all(batch, outcome::unavailable(why.value().text));
      return why;
    }
    const reply_ptr reply(static_cast<redisReply*>(answer));
    auto what = outcome_of(*reply);
    if (what.what() == outcome::kind::unavailable)
      outage = fail(errc::io, "redis: " + std::string(what.reason()));
    one->done.complete(std::move(what));
  }
  if (!outage)
    to_.reset(); // whoever connects next is asked how it is
  return outage;
}

expected<void> redis_session::wait(int wake) {
  std::array<pollfd, 2> watched = {{{wake, POLLIN, 0}, {to_->fd, POLLIN, 0}}};
  ::poll(watched.data(), watched.size(), -1);
  if (watched[1].revents == 0)
    return {};
  // Nothing is owed, so this is the end of the connection.
  to_.reset();
  return fail(errc::io, "redis: the server closed the connection");
}

expected<std::unique_ptr<broker_session>> make_redis_session(const broker_url& url,
                                                             setting_reader& settings,
                                                             const broker_times& times,
                                                             broker_options& how) {
  redis_options made;
  auto at = only_host(url, 6379);
  if (!at)
    return tl::unexpected(std::move(at.error()));
  made.at = std::move(*at);
  made.user = url.user;
  made.password = url.password;
  made.database = settings.number("database", 0, 0, 65'535);
  made.max_length = settings.number("max_length", made.max_length, 0, std::uint64_t{1} << 40);
  made.connect_timeout = times.connect;
  made.ack_timeout = times.ack;
  how.batch = 512;
  return std::make_unique<redis_session>(std::move(made));
}

} // namespace edupulse
