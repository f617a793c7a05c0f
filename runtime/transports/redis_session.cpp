#include "runtime/transports/redis_session.hpp"

#include <algorithm>
#include <array>
#include <poll.h>

namespace edupulse {

namespace {

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

/// The id is there in every form: readers tell by it what they have seen already.
void redis_session::append(const outgoing& one) {
  const auto id = to_string(one.done.event().id());
  const auto most = std::to_string(max_length_);
  std::vector<std::string_view> words = {"XADD", one.message.topic};
  if (max_length_ != 0)
    words.insert(words.end(), {"MAXLEN", "~", most});
  words.insert(words.end(), {"*", "id", id, "content-type", one.message.content_type});
  for (const auto& [name, value] : one.message.headers)
    words.insert(words.end(), {name, value});
  words.insert(words.end(), {"data", one.message.body});
  to_.append(words);
}

expected<void> redis_session::send(std::vector<outgoing> batch) {
  std::ranges::for_each(batch, [&](const auto& one) { append(one); });
  expected<void> outage;
  std::vector<deferral> stored;
  for (auto one = batch.begin(); one != batch.end(); ++one) {
    const auto reply = to_.next();
    if (!reply) {
      batch.erase(batch.begin(), one);
      deferral::complete_all(stored, outcome::ok());
      answer_all(batch, outcome::unavailable(reply.error().text));
      return tl::unexpected(reply.error());
    }
    auto what = outcome_of(**reply);
    if (what.is_ok()) {
      stored.push_back(std::move(one->done));
      continue;
    }
    if (what.what() == outcome::kind::unavailable)
      outage = fail(errc::io, "redis: " + std::string(what.reason()));
    one->done.complete(std::move(what));
  }
  deferral::complete_all(stored, outcome::ok());
  if (!outage)
    to_.close(); // whoever connects next is asked how it is
  return outage;
}

expected<void> redis_session::wait(int wake) {
  std::array<pollfd, 2> watched = {{{wake, POLLIN, 0}, {to_.fd(), POLLIN, 0}}};
  ::poll(watched.data(), watched.size(), -1);
  if (watched[1].revents == 0)
    return {};
  // Nothing is owed, so this is the end of the connection.
  to_.close();
  return fail(errc::io, "redis: the server closed the connection");
}

expected<std::unique_ptr<broker_session>> make_redis_session(const broker_url& url,
                                                             setting_reader& settings,
                                                             const broker_times& times,
                                                             broker_options& how) {
  auto login = redis_login::read(url, settings, times);
  if (!login)
    return tl::unexpected(std::move(login.error()));
  const auto most = settings.number("max_length", 1'000'000, 0, std::uint64_t{1} << 40);
  how.batch = 512;
  return std::make_unique<redis_session>(std::move(*login), most);
}

} // namespace edupulse
