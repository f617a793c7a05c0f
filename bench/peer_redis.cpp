// Redis PUB/SUB: a server between the two, its limits lifted so that it cuts off nobody. The
// publisher sends its commands in batches, as a client that wants throughput does.

#include "contender.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <hiredis/hiredis.h>
#include <iostream>
#include <thread>
#include <unistd.h>

namespace bench {

namespace {

constexpr std::uint64_t batch = 512;

[[noreturn]] void fail(const redisContext* connection) {
  std::fprintf(stderr, "redis: %s\n", connection == nullptr ? "no memory" : connection->errstr);
  std::exit(1);
}

redisContext* connect(int port) {
  for (int tries = 0;; ++tries) { // the server may still be starting
    auto* connection = redisConnect("127.0.0.1", port);
    if (connection != nullptr && connection->err == 0)
      return connection;
    if (connection == nullptr || tries == 500)
      fail(connection);
    redisFree(connection);
    ::usleep(10'000);
  }
}

void take_reply(redisContext* connection) {
  void* reply = nullptr;
  if (redisGetReply(connection, &reply) != REDIS_OK)
    fail(connection);
  freeReplyObject(reply);
}

/// The server is this process's child: it starts and ends with it. EVENTS BYTES
int publish(const std::vector<std::string>& args) {
  const scratch place;
  const int port = free_port();
  const auto server = child::program(
      {"redis-server", "--bind", "127.0.0.1", "--port", std::to_string(port), "--save", "",
       "--appendonly", "no", "--client-output-buffer-limit", "pubsub 0 0 0", "--daemonize", "no",
       "--dir", place.path(), "--logfile", place.path() + "/log"});
  auto* connection = connect(port);
  say("address " + std::to_string(port));
  await_line();
  const std::string event(std::stoull(args.at(1)), 'x');
  const std::uint64_t events = std::stoull(args.at(0));
  for (std::uint64_t sent = 0; sent < events;) {
    const auto now = std::min(batch, events - sent);
    for (std::uint64_t i = 0; i < now; ++i)
      redisAppendCommand(connection, "PUBLISH lesson.published %b", event.data(), event.size());
    for (std::uint64_t i = 0; i < now; ++i)
      take_reply(connection);
    sent += now;
  }
  say("published");
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

/// EVENTS PORT
int subscribe(const std::vector<std::string>& args) {
  auto* connection = connect(std::stoi(args.at(1)));
  freeReplyObject(redisCommand(connection, "SUBSCRIBE lesson.published"));
  say("ready");
  tally seen(std::stoull(args.at(0)));
  std::thread([&] {
    for (;;) {
      void* reply = nullptr;
      if (redisGetReply(connection, &reply) != REDIS_OK)
        return; // the server ends when its publisher does
      const auto* event = static_cast<const redisReply*>(reply);
      if (event->elements == 3 && event->element[2]->str[0] == 'x')
        seen.one();
      freeReplyObject(reply);
    }
  }).detach();
  serve_until_the_end(seen);
}

} // namespace

contender redis() {
  return {"redis", is_installed("redis-server") ? "" : "redis-server is not installed",
          [](const load& what) {
            return child::role("redis_publish",
                               {std::to_string(what.events), std::to_string(what.bytes)});
          },
          [](const load& what, const std::string& address) {
            return child::role("redis_subscribe", {std::to_string(what.events), address});
          }};
}

void add_redis_roles(roles& to) {
  to["redis_publish"] = publish;
  to["redis_subscribe"] = subscribe;
}

} // namespace bench
