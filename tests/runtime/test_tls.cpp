// Sessions between nodes of one cluster: handshakes, data, and how they end.

#include "tests/support/seed.hpp"
#include "tests/support/tls_ends.hpp"
#include <algorithm>

using namespace edupulse;
using namespace edupulse::test;

namespace {

std::string random_text(random_numbers& chance, std::size_t size) {
  std::string text(size, '\0');
  for (auto& c : text)
    c = static_cast<char>(chance.next());
  return text;
}

} // namespace

// -- handshake ----------------------------------------------------------------------

TEST_CASE("tls: two nodes of a cluster learn who the other is") {
  two_nodes nodes;
  CHECK(nodes.client.session.peer() == nullptr);
  nodes.shake_hands();
  const auto* seen_by_client = nodes.client.session.peer();
  const auto* seen_by_server = nodes.server.session.peer();
  REQUIRE(seen_by_client != nullptr);
  REQUIRE(seen_by_server != nullptr);
  CHECK(seen_by_client->who == tls_identity{"school", "b"});
  CHECK(seen_by_server->who == tls_identity{"school", "a"});
  CHECK(seen_by_client->not_after == today + 30 * one_day);
  CHECK(seen_by_client->fingerprint.size() == 64);
  CHECK(seen_by_client->fingerprint != seen_by_server->fingerprint);
  CHECK(nodes.client.session.cipher() == "TLS_AES_128_GCM_SHA256");
  CHECK(nodes.a->self() == tls_identity{"school", "a"});
}

TEST_CASE("tls: a handshake may arrive in pieces of any size") {
  for (const std::size_t chunk : {1, 2, 3, 5, 6, 7, 100, 1000}) {
    INFO(chunk);
    two_nodes nodes;
    nodes.shake_hands(chunk);
    nodes.client.send("a question");
    nodes.server.send("an answer");
    converse(nodes.client, nodes.server, chunk);
    CHECK(text_of(nodes.server.plain) == "a question");
    CHECK(text_of(nodes.client.plain) == "an answer");
  }
}

TEST_CASE("tls: data that comes with the last bytes of a handshake is not lost") {
  two_nodes nodes;
  nodes.client.start();
  nodes.server.receive(nodes.client.take());
  nodes.client.receive(nodes.server.take());
  REQUIRE(nodes.client.session.is_open());
  nodes.client.send(std::string(100'000, 'x'));
  nodes.server.receive(nodes.client.take());
  CHECK(nodes.server.trouble() == "");
  CHECK(nodes.server.plain.size() == 100'000);
}

TEST_CASE("tls: nothing is sent before the handshake is done") {
  two_nodes nodes;
  nodes.client.send("too early");
  CHECK(nodes.client.refused());
  CHECK(nodes.client.wire.empty());
}

TEST_CASE("tls: one's own name is known, and the one that was dialled") {
  two_nodes nodes;
  tls_end right(nodes.a->connect("b"));
  tls_end server(nodes.b->accept());
  right.start();
  converse(right, server);
  CHECK(right.session.is_open());

  tls_end wrong(nodes.a->connect("c"));
  tls_end other(nodes.b->accept());
  wrong.start();
  converse(wrong, other);
  CHECK(wrong.refused());
  CHECK(wrong.trouble().find("the node \"b\", where \"c\" was expected") != std::string::npos);
  CHECK_FALSE(other.session.is_open());
}

TEST_CASE("tls: no session can be taken up again") {
  two_nodes nodes;
  nodes.client.start();
  nodes.server.receive(nodes.client.take());
  nodes.client.receive(nodes.server.take());
  nodes.server.receive(nodes.client.take());
  CHECK(nodes.server.session.is_open());
  CHECK(nodes.server.wire.empty()); // a ticket would be here

  // A client that keeps sessions finds nothing to keep.
  const auto own = nodes.ca.issue("a");
  stranger keeper(false, [](SSL_CTX* context) {
    SSL_CTX_set_session_cache_mode(context, SSL_SESS_CACHE_CLIENT);
  });
  keeper.show(own);
  tls_end server(nodes.b->accept());
  converse(server, keeper);
  REQUIRE(server.session.is_open());
  CHECK(SSL_SESSION_is_resumable(SSL_get0_session(keeper.ssl())) == 0);
}

// -- data ---------------------------------------------------------------------------

TEST_CASE("tls: large data arrives as it was sent, both ways") {
  random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  two_nodes nodes;
  nodes.shake_hands();
  std::string there;
  std::string back;
  for (int round = 0; round < 20; ++round) {
    const std::string one = random_text(chance, chance.below(300'000U));
    const std::string other = random_text(chance, chance.below(300'000U));
    nodes.client.send(one);
    nodes.server.send(other);
    converse(nodes.client, nodes.server, 1 + chance.below(70'000U));
    there += one;
    back += other;
  }
  CHECK(nodes.client.trouble() == "");
  CHECK(nodes.server.trouble() == "");
  CHECK(text_of(nodes.server.plain) == there);
  CHECK(text_of(nodes.client.plain) == back);
}

TEST_CASE("tls: large data goes out in records of full size") {
  two_nodes nodes;
  nodes.shake_hands();
  nodes.client.send(std::string(256u << 10, 'x'));
  CHECK(nodes.client.wire.size() == (256u << 10) + 16 * 22);
  nodes.server.send(std::string(256u << 10, 'x'));
  CHECK(nodes.server.wire.size() == (256u << 10) + 16 * 22);
}

TEST_CASE("tls: buffers of chars serve as well as buffers of bytes") {
  two_nodes nodes;
  nodes.shake_hands();
  std::vector<char> wire{'x'};
  std::vector<char> plain{'y'};
  octets answer;
  REQUIRE(nodes.client.session.send(octets_of("hello"), wire));
  const octets sent = octets_of(std::string_view(wire.data() + 1, wire.size() - 1));
  REQUIRE(nodes.server.session.receive(sent, plain, answer));
  CHECK(std::string(plain.begin(), plain.end()) == "yhello");
}

TEST_CASE("tls: keys are renewed long before they wear out, and nobody notices") {
  two_nodes nodes({.records_per_key = 4});
  nodes.shake_hands();
  std::string all;
  for (int i = 0; i < 100; ++i) {
    const std::string text = "message " + std::to_string(i) + ";";
    nodes.client.send(text);
    converse(nodes.client, nodes.server);
    all += text;
  }
  CHECK(nodes.server.trouble() == "");
  CHECK(text_of(nodes.server.plain) == all);
}

TEST_CASE("tls: a peer that only asks for new keys is cut") {
  two_nodes nodes;
  const auto own = nodes.ca.issue("a");
  stranger peer(false);
  peer.show(own);
  tls_end server(nodes.b->accept());
  converse(server, peer);
  REQUIRE(server.session.is_open());
  int asked = 0;
  while (server.trouble().empty() && asked < 1000) {
    SSL_key_update(peer.ssl(), SSL_KEY_UPDATE_REQUESTED);
    SSL_do_handshake(peer.ssl());
    server.receive(peer.answer(server.take()));
    ++asked;
  }
  CHECK(asked < 100);
  CHECK(server.failure->code == errc::too_large);
}

// -- the end ------------------------------------------------------------------------

TEST_CASE("tls: a goodbye and a cut connection are told apart") {
  two_nodes nodes;
  nodes.shake_hands();
  nodes.client.send("the last words");
  nodes.client.session.close(nodes.client.wire);
  const octets bytes = nodes.client.take();

  SECTION("the goodbye arrives") {
    nodes.server.receive(bytes);
    CHECK(nodes.server.trouble() == "");
    CHECK(nodes.server.session.now() == tls_session::state::peer_closed);
    CHECK(nodes.server.session.end_of_stream());
  }
  SECTION("it does not, wherever the connection is cut") {
    const std::size_t at = GENERATE(as<std::size_t>(), 0, 1, 10, 36, 37, 50);
    nodes.server.receive(std::span(bytes).first(at));
    CHECK(nodes.server.trouble() == "");
    const auto end = nodes.server.session.end_of_stream();
    REQUIRE_FALSE(end);
    CHECK(end.error().code == errc::io);
  }
}

TEST_CASE(
    "tls: what comes after a goodbye is dropped; what is said before leaving still goes out") {
  two_nodes nodes;
  nodes.shake_hands();
  nodes.client.session.close(nodes.client.wire);
  nodes.server.receive(nodes.client.take());
  nodes.server.receive(octets_of("anything"));
  CHECK(nodes.server.trouble() == "");
  nodes.server.send("farewell");
  nodes.server.session.close(nodes.server.wire);
  nodes.client.receive(nodes.server.take());
  CHECK(text_of(nodes.client.plain) == "farewell");
  CHECK(nodes.client.session.end_of_stream());
}

TEST_CASE("tls: a changed byte ends the session, and it stays ended") {
  two_nodes nodes;
  nodes.shake_hands();
  nodes.client.send("pay 10");
  octets bytes = nodes.client.take();
  bytes[8] ^= std::byte{1};
  nodes.server.receive(bytes);
  REQUIRE(nodes.server.failure);
  CHECK(nodes.server.failure->code == errc::malformed);
  CHECK(nodes.server.plain.empty());
  nodes.client.send("pay 20");
  octets plain;
  octets wire;
  CHECK_FALSE(nodes.server.session.receive(nodes.client.take(), plain, wire));
  CHECK_FALSE(nodes.server.session.send(octets_of("x"), wire));
  CHECK(plain.empty());
  CHECK(wire.empty());
}

TEST_CASE("tls: sessions outlive their context and may be moved") {
  two_nodes nodes;
  nodes.shake_hands();
  nodes.a.reset();
  nodes.b.reset();
  tls_session moved = std::move(nodes.client.session);
  octets wire;
  REQUIRE(moved.send(octets_of("still here"), wire));
  nodes.server.receive(wire);
  CHECK(text_of(nodes.server.plain) == "still here");
}
