// TCP alone: the same bytes, and nothing done with them. One event is one send.

#include "contender.hpp"
#include <arpa/inet.h>
#include <cstdio>
#include <cstdlib>
#include <netinet/in.h>
#include <sys/socket.h>
#include <thread>
#include <unistd.h>

namespace bench {

namespace {

void must(bool done, const char* what) {
  if (!done) {
    std::perror(what);
    std::exit(1);
  }
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

/// EVENTS BYTES
int publish(const std::vector<std::string>& args) {
  const int listener = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = loopback(0);
  socklen_t size = sizeof address;
  auto* generic = reinterpret_cast<sockaddr*>(&address);
  must(::bind(listener, generic, size) == 0 && ::listen(listener, 1) == 0 &&
           ::getsockname(listener, generic, &size) == 0,
       "tcp");
  say("address " + std::to_string(ntohs(address.sin_port)));
  const int out = ::accept(listener, nullptr, nullptr);
  must(out >= 0, "accept");
  await_line();
  const std::string event(std::stoull(args.at(1)), 'x');
  const std::uint64_t events = std::stoull(args.at(0));
  for (std::uint64_t i = 0; i < events; ++i)
    for (std::size_t sent = 0; sent < event.size();) {
      const auto done = ::send(out, event.data() + sent, event.size() - sent, MSG_NOSIGNAL);
      must(done > 0, "send");
      sent += static_cast<std::size_t>(done);
    }
  say("published");
  await_line();
  return 0;
}

/// EVENTS BYTES PORT
int subscribe(const std::vector<std::string>& args) {
  const int in = ::socket(AF_INET, SOCK_STREAM, 0);
  const auto address = loopback(static_cast<std::uint16_t>(std::stoul(args.at(2))));
  must(::connect(in, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0, "connect");
  say("ready");
  tally seen(std::stoull(args.at(0)));
  std::thread([&] {
    std::string event(std::stoull(args.at(1)), '\0');
    for (std::size_t have = 0;;) {
      const auto got = ::recv(in, event.data() + have, event.size() - have, 0);
      if (got <= 0)
        return;
      have += static_cast<std::size_t>(got);
      if (have == event.size()) {
        have = 0;
        seen.one();
      }
    }
  }).detach();
  serve_until_the_end(seen);
}

} // namespace

contender raw_tcp() {
  return {"tcp",
          {},
          [](const load& what) {
            return child::role("tcp_publish",
                               {std::to_string(what.events), std::to_string(what.bytes)});
          },
          [](const load& what, const std::string& address) {
            return child::role("tcp_subscribe",
                               {std::to_string(what.events), std::to_string(what.bytes), address});
          }};
}

void add_tcp_roles(roles& to) {
  to["tcp_publish"] = publish;
  to["tcp_subscribe"] = subscribe;
}

} // namespace bench
