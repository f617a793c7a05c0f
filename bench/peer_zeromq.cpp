// ZeroMQ, PUB/SUB over TCP. No limit on what is queued, so that nothing is dropped: a publisher
// there does not wait. XPUB is PUB that tells who has subscribed.

#include "contender.hpp"
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <thread>
#include <zmq.h>

namespace bench {

namespace {

constexpr int unlimited = 0;

void must(int answer) {
  if (answer < 0) {
    std::fprintf(stderr, "zeromq: %s\n", zmq_strerror(zmq_errno()));
    std::exit(1);
  }
}

void* open_publisher(void* context) {
  void* socket = zmq_socket(context, ZMQ_XPUB);
  must(zmq_setsockopt(socket, ZMQ_SNDHWM, &unlimited, sizeof unlimited));
  const int every = 1; // subscriber's filter is told, not only the first that says the same
  must(zmq_setsockopt(socket, ZMQ_XPUB_VERBOSE, &every, sizeof every));
  must(zmq_bind(socket, "tcp://127.0.0.1:*"));
  char address[256];
  std::size_t size = sizeof address;
  must(zmq_getsockopt(socket, ZMQ_LAST_ENDPOINT, address, &size));
  say("address " + std::string(address));
  return socket;
}

void await_subscribers(void* socket, std::uint64_t count) {
  char filter[16];
  for (std::uint64_t i = 0; i < count; ++i)
    must(zmq_recv(socket, filter, sizeof filter, 0));
}

void* open_subscriber(void* context, const std::string& address) {
  void* socket = zmq_socket(context, ZMQ_SUB);
  must(zmq_setsockopt(socket, ZMQ_RCVHWM, &unlimited, sizeof unlimited));
  must(zmq_setsockopt(socket, ZMQ_SUBSCRIBE, "", 0));
  must(zmq_connect(socket, address.c_str()));
  say("ready");
  return socket;
}

/// EVENTS SUBSCRIBERS BYTES
int publish(const std::vector<std::string>& args) {
  void* socket = open_publisher(zmq_ctx_new());
  await_line();
  await_subscribers(socket, std::stoull(args.at(1)));
  const std::string event(std::stoull(args.at(2)), 'x');
  const std::uint64_t events = std::stoull(args.at(0));
  for (std::uint64_t i = 0; i < events; ++i)
    must(zmq_send(socket, event.data(), event.size(), 0));
  say("published");
  await_line();
  return 0;
}

/// EVENTS ADDRESS
int subscribe(const std::vector<std::string>& args) {
  void* socket = open_subscriber(zmq_ctx_new(), args.at(1));
  tally seen(std::stoull(args.at(0)));
  std::thread([&] {
    zmq_msg_t event;
    zmq_msg_init(&event);
    std::size_t sum = 0;
    for (;;) {
      must(zmq_msg_recv(&event, socket, 0));
      sum += *static_cast<const unsigned char*>(zmq_msg_data(&event));
      if (sum != 0)
        seen.one();
    }
  }).detach();
  serve_until_the_end(seen);
}

/// EVENTS
int publish_paced(const std::vector<std::string>& args) {
  void* socket = open_publisher(zmq_ctx_new());
  await_line();
  await_subscribers(socket, 1);
  char event[payload_bytes] = {};
  paced(std::stoull(args.at(0)), [&](std::uint64_t) {
    const auto now = now_ns();
    std::memcpy(event, &now, sizeof now);
    must(zmq_send(socket, event, sizeof event, 0));
  });
  await_line();
  return 0;
}

/// EVENTS ADDRESS
int subscribe_paced(const std::vector<std::string>& args) {
  void* socket = open_subscriber(zmq_ctx_new(), args.at(1));
  ages seen(std::stoull(args.at(0)));
  char event[payload_bytes];
  for (;;) {
    must(zmq_recv(socket, event, sizeof event, 0));
    std::int64_t sent = 0;
    std::memcpy(&sent, event, sizeof sent);
    seen.one(sent);
  }
}

contender of(const std::string& suffix) {
  return {"zeromq",
          {},
          [=](const load& what) {
            return child::role("zeromq_publish" + suffix,
                               {std::to_string(what.events), std::to_string(what.subscribers),
                                std::to_string(what.bytes)});
          },
          [=](const load& what, const std::string& address) {
            return child::role("zeromq_subscribe" + suffix, {std::to_string(what.events), address});
          }};
}

} // namespace

contender zeromq() { return of(""); }
contender zeromq_paced() { return of("_paced"); }

void add_zeromq_roles(roles& to) {
  to["zeromq_publish"] = publish;
  to["zeromq_subscribe"] = subscribe;
  to["zeromq_publish_paced"] = publish_paced;
  to["zeromq_subscribe_paced"] = subscribe_paced;
}

} // namespace bench
