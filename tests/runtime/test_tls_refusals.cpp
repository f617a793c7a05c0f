// Everybody who is not let in, and everything that is no handshake.

#include "tests/support/seed.hpp"
#include "tests/support/tls_ends.hpp"
#include <cstdlib>
#include <malloc.h>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

/// A node of ours, and strangers who show it certificates.
struct gate {
  authority ca;
  node_place place{ca, "a"};
  std::unique_ptr<tls_context> context = place.must_open();

  /// Why a stranger with this certificate is not let in, as client and as server; "" if it is.
  std::string refusal(const certified& shown, const std::vector<const certified*>& above = {}) {
    const std::string as_client = refusal(shown, above, false);
    const std::string as_server = refusal(shown, above, true);
    CHECK(as_client == as_server);
    return as_client;
  }
  std::string refusal(const certificate_form& form) { return refusal(ca.issue(form)); }

  std::string refusal(const certified& shown, const std::vector<const certified*>& above,
                      bool accepts) {
    stranger other(accepts);
    other.show(shown);
    for (const auto* one : above)
      SSL_add1_chain_cert(other.ssl(), one->certificate.get());
    tls_end ours(accepts ? context->connect() : context->accept());
    ours.start();
    converse(ours, other);
    CHECK(ours.session.is_open() == ours.trouble().empty());
    CHECK((ours.session.is_open() || ours.session.peer() == nullptr));
    if (ours.failure)
      CHECK(ours.failure->code == errc::refused);
    return ours.trouble();
  }

  /// What becomes of a connection that says this and nothing else.
  tls_end hear(std::span<const std::byte> bytes) {
    tls_end ours(context->accept());
    ours.receive(bytes);
    CHECK_FALSE(ours.session.is_open());
    return ours;
  }
};

certificate_form with_names(std::vector<std::pair<int, std::string>> names) {
  certificate_form form;
  form.names = std::move(names);
  return form;
}

octets hello_of(const tls_context& context) {
  tls_end client(context.connect());
  client.start();
  return client.take();
}

} // namespace

// -- who ----------------------------------------------------------------------------

TEST_CASE("tls: a node with a certificate of the cluster is let in") {
  gate ours;
  CHECK(ours.refusal(node_form("b")) == "");
  CHECK(ours.refusal(node_form(std::string(255, 'n'))) == "");
  auto with_dns = node_form("b");
  with_dns.names.emplace_back(GEN_DNS, "b.example.org");
  CHECK(ours.refusal(with_dns) == "");
}

TEST_CASE("tls: a certificate of another authority is refused") {
  gate ours;
  CHECK_THAT(ours.refusal(authority("other").issue("b")), Contains("not in the CA file"));
  // Not by its name does one know an authority.
  CHECK_THAT(ours.refusal(authority().issue("b")), Contains("not in the CA file"));
}

TEST_CASE("tls: a self-signed certificate is refused") {
  gate ours;
  auto form = node_form("b");
  const authority alone("b", form); // it is an authority's, too
  CHECK_THAT(ours.refusal(alone.self()), Contains("signed by itself"));
}

TEST_CASE("tls: each end refuses the other's authority in its own words") {
  two_nodes nodes;
  authority other("other");
  node_place elsewhere(other, "b");
  const auto foreign = elsewhere.must_open();
  tls_end client(nodes.a->connect());
  tls_end server(foreign->accept());
  client.start();
  converse(client, server);
  CHECK_THAT(client.trouble(), Contains("not in the CA file"));
  CHECK_THAT(server.trouble(), Contains("compare the CA files")); // what the alert says
}

TEST_CASE("tls: a node of another cluster is refused, though the authority is the same") {
  gate ours;
  CHECK_THAT(ours.refusal(node_form("b", "college")),
             Contains("\"college\"") && Contains("\"school\""));
}

TEST_CASE("tls: a client without a certificate is refused") {
  gate ours;
  stranger client(false);
  tls_end server(ours.context->accept());
  converse(server, client);
  CHECK_THAT(server.trouble(), Contains("showed no certificate"));
  CHECK(server.refused());
}

TEST_CASE("tls: an expired certificate and one of tomorrow are refused, with their dates") {
  gate ours;
  auto form = node_form("b");
  form.not_after = today - 1;
  CHECK_THAT(ours.refusal(form), Contains("expired on 2026-11-23 23:59:59 UTC"));
  form = node_form("b");
  form.not_before = today + one_day;
  CHECK_THAT(ours.refusal(form),
             Contains("not valid before 2026-11-25 00:00:00 UTC") && Contains("clocks"));
}

TEST_CASE("tls: a revoked certificate is refused, and the others are not") {
  gate ours;
  const auto bad = ours.ca.issue("b");
  const auto good = ours.ca.issue("b");
  ours.place.put("ca.crl", ours.ca.revoke({bad.certificate.get()}));
  REQUIRE(ours.context->reload());
  CHECK_THAT(ours.refusal(bad), Contains("revoked"));
  CHECK(ours.refusal(good) == "");
}

TEST_CASE("tls: without a list of what is revoked that is in force, nobody is let in") {
  gate ours;
  auto form = node_form("b");
  form.not_after = today + 365 * one_day;
  CHECK(ours.refusal(form) == "");
  std::int64_t now = today;
  auto late = tls_context::open(tls_files::in(ours.place.file("."), "school"), [&] { return now; });
  REQUIRE(late);
  ours.context = std::move(*late);
  ours.place.put("ca.crl", ours.ca.revoke({}, today - one_day, today + 2 * one_day));
  REQUIRE(ours.context->reload());
  now = today + 3 * one_day;
  CHECK_THAT(ours.refusal(form), Contains("the CRL expired on 2026-11-26 00:00:00 UTC"));
}

TEST_CASE("tls: a certificate has exactly one URI, of our form") {
  gate ours;
  const auto uri = [&](std::string_view text) {
    return ours.refusal(with_names({{GEN_URI, std::string(text)}}));
  };
  CHECK_THAT(ours.refusal(with_names({})), Contains("no subject alternative name"));
  certificate_form empty;
  empty.names_empty = true;
  CHECK_THAT(ours.refusal(empty), Contains("no URI"));
  CHECK_THAT(ours.refusal(with_names({{GEN_DNS, "b"}})), Contains("no URI"));
  CHECK_THAT(ours.refusal(
                 with_names({{GEN_URI, "edupulse://school/b"}, {GEN_URI, "edupulse://school/c"}})),
             Contains("more than one URI"));
  CHECK_THAT(ours.refusal(with_names({{GEN_URI, "edupulse://school/b"}, {GEN_URI, "http://b/"}})),
             Contains("more than one URI"));
  for (const std::string_view wrong :
       {"", "edupulse://", "edupulse://school", "edupulse://school/", "edupulse:///b",
        "edupulse://school/b/", "edupulse://school/b/c", "EDUPULSE://school/b", "spiffe://school/b",
        "https://school/b", " edupulse://school/b", "edupulse://school/b ", "edupulse://school/b?x",
        "edupulse://school/b%41", "edupulse://sch\xc3\xb6l/b", "edupulse://school:1/b",
        "edupulse://school/b\n"}) {
    INFO(wrong);
    CHECK_THAT(uri(wrong), Contains("is not edupulse://CLUSTER/NAME"));
  }
  CHECK_THAT(uri("edupulse://school/" + std::string(256, 'n')), Contains("1 to 255"));
  CHECK_THAT(uri(std::string_view("edupulse://school/b\0.evil", 24)), Contains("\\x00"));
  CHECK_THAT(uri(std::string_view("edupulse://school\0/b", 20)), Contains("\\x00"));
}

TEST_CASE("tls: the extension with the names may not be there twice") {
  gate ours;
  auto form = node_form("b");
  form.names_twice = true;
  CHECK(ours.refusal(form) != "");
}

TEST_CASE("tls: an authority is no node") {
  gate ours;
  auto form = node_form("b");
  form.authority = true;
  CHECK_THAT(ours.refusal(form), Contains("authority"));
}

TEST_CASE("tls: a certificate for something else is refused") {
  gate ours;
  auto form = node_form("b");
  form.usage = "emailProtection";
  CHECK_THAT(ours.refusal(form), Contains("extended key usage"));
  form.usage = "serverAuth";
  CHECK_THAT(ours.refusal(ours.ca.issue(form), {}, false), Contains("extended key usage"));
  CHECK(ours.refusal(ours.ca.issue(form), {}, true) == "");
}

TEST_CASE("tls: who was let in by a node may not let in others") {
  gate ours;
  const auto member = ours.ca.issue("b");
  const certified guest = [&] {
    // What the key of a node can sign, as if it were an authority's.
    certified made = authority("x").issue("c");
    X509_set_issuer_name(made.certificate.get(), X509_get_subject_name(member.certificate.get()));
    X509_sign(made.certificate.get(), member.key.get(), EVP_sha256());
    return made;
  }();
  CHECK(ours.refusal(guest, {&member}) != "");
}

TEST_CASE("tls: an authority between is followed, a long line of them is not") {
  gate ours;
  std::vector<authority> line;
  line.push_back(ours.ca.below("first"));
  // Every authority needs its list of what is revoked.
  ours.place.put("ca.crl", ours.ca.revoke({}) + line[0].revoke({}));
  REQUIRE(ours.context->reload());
  CHECK(ours.refusal(line[0].issue("b"), {&line[0].self()}) == "");
  for (int i = 0; i < 20; ++i)
    line.push_back(line.back().below("another " + std::to_string(i)));
  std::vector<const certified*> above;
  for (auto at = line.rbegin(); at != line.rend(); ++at)
    above.push_back(&at->self());
  CHECK(ours.refusal(line.back().issue("b"), above) != "");
}

TEST_CASE("tls: an authority without a list of what it revoked is not trusted") {
  gate ours;
  const authority between = ours.ca.below("between");
  CHECK_THAT(ours.refusal(between.issue("b"), {&between.self()}), Contains("no list"));
}

TEST_CASE("tls: a huge certificate is refused before it is looked at") {
  gate ours;
  auto form = node_form("b");
  for (const std::size_t size : {std::size_t{16} << 10, std::size_t{60} << 10}) {
    form.padding = size;
    for (const bool accepts : {false, true}) {
      stranger other(accepts);
      other.show(ours.ca.issue(form));
      tls_end end(accepts ? ours.context->connect() : ours.context->accept());
      end.start();
      converse(end, other);
      REQUIRE(end.failure);
      CHECK(end.failure->code == errc::too_large);
    }
  }
}

// -- what ---------------------------------------------------------------------------

TEST_CASE("tls: only TLS 1.3 is spoken, as client and as server") {
  gate ours;
  const auto own = ours.ca.issue("b");
  for (const bool accepts : {false, true}) {
    stranger old(accepts,
                 [](SSL_CTX* context) { SSL_CTX_set_max_proto_version(context, TLS1_2_VERSION); });
    old.show(own);
    tls_end end(accepts ? ours.context->connect() : ours.context->accept());
    end.start();
    converse(end, old);
    CHECK_THAT(end.trouble(), Contains("TLS 1.3"));
    CHECK(end.failure->code == errc::malformed);
  }
}

TEST_CASE("tls: what other programs say to the port is refused at once, and said plainly") {
  gate ours;
  const auto http = ours.hear(octets_of("GET / HTTP/1.1\r\nHost: node\r\n\r\n"));
  CHECK_THAT(http.trouble(), Contains("speaks HTTP"));
  for (const std::string_view text :
       {"EHLO example.org\r\n", "SSH-2.0-OpenSSH_9.2p1\r\n", "stats\r\nstats\r\n", "CONNECT x:1 H",
        "POST / HTTP/1.1\r\n\r\n"}) {
    INFO(text);
    const auto end = ours.hear(octets_of(text));
    REQUIRE(end.failure);
    CHECK(end.failure->code == errc::malformed);
  }
  octets zeros(64);
  CHECK(ours.hear(zeros).failure);
}

TEST_CASE("tls: a record that is too large is refused from its header on") {
  gate ours;
  for (const char kind : {'\x16', '\x17', '\x14', '\x15'})
    for (const std::string_view length : {"\xff\xff", "\x48\x01", "\x7f\xff"}) {
      std::string header{kind, '\x03', '\x03'};
      header += length;
      const auto end = ours.hear(octets_of(header));
      CHECK(end.failure);
      CHECK(end.plain.empty());
    }
}

TEST_CASE("tls: nobody sends much before we know who it is") {
  gate ours;
  SECTION("a hello that never ends") {
    tls_end server(ours.context->accept());
    // One handshake message that says it has 16 MiB, in records of 1 KiB.
    octets first = octets_of(std::string_view("\x16\x03\x01\x04\x00\x01\xff\xff\xff", 9));
    first.resize(5 + 1024);
    octets next = octets_of(std::string_view("\x16\x03\x01\x04\x00", 5));
    next.resize(5 + 1024);
    server.receive(first);
    std::size_t sent = first.size();
    while (!server.failure && sent < (1u << 20)) {
      server.receive(next);
      sent += next.size();
    }
    CHECK(sent <= (34u << 10));
    CHECK(server.failure->code == errc::too_large);
  }
  SECTION("bytes by the megabyte") {
    octets flood = hello_of(*ours.context);
    flood.resize(4u << 20, std::byte{0x14});
    const auto end = ours.hear(flood);
    CHECK(end.failure);
  }
  SECTION("a limit that is too small for an honest peer") {
    two_nodes nodes({.handshake_bytes = 600});
    nodes.client.start();
    converse(nodes.client, nodes.server);
    CHECK_THAT(nodes.client.trouble() + nodes.server.trouble(), Contains("600 bytes"));
  }
}

TEST_CASE("tls: a handshake that is cut anywhere opens nothing, and waits") {
  gate ours;
  two_nodes nodes;
  nodes.client.start();
  const octets hello = nodes.client.take();
  for (std::size_t at = 0; at < hello.size(); at += 1 + at / 16) {
    tls_end server(nodes.b->accept());
    server.receive(std::span(hello).first(at));
    CHECK(server.trouble() == "");
    CHECK(server.session.now() == tls_session::state::handshaking);
    CHECK_FALSE(server.session.end_of_stream());
  }
  nodes.server.receive(hello);
  const octets answer = nodes.server.take();
  for (std::size_t at = 0; at < answer.size(); at += 1 + at / 8) {
    tls_end client(nodes.a->connect());
    client.start();
    client.receive(std::span(answer).first(at)); // an answer to somebody else's hello
    CHECK_FALSE(client.session.is_open());
  }
}

TEST_CASE("tls: data instead of a handshake is not delivered") {
  gate ours;
  two_nodes nodes;
  nodes.shake_hands();
  nodes.client.send("recorded in another session");
  const auto end = ours.hear(nodes.client.take());
  CHECK(end.failure);
  CHECK(end.plain.empty());
}

TEST_CASE("tls: a handshake that was recorded opens nothing when it is played again") {
  two_nodes nodes;
  octets said;
  nodes.client.start();
  while (!nodes.client.wire.empty() || !nodes.server.wire.empty()) {
    const octets bytes = nodes.client.take();
    said.insert(said.end(), bytes.begin(), bytes.end());
    nodes.server.receive(bytes);
    nodes.client.receive(nodes.server.take());
  }
  REQUIRE(nodes.server.session.is_open());
  tls_end again(nodes.b->accept());
  again.receive(said);
  CHECK_FALSE(again.session.is_open());
  CHECK(again.failure);
}

TEST_CASE("tls: what is said before anybody is known is an alert of seven bytes, or a handshake") {
  gate ours;
  const auto http = ours.hear(octets_of("GET / HTTP/1.1\r\n\r\n"));
  CHECK(http.wire.size() <= 7);
  octets garbage = octets_of(std::string(200, 'g'));
  CHECK(ours.hear(garbage).wire.size() <= 7);
}

TEST_CASE("tls: a connection costs little before its peer is known, and when it is idle") {
  two_nodes nodes;
  nodes.client.start();
  const octets hello = nodes.client.take();
  const auto in_use = [] { return mallinfo2().uordblks; };
  constexpr std::size_t count = 200;
  std::vector<tls_end> ends;
  ends.reserve(2 * count);
  const auto before = in_use();
  SECTION("its hello stops in the middle") {
    for (std::size_t i = 0; i < count; ++i) {
      ends.emplace_back(nodes.b->accept());
      ends.back().receive(std::span(hello).first(hello.size() / 2));
    }
    CHECK((in_use() - before) / count < (64u << 10));
  }
  SECTION("a certificate was asked for, and does not come") {
    for (std::size_t i = 0; i < count; ++i) {
      ends.emplace_back(nodes.b->accept());
      ends.back().receive(hello);
      ends.back().take();
    }
    CHECK((in_use() - before) / count < (64u << 10));
  }
  SECTION("it is open and idle: both ends together") {
    for (std::size_t i = 0; i < count; ++i) {
      tls_end client(nodes.a->connect());
      tls_end server(nodes.b->accept());
      client.start();
      converse(client, server);
      client.send(std::string(100'000, 'x'));
      converse(client, server);
      octets().swap(server.plain);
      octets().swap(client.wire);
      octets().swap(server.wire);
      ends.push_back(std::move(client));
      ends.push_back(std::move(server));
    }
    CHECK((in_use() - before) / count < (64u << 10));
  }
}

// -- chance -------------------------------------------------------------------------

namespace {

/// One bit, one byte, a piece lost, a piece more, a piece twice.
void damage(octets& bytes, random_numbers& chance) {
  const std::size_t at = chance.below(bytes.size());
  const auto place = bytes.begin() + static_cast<std::ptrdiff_t>(at);
  switch (chance.below(5)) {
  case 0:
    bytes[at] ^= static_cast<std::byte>(1U << chance.below(8U));
    break;
  case 1:
    bytes[at] = static_cast<std::byte>(chance.next());
    break;
  case 2:
    bytes.erase(place, place + static_cast<std::ptrdiff_t>(
                                   chance.below(std::min<std::size_t>(bytes.size() - at, 20))));
    break;
  case 3:
    bytes.insert(place, 1 + chance.below(20U), static_cast<std::byte>(chance.next()));
    break;
  default: {
    const octets piece(place, bytes.end());
    bytes.insert(bytes.begin() + static_cast<std::ptrdiff_t>(chance.below(bytes.size())),
                 piece.begin(), piece.end());
  }
  }
}

bool soaking() { return std::getenv("EDUPULSE_SOAK") != nullptr; }

} // namespace

TEST_CASE("tls: changed, doubled, lost and strange bytes open nothing and break nothing") {
  random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  two_nodes nodes;
  int both_open = 0;
  for (int round = 0; round < (soaking() ? 20'000 : 1000); ++round) {
    tls_end client(nodes.a->connect());
    tls_end server(nodes.b->accept());
    client.start();
    const auto victim = chance.below(4U); // which of the flights is damaged; the last: none
    unsigned flight = 0;
    for (int turn = 0; turn < 6; ++turn) {
      tls_end& from = turn % 2 == 0 ? client : server;
      tls_end& to = turn % 2 == 0 ? server : client;
      octets bytes = from.take();
      if (bytes.empty())
        continue;
      if (flight++ == victim && victim < 3)
        damage(bytes, chance);
      to.receive(bytes);
    }
    if (client.session.is_open() && server.session.is_open())
      ++both_open;
    CHECK(client.plain.empty());
    CHECK(server.plain.empty());
  }
  CHECK(both_open > 100); // those that were left alone
  CHECK(both_open < (soaking() ? 12'000 : 600));
}

TEST_CASE("tls: of data that was damaged, nothing arrives but what came before the damage") {
  random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  int noticed = 0;
  const int rounds = soaking() ? 3000 : 150;
  two_nodes nodes;
  for (int round = 0; round < rounds; ++round) {
    tls_end client(nodes.a->connect());
    tls_end server(nodes.b->accept());
    client.start();
    converse(client, server);
    REQUIRE(server.session.is_open());
    std::string sent;
    for (auto count = 1 + chance.below(6U); count > 0; --count) {
      const std::string text(chance.below(3000U), static_cast<char>(chance.next()));
      client.send(text);
      sent += text;
    }
    octets bytes = client.take();
    if (bytes.empty())
      continue;
    const octets whole = bytes;
    damage(bytes, chance);
    converse(client, server); // nothing: there is no other way in
    server.receive(bytes);
    CHECK(sent.starts_with(text_of(server.plain)));
    // Without an error what is missing is still awaited: the connection then ends without goodbye.
    noticed += server.failure || server.plain.size() < sent.size() || bytes == whole;
    CHECK_FALSE(server.session.end_of_stream());
  }
  // A record that follows twice is noticed; so is everything else, but for what damages nothing.
  CHECK(noticed > rounds * 9 / 10);
}
