// XADD by hiredis, in pipelines of 512.

#include "bare_clients.hpp"
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <hiredis/hiredis.h>
#include <unistd.h>

namespace bench {

namespace {

constexpr std::uint64_t batch = 512;

using connection = std::unique_ptr<redisContext, void (*)(redisContext*)>;

connection connect(std::uint16_t port) {
  for (int tries = 0; tries < 500; ++tries) { // the server may still be starting
    connection made(::redisConnect("127.0.0.1", port), ::redisFree);
    if (made && made->err == 0)
      return made;
    ::usleep(10'000);
  }
  std::fprintf(stderr, "redis: no connection\n");
  std::exit(1);
}

std::unique_ptr<broker_server> start() {
  auto made = std::make_unique<broker_server>();
  const auto port = std::to_string(made->port);
  made->url = "redis://127.0.0.1:" + port + "?topic=lessons&max_length=10000";
  made->process = std::make_unique<child>(
      child::program({"redis-server", "--bind", "127.0.0.1", "--port", port, "--save", "",
                      "--appendonly", "no", "--daemonize", "no", "--dir", made->place.path(),
                      "--logfile", made->place.path() + "/log"}));
  connect(made->port);
  return made;
}

void publish(const broker_server& to, std::uint64_t events, const std::string& body,
             const std::string& content_type) {
  const auto server = connect(to.port);
  const std::string id(36, '0');
  for (std::uint64_t sent = 0; sent < events;) {
    const auto now = std::min(batch, events - sent);
    for (std::uint64_t i = 0; i < now; ++i)
      ::redisAppendCommand(
          server.get(), "XADD lessons MAXLEN ~ 10000 * id %b content-type %b data %b", id.data(),
          id.size(), content_type.data(), content_type.size(), body.data(), body.size());
    for (std::uint64_t i = 0; i < now; ++i) {
      void* reply = nullptr;
      if (::redisGetReply(server.get(), &reply) != REDIS_OK) {
        std::fprintf(stderr, "redis: %s\n", server->errstr);
        std::exit(1);
      }
      ::freeReplyObject(reply);
    }
    sent += now;
  }
}

} // namespace

bare_client bare_redis() {
  return {"redis", is_installed("redis-server") ? "" : "redis-server", 100'000, start, publish};
}

} // namespace bench
