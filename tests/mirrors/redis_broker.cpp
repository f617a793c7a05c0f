#include "tests/mirrors/redis_broker.hpp"

#include "tests/support/real_time.hpp"
#include <hiredis/hiredis.h>

namespace edupulse::test {

namespace {

using reply_ptr = std::unique_ptr<redisReply, void (*)(void*)>;
using context_ptr = std::unique_ptr<redisContext, void (*)(redisContext*)>;

reply_ptr command(redisContext& to, const std::vector<std::string>& words) {
  std::vector<const char*> texts;
  std::vector<std::size_t> sizes;
  for (const auto& one : words) {
    texts.push_back(one.data());
    sizes.push_back(one.size());
  }
  return {static_cast<redisReply*>(
              ::redisCommandArgv(&to, static_cast<int>(words.size()), texts.data(), sizes.data())),
          ::freeReplyObject};
}

/// Null when it is not there.
context_ptr connect(std::uint16_t port) {
  context_ptr made(::redisConnect("127.0.0.1", port), ::redisFree);
  if (made->err != 0)
    return {nullptr, ::redisFree};
  const auto in = command(*made, {"AUTH", "secret"});
  if (!in || in->type == REDIS_REPLY_ERROR)
    return {nullptr, ::redisFree};
  return made;
}

} // namespace

void redis_broker::start() {
  server_ = std::make_unique<program>(
      "redis-server",
      std::vector<std::string>{"--bind", "127.0.0.1", "--port", std::to_string(port_),
                               "--requirepass", "secret", "--dir", dir_.path().string(), "--save",
                               "", "--appendonly", "yes", "--appendfsync", "always"});
  for (;;) { // it answers LOADING for a while
    if (auto to = connect(port_))
      if (const auto pong = command(*to, {"PING"}); pong && pong->type != REDIS_REPLY_ERROR)
        return;
    rest(std::chrono::milliseconds(10));
  }
}

std::string redis_broker::ask(const std::vector<std::string>& words) const {
  const auto to = connect(port_);
  REQUIRE(to);
  const auto answer = command(*to, words);
  REQUIRE(answer);
  return answer->str != nullptr ? std::string(answer->str, answer->len)
                                : std::to_string(answer->integer);
}

std::vector<seen_event> redis_broker::read() {
  const auto to = connect(port_);
  REQUIRE(to);
  const auto all = command(*to, {"XRANGE", "lessons", "-", "+"});
  REQUIRE(all);
  REQUIRE(all->type == REDIS_REPLY_ARRAY);
  std::vector<seen_event> seen;
  for (std::size_t i = 0; i < all->elements; ++i) {
    const auto* fields = all->element[i]->element[1];
    for (std::size_t f = 0; f + 1 < fields->elements; f += 2)
      if (std::string(fields->element[f]->str) == "data")
        seen.push_back(from_cloudevent({fields->element[f + 1]->str, fields->element[f + 1]->len}));
  }
  return seen;
}

} // namespace edupulse::test
