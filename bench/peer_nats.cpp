// NATS core: a server between the two, its limits lifted so that it cuts off nobody.

#include "contender.hpp"
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <nats/nats.h>
#include <unistd.h>

namespace bench {

namespace {

void must(natsStatus status) {
  if (status != NATS_OK) {
    std::fprintf(stderr, "nats: %s\n", natsStatus_GetText(status));
    std::exit(1);
  }
}

natsConnection* connect(const std::string& address) {
  natsConnection* connection = nullptr;
  natsStatus status = NATS_OK;
  for (int tries = 0; tries < 500; ++tries) { // the server may still be starting
    status = natsConnection_ConnectTo(&connection, address.c_str());
    if (status == NATS_OK)
      return connection;
    ::usleep(10'000);
  }
  must(status);
  return nullptr;
}

/// The server is this process's child: it starts and ends with it. EVENTS BYTES
int publish(const std::vector<std::string>& args) {
  const scratch place;
  const auto port = std::to_string(free_port());
  const auto config = place.write("nats.conf", "listen: 127.0.0.1:" + port +
                                                   "\nmax_pending: 8589934592\n"
                                                   "write_deadline: \"120s\"\n");
  const auto server = child::program({"nats-server", "-c", config, "-l", place.path() + "/log"});
  const auto address = "nats://127.0.0.1:" + port;
  auto* connection = connect(address);
  say("address " + address);
  await_line();
  const std::string event(std::stoull(args.at(1)), 'x');
  const std::uint64_t events = std::stoull(args.at(0));
  for (std::uint64_t i = 0; i < events; ++i)
    must(natsConnection_Publish(connection, "lesson.published", event.data(),
                                static_cast<int>(event.size())));
  must(natsConnection_FlushTimeout(connection, 120'000));
  say("published");
  std::string line;
  while (std::getline(std::cin, line)) {
  }
  return 0;
}

void on_event(natsConnection*, natsSubscription*, natsMsg* event, void* closure) {
  if (*natsMsg_GetData(event) == 'x')
    static_cast<tally*>(closure)->one();
  natsMsg_Destroy(event);
}

/// EVENTS ADDRESS
int subscribe(const std::vector<std::string>& args) {
  tally seen(std::stoull(args.at(0)));
  auto* connection = connect(args.at(1));
  natsSubscription* subscription = nullptr;
  must(natsConnection_Subscribe(&subscription, connection, "lesson.published", on_event, &seen));
  must(natsSubscription_SetPendingLimits(subscription, -1, -1));
  must(natsConnection_FlushTimeout(connection, 10'000));
  say("ready");
  serve_until_the_end(seen);
}

} // namespace

contender nats() {
  return {"nats", is_installed("nats-server") ? "" : "nats-server is not installed",
          [](const load& what) {
            return child::role("nats_publish",
                               {std::to_string(what.events), std::to_string(what.bytes)});
          },
          [](const load& what, const std::string& address) {
            return child::role("nats_subscribe", {std::to_string(what.events), address});
          }};
}

void add_nats_roles(roles& to) {
  to["nats_publish"] = publish;
  to["nats_subscribe"] = subscribe;
}

} // namespace bench
