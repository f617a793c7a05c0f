// Attacks on a running node with TLS.

#include "tests/support/attacked.hpp"
#include "tests/support/certificates.hpp"
#include "tests/support/raw_peer.hpp"
#include <ctime>
#include <filesystem>
#include <functional>
#include <memory>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <vector>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

std::int64_t wall() { return static_cast<std::int64_t>(std::time(nullptr)); }

certificate_form valid_now(certificate_form form) {
  form.not_before = wall() - one_day;
  form.not_after = wall() + 30 * one_day;
  return form;
}

/// An authority, the places of two nodes, and the nodes.
struct secure_pair {
  secure_pair() : place_a(ca, own_a), place_b(ca, own_b) {
    revoke({});
    both.emplace(options("a", place_a), options("b", place_b));
  }
  static node_options options(const std::string& name, const node_place& place) {
    auto how = attacked_options(name);
    how.cluster.tls = place.file("node.crt").parent_path();
    return how;
  }
  void revoke(const std::vector<const X509*>& which) {
    const auto list = ca.revoke(which, wall() - one_day, wall() + 30 * one_day);
    place_a.put("ca.crl", list);
    place_b.put("ca.crl", list);
  }
  certified issue(const std::string& name) const { return ca.issue(valid_now(node_form(name))); }

  authority ca{"test authority", valid_now({})};
  certified own_a = issue("a");
  certified own_b = issue("b");
  node_place place_a;
  node_place place_b;
  std::optional<attacked> both;
};

/// Shakes hands as far as it goes, and waits for the end.
void knock(const std::string& address, stranger& who) {
  raw_peer wire(address);
  std::vector<std::byte> in;
  wire.send(who.answer({}));
  while (wire.read_some(in))
    wire.send(who.answer(std::exchange(in, {})));
}

/// A member's connection, made by hand with its own certificate.
class certified_peer {
public:
  certified_peer(const std::string& address, const certified& own) : wire_(address), tls_(false) {
    tls_.show(own);
    std::vector<std::byte> in;
    wire_.send(tls_.answer({}));
    while (!tls_.is_open()) {
      REQUIRE(wire_.read_some(in));
      wire_.send(tls_.answer(std::exchange(in, {})));
    }
  }
  void say(const hello_message& what) {
    frame_bytes bytes;
    append_frame(bytes, what);
    REQUIRE(SSL_write(tls_.ssl(), bytes.data(), static_cast<int>(bytes.size())) > 0);
    wire_.send(tls_.answer({}));
  }
  void wait_for_the_end() { wire_.read_to_end(); }

private:
  raw_peer wire_;
  stranger tls_;
};

} // namespace

TEST_CASE("G65, G81: without TLS 1.3 and a good certificate nobody comes as far as a hello") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto address = nodes.a.address();
  for (const auto* text : {"GET / HTTP/1.1\r\n\r\n", "\xff\xff\xff\xff\1\1\1\1", "hello there"}) {
    raw_peer who(address);
    who.send(std::string_view(text));
    who.read_to_end();
  }
  raw_peer plain(address);
  plain.say(one_switchboard::hello_of(peer(9), 5, false));
  plain.read_to_end();

  const authority other("another authority", valid_now({}));
  const auto revoked = at.issue("r");
  at.revoke({revoked.certificate.get()});
  REQUIRE(nodes.a.reload_certificates());
  auto expired = node_form("x");
  expired.not_before = wall() - 20 * one_day;
  expired.not_after = wall() - one_day;
  auto early = valid_now(node_form("x"));
  early.not_before = wall() + one_day;
  auto server_only = valid_now(node_form("x"));
  server_only.usage = "serverAuth";
  auto nameless = valid_now(node_form("x"));
  nameless.names.clear();
  std::vector<certified> all;
  all.push_back(other.issue(valid_now(node_form("x"))));
  for (const auto& form :
       {expired, early, server_only, nameless, valid_now(node_form("x", "college"))})
    all.push_back(at.ca.issue(form));
  const auto try_with = [&](const certified& bad) {
    stranger who(false);
    who.show(bad);
    knock(address, who);
  };
  try_with(revoked);
  for (const auto& bad : all)
    try_with(bad);
  stranger anonymous(false); // a client without a certificate
  knock(address, anonymous);
  stranger old(false, [](SSL_CTX* how) { SSL_CTX_set_max_proto_version(how, TLS1_2_VERSION); });
  old.show(at.issue("x"));
  knock(address, old);
  CHECK_FALSE(old.is_open());
  CHECK(nodes.a.members().size() == 2);
  nodes.serves();
}

TEST_CASE(
    "G65: certificates that are odd, huge, or at the end of a long line open nothing, and the "
    "log says what is wrong with each") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto try_with = [&](const certified& bad, std::string_view why,
                            const std::vector<const certified*>& above = {}) {
    const auto failed = nodes.count("connections.tls_failed");
    nodes.until_said(why, [&] {
      stranger who(false);
      who.show(bad);
      for (const auto* one : above)
        SSL_add1_chain_cert(who.ssl(), one->certificate.get());
      knock(nodes.a.address(), who);
    });
    CHECK(nodes.count("connections.tls_failed") > failed);
    nodes.serves();
  };
  const auto changed = [&](auto change) {
    auto form = valid_now(node_form("x"));
    change(form);
    return at.ca.issue(form);
  };
  try_with(authority("x", valid_now(node_form("x"))).self(), "signed by itself");
  try_with(changed([](auto& form) { form.authority = true; }), "authority");
  try_with(changed([](auto& form) { form.usage = "emailProtection"; }), "extended key usage");
  try_with(changed([](auto& form) { form.names_twice = true; }), "TLS: ");
  try_with(changed([](auto& form) { form.names = {{GEN_DNS, "x"}}; }), "no URI");
  try_with(changed([](auto& form) {
             form.names.clear();
             form.names_empty = true;
           }),
           "no URI");
  try_with(changed([](auto& form) { form.names.emplace_back(GEN_URI, "edupulse://school/b"); }),
           "more than one URI");
  try_with(changed([](auto& form) { form.padding = 16u << 10; }), "too large");
  try_with(changed([](auto& form) { form.padding = 1u << 20; }), "too large");

  std::vector<authority> line;
  line.push_back(at.ca.below("first"));
  while (line.size() < 100)
    line.push_back(line.back().below("another"));
  std::vector<const certified*> above;
  for (auto one = line.rbegin(); one != line.rend(); ++one)
    above.push_back(&one->self());
  try_with(line.back().issue(valid_now(node_form("x"))), "too large", above);
  above.erase(above.begin(), above.end() - 10); // small enough to be looked at
  try_with(line[9].issue(valid_now(node_form("x"))), "TLS: ", above);
  CHECK(nodes.a.members().size() == 2);
}

TEST_CASE("G65: older versions of TLS, ciphers without keys or without names, and what nobody "
          "should use any more are not spoken") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto own = at.issue("x");
  const auto try_as = [&](std::string_view why, const std::function<void(SSL_CTX*)>& prepare) {
    nodes.until_said(why, [&] {
      stranger who(false, [&](SSL_CTX* how) {
        SSL_CTX_set_security_level(how, 0);
        prepare(how);
      });
      who.show(own);
      knock(nodes.a.address(), who);
      CHECK_FALSE(who.is_open());
    });
    nodes.serves();
  };
  const char* old = "does not speak TLS 1.3";
  for (const int version : {TLS1_VERSION, TLS1_1_VERSION, TLS1_2_VERSION})
    try_as(old, [&](SSL_CTX* how) {
      SSL_CTX_set_min_proto_version(how, version);
      SSL_CTX_set_max_proto_version(how, version);
    });
  for (const char* ciphers : {"aNULL", "eNULL", "aNULL:eNULL:MD5:SHA1"})
    try_as(old, [&](SSL_CTX* how) {
      SSL_CTX_set_max_proto_version(how, TLS1_2_VERSION);
      REQUIRE(SSL_CTX_set_cipher_list(how, ciphers) == 1);
    });
  try_as("TLS: ", [](SSL_CTX* how) {
    REQUIRE(SSL_CTX_set_ciphersuites(how, "TLS_AES_128_CCM_8_SHA256") == 1);
  });
  try_as("TLS: ", [](SSL_CTX* how) { REQUIRE(SSL_CTX_set1_groups_list(how, "X448") == 1); });
  CHECK(nodes.a.members().size() == 2);
}

TEST_CASE(
    "G61, G65: a TLS connection that says nothing is cut off, before its handshake or after") {
  secure_pair at;
  raw_peer before(at.both->a.address());
  raw_peer amid(at.both->a.address());
  stranger half(false);
  amid.send(half.answer({}));
  certified_peer after(at.both->a.address(), at.issue("m"));
  before.read_to_end();
  amid.read_to_end();
  after.wait_for_the_end();
  at.both->serves();
}

TEST_CASE("G63: a member with a good certificate cannot take another one's name, nor its id, nor "
          "this node's own") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto b = nodes.seen("b").value();
  const auto a = nodes.seen("a").value();
  const auto own = at.issue("m");
  const auto lie = [&](const member& of, const std::string& name, std::uint64_t epoch) {
    certified_peer who(nodes.a.address(), own);
    who.say(
        one_switchboard::hello_of({of.id, epoch, 4711, name, "school", "127.0.0.1:1"}, 5, false));
    who.wait_for_the_end();
    nodes.serves();
  };
  lie(b, "b", b.epoch + 1);
  lie(b, "m", b.epoch + 1);
  lie(a, "m", a.epoch + 1);
  CHECK(nodes.seen("b")->connected);
  CHECK_FALSE(nodes.seen("m"));
}

TEST_CASE("G68: a member whose certificate is revoked is thrown out when the list is read") {
  secure_pair at;
  auto& nodes = *at.both;
  at.revoke({at.own_b.certificate.get()});
  REQUIRE(nodes.a.reload_certificates());
  CHECK_FALSE(nodes.seen("b")->connected);
  node_place place_c(at.ca, at.issue("c"));
  place_c.put("ca.crl",
              at.ca.revoke({at.own_b.certificate.get()}, wall() - one_day, wall() + one_day));
  auto c = attacked::start_at(nodes.a, secure_pair::options("c", place_c));
  eventually([&] { return nodes.seen("c") && nodes.seen("c")->connected; });
  CHECK_FALSE(nodes.seen("b")->connected);
}

TEST_CASE("G68: files that are missing, no files, or a key that needs a word change nothing, and "
          "good ones are used again") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto key = at.place_a.file("node.key");
  const auto still_serves = [&](std::string_view why) {
    const auto done = nodes.a.reload_certificates();
    REQUIRE_FALSE(done);
    INFO(done.error().text);
    CHECK(done.error().text.find(why) != std::string::npos);
    CHECK(nodes.seen("b")->connected);
    nodes.serves();
  };
  for (const auto* name : {"ca.crt", "node.crt", "node.key", "ca.crl"}) {
    const auto aside = at.place_a.file("aside");
    std::filesystem::rename(at.place_a.file(name), aside);
    still_serves(name);
    std::filesystem::create_directory(at.place_a.file(name));
    still_serves("not an ordinary file");
    std::filesystem::remove(at.place_a.file(name));
    std::filesystem::rename(aside, at.place_a.file(name));
  }
  const auto before = at.own_a.key_pem();
  const std::unique_ptr<BIO, decltype(&BIO_free)> locked(BIO_new(BIO_s_mem()), &BIO_free);
  REQUIRE(PEM_write_bio_PKCS8PrivateKey(locked.get(), at.own_a.key.get(), EVP_aes_256_cbc(), "word",
                                        4, nullptr, nullptr) == 1);
  char* text = nullptr;
  const auto size = BIO_get_mem_data(locked.get(), &text);
  at.place_a.put("node.key", std::string(text, static_cast<std::size_t>(size)));
  still_serves("node.key");
  at.place_a.put("node.key", before);
  CHECK(nodes.a.reload_certificates());
  nodes.serves();
}

TEST_CASE("G68: without being asked, a node says that half of a new pair cannot be used, goes on "
          "with the old one, and reads the pair and the list of revoked ones when they are there") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto next = at.issue("a");
  nodes.said.forget();
  at.place_a.put("node.crt", next.certificate_pem()); // its key comes later
  at.revoke({at.own_b.certificate.get()});
  eventually([&] { return nodes.said.has("replaced by some that cannot be used"); });
  CHECK(nodes.seen("b")->connected);
  nodes.serves();
  at.place_a.put("node.key", next.key_pem());
  eventually([&] { return !nodes.seen("b")->connected; }); // within ten seconds
  CHECK(nodes.a.reload_certificates());
  node_place place_c(at.ca, at.issue("c"));
  place_c.put("ca.crl",
              at.ca.revoke({at.own_b.certificate.get()}, wall() - one_day, wall() + one_day));
  auto c = attacked::start_at(nodes.a, secure_pair::options("c", place_c));
  eventually([&] { return nodes.seen("c") && nodes.seen("c")->connected; });
}

TEST_CASE("G68: certificates that cannot be used change nothing, and a key that others can read "
          "is not used at all") {
  secure_pair at;
  auto& nodes = *at.both;
  const auto good = at.own_a.certificate_pem();
  for (const auto& bad : {good.substr(0, good.size() / 2), std::string(),
                          at.issue("z").certificate_pem(), std::string("nonsense")}) {
    at.place_a.put("node.crt", bad);
    CHECK_FALSE(nodes.a.reload_certificates());
    nodes.serves();
  }
  at.place_a.put("node.crt", good);
  CHECK(nodes.a.reload_certificates());
  node_place open_key(at.ca, at.issue("c"));
  open_key.put("ca.crl", at.ca.revoke({}, wall() - one_day, wall() + one_day));
  auto how = secure_pair::options("c", open_key);
  std::filesystem::permissions(open_key.file("node.key"), std::filesystem::perms(0644));
  const auto refused = node::start(how);
  REQUIRE_FALSE(refused);
  CHECK(refused.error().text.find("node.key") != std::string::npos);
}
