// The relay of a simulation, between real sockets on loopback, and under real nodes.

#include "lesson.capnp.h"
#include "runtime/descriptor.hpp"
#include "tests/support/catch.hpp"
#include "tests/support/events.hpp"
#include "tests/support/eventually.hpp"
#include <arpa/inet.h>
#include <atomic>
#include <edupulse/faulty_wire.hpp>
#include <edupulse/node.hpp>
#include <netinet/in.h>
#include <poll.h>
#include <string>
#include <sys/socket.h>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

const std::string there = "127.0.0.1:7001";

/// Two ends of a TCP connection whose first end leads through the relay.
class relayed_pair {
public:
  explicit relayed_pair(faulty_wire& wire) {
    const descriptor listening(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* where = reinterpret_cast<sockaddr*>(&at);
    REQUIRE(::bind(listening.number(), where, size) == 0);
    REQUIRE(::listen(listening.number(), 1) == 0);
    REQUIRE(::getsockname(listening.number(), where, &size) == 0);
    const int dialled = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(dialled, where, size) == 0);
    peer_.emplace(::accept(listening.number(), nullptr, nullptr));
    const auto instead = wire.dialled(dialled, there);
    REQUIRE(instead);
    node_.emplace(*instead);
  }
  int node() const { return node_->number(); }
  int peer() const { return peer_->number(); }
  void close_node() { node_.reset(); }
  void close_peer() { peer_.reset(); }

private:
  std::optional<descriptor> node_;
  std::optional<descriptor> peer_;
};

void say(int socket, const std::string& text) {
  REQUIRE(::send(socket, text.data(), text.size(), MSG_NOSIGNAL) ==
          static_cast<ssize_t>(text.size()));
}

/// Waits for so many bytes.
std::string hear(int socket, std::size_t bytes) {
  std::string all;
  char part[4096];
  while (all.size() < bytes) {
    pollfd one{socket, POLLIN, 0};
    ::poll(&one, 1, -1);
    const auto got = ::recv(socket, part, std::min(sizeof part, bytes - all.size()), MSG_DONTWAIT);
    if (got == 0 || (got < 0 && errno != EAGAIN))
      return all + " and then the end";
    if (got > 0)
      all.append(part, static_cast<std::size_t>(got));
  }
  return all;
}

bool has_something(int socket) {
  pollfd one{socket, POLLIN, 0};
  return ::poll(&one, 1, 0) > 0;
}

} // namespace

TEST_CASE("faulty_wire: without faults both ways carry bytes, and each end hears of the other's") {
  faulty_wire wire;
  relayed_pair pair(wire);
  say(pair.node(), "to the peer");
  CHECK(hear(pair.peer(), 11) == "to the peer");
  say(pair.peer(), "to the node");
  CHECK(hear(pair.node(), 11) == "to the node");
  pair.close_peer();
  CHECK(hear(pair.node(), 1) == " and then the end");
  pair.close_node();
  eventually([&] { return wire.connections() == 0; });
}

TEST_CASE("faulty_wire: a blocked way holds what is said, in order, and the other way is open") {
  faulty_wire wire;
  relayed_pair pair(wire);
  say(pair.node(), "a");
  CHECK(hear(pair.peer(), 1) == "a");
  wire.set(there, {.to = {.blocked = true}});
  say(pair.node(), "b");
  say(pair.peer(), "back");
  CHECK(hear(pair.node(), 4) == "back");
  CHECK_FALSE(has_something(pair.peer()));
  wire.set(there, {});
  say(pair.node(), "c");
  CHECK(hear(pair.peer(), 2) == "bc");
}

TEST_CASE("faulty_wire: behind a blocked line nobody hears that a connection has ended") {
  faulty_wire wire;
  relayed_pair pair(wire);
  wire.set(there, {.to = {.blocked = true}, .from = {.blocked = true}});
  say(pair.node(), "last words");
  pair.close_node();
  CHECK_FALSE(has_something(pair.peer()));
  wire.heal();
  CHECK(hear(pair.peer(), 11) == "last words and then the end");
}

TEST_CASE("faulty_wire: who is behind a blocked line cannot be dialled") {
  faulty_wire wire;
  wire.set(there, {.from = {.blocked = true}});
  const auto refused = wire.dialled(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), there);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().code == errc::io);
  CHECK(wire.connections() == 0);
}

TEST_CASE("faulty_wire: a line with delay carries everything, no earlier than that") {
  faulty_wire wire;
  wire.set(there, {.to = {.delay = 50ms}});
  relayed_pair pair(wire);
  const auto began = std::chrono::steady_clock::now();
  say(pair.node(), "later");
  CHECK(hear(pair.peer(), 5) == "later");
  CHECK(std::chrono::steady_clock::now() - began >= 50ms);
}

TEST_CASE("faulty_wire: a narrow line carries everything, no faster than it may") {
  faulty_wire wire;
  wire.set(there, {.to = {.bytes_per_second = 100'000}});
  relayed_pair pair(wire);
  const std::string much(22'000, 'x');
  const auto began = std::chrono::steady_clock::now();
  say(pair.node(), much);
  CHECK(hear(pair.peer(), much.size()) == much);
  CHECK(std::chrono::steady_clock::now() - began >= 190ms); // what may go at once is 2,000 bytes
}

TEST_CASE("faulty_wire: a writer that is held up waits, and memory is bounded") {
  faulty_wire wire;
  relayed_pair pair(wire);
  wire.set(there, {.to = {.blocked = true}});
  const std::string part(64u << 10, 'x');
  std::size_t taken = 0;
  for (int quiet = 0; quiet < 50;) { // until nothing more goes in
    const auto sent = ::send(pair.node(), part.data(), part.size(), MSG_DONTWAIT | MSG_NOSIGNAL);
    pollfd any{-1, 0, 0};
    quiet = sent > 0 ? 0 : quiet + 1 + ::poll(&any, 1, 1);
    taken += sent > 0 ? static_cast<std::size_t>(sent) : 0;
  }
  CHECK(taken >= faulty_wire::held_bytes);
  CHECK(taken < 16 * faulty_wire::held_bytes); // and what the kernel keeps of a socket
  wire.heal();
  CHECK(hear(pair.peer(), taken) == std::string(taken, 'x'));
}

TEST_CASE("faulty_wire: a reset breaks the connections to that peer at both ends, and no other") {
  faulty_wire wire;
  relayed_pair pair(wire);
  wire.reset("127.0.0.1:9");
  say(pair.node(), "still here");
  CHECK(hear(pair.peer(), 10) == "still here");
  wire.reset(there);
  CHECK(hear(pair.node(), 1) == " and then the end");
  char any = 0;
  CHECK(::recv(pair.peer(), &any, 1, 0) == -1);
  CHECK(errno == ECONNRESET);
}

TEST_CASE("faulty_wire, G22: nodes that cannot reach each other find together when the line is "
          "mended, and nothing is lost") {
  auto wire = std::make_shared<faulty_wire>();
  node_options how;
  how.cluster.listen = "127.0.0.1:0";
  how.cluster.profile = network_profile::local;
  how.log = log_level::error;
  how.name = "a";
  auto a = node::start(how).value();
  how.name = "b";
  how.cluster.join = {a.address()};
  how.cluster.hook = wire;
  auto b = node::start(how).value();
  std::atomic<int> handled{0};
  REQUIRE(b.subscribe<LessonPublished>("reader", [&](auto) { ++handled; }));
  REQUIRE(a.ready("lesson.published", 1, 5s));
  REQUIRE(wire->connections() == 2);
  const auto publish = [&] { REQUIRE(a.publish<LessonPublished>([](auto) {})); };
  publish();
  eventually([&] { return handled == 1; });
  wire->set(a.address(), {.to = {.blocked = true}, .from = {.blocked = true}});
  for (int i = 0; i < 100; ++i)
    publish();
  const auto believes_dead = [&](const node& who) {
    const auto all = who.members();
    return std::any_of(all.begin(), all.end(),
                       [](const member& one) { return one.state == member_state::dead; });
  };
  eventually([&] { return believes_dead(a) && believes_dead(b); });
  CHECK(handled == 1);
  wire->heal();
  eventually([&] { return handled == 101; });
}
