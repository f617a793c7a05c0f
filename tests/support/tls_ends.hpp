#pragma once
// Two ends of a TLS connection in one thread, and the bytes between them.

#include "tests/support/catch.hpp"
#include "tests/support/certificates.hpp"
#include <optional>
#include <vector>

namespace edupulse::test {

using octets = std::vector<std::byte>;

inline octets octets_of(std::string_view text) {
  const auto* first = reinterpret_cast<const std::byte*>(text.data());
  return {first, first + text.size()};
}
inline std::string text_of(const octets& bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// A session with what it received and what it wants to send.
struct tls_end {
  explicit tls_end(expected<tls_session> made) : session(std::move(made.value())) {}

  void start() { note(session.start(wire)); }
  void receive(std::span<const std::byte> bytes) { note(session.receive(bytes, plain, wire)); }
  void send(std::string_view text) { note(session.send(octets_of(text), wire)); }
  octets take() { return std::exchange(wire, {}); }
  /// Text of the error, or "" without.
  std::string trouble() const { return failure ? failure->text : ""; }
  bool refused() const { return failure && failure->code == errc::refused; }

  tls_session session;
  octets plain;
  octets wire;
  std::optional<error> failure;

private:
  void note(const expected<void>& done) {
    if (!done && !failure)
      failure = done.error();
  }
};

/// Moves bytes both ways, `chunk` at a time, until both are silent.
inline void converse(tls_end& a, tls_end& b, std::size_t chunk = SIZE_MAX) {
  const auto move = [chunk](tls_end& from, tls_end& to) {
    const octets bytes = from.take();
    for (std::size_t at = 0; at < bytes.size(); at += std::min(chunk, bytes.size() - at))
      to.receive(std::span(bytes).subspan(at, std::min(chunk, bytes.size() - at)));
    return !bytes.empty();
  };
  bool moved = true;
  while (moved) {
    const bool there = move(a, b);
    moved = move(b, a) || there;
  }
}

/// The same with a stranger at the other end.
inline void converse(tls_end& ours, stranger& other) {
  octets bytes = other.answer(ours.take());
  while (!bytes.empty() || !ours.wire.empty()) {
    if (!bytes.empty())
      ours.receive(bytes);
    bytes = other.answer(ours.take());
  }
}

/// An authority and two nodes of its cluster that talk to each other.
struct two_nodes {
  explicit two_nodes(const tls_limits& limits = {})
      : client(a->connect({}, limits)), server(b->accept(limits)) {}

  void shake_hands(std::size_t chunk = SIZE_MAX) {
    client.start();
    converse(client, server, chunk);
    REQUIRE(client.trouble() == "");
    REQUIRE(server.trouble() == "");
    REQUIRE(client.session.is_open());
    REQUIRE(server.session.is_open());
  }

  authority ca;
  node_place place_a{ca, "a"};
  node_place place_b{ca, "b"};
  std::unique_ptr<tls_context> a = place_a.must_open();
  std::unique_ptr<tls_context> b = place_b.must_open();
  tls_end client;
  tls_end server;
};

} // namespace edupulse::test
