// The files of a node: what is wrong with them, and what happens when they are replaced.

#include "tests/support/tls_ends.hpp"
#include <atomic>
#include <fstream>
#include <openssl/pem.h>
#include <sys/stat.h>
#include <thread>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

struct place {
  authority ca;
  certified own = ca.issue("a");
  node_place files{ca, own};

  error trouble(std::int64_t now = today) const {
    auto opened = files.open(now);
    REQUIRE_FALSE(opened);
    return opened.error();
  }
  std::string text(std::int64_t now = today) const { return trouble(now).text; }
  std::string path(const std::string& name) const { return files.file(name).string(); }
};

std::string half(const std::string& text) { return text.substr(0, text.size() / 2); }

} // namespace

// -- opening ------------------------------------------------------------------------

TEST_CASE("tls files: good ones open, and say when they end") {
  place here;
  const auto opened = here.files.must_open();
  CHECK(opened->self() == tls_identity{"school", "a"});
  CHECK(opened->not_after() == today + 30 * one_day);
  CHECK_FALSE(opened->changed());
  here.files.put("ca.crl", here.ca.revoke({}, today - one_day, today + 7 * one_day));
  CHECK(here.files.must_open()->not_after() == today + 7 * one_day);
}

TEST_CASE("tls files: a list of what is revoked is not needed") {
  place here;
  std::filesystem::remove(here.files.file("ca.crl"));
  auto files = tls_files::in(here.files.file(""), "school");
  CHECK_THAT(here.text(), Contains("CRL " + here.path("ca.crl")));
  files.crl.clear();
  CHECK(tls_context::open(files, [] { return today; }));
}

TEST_CASE("tls files: a missing file is named, and what to do") {
  place here;
  for (const std::string name : {"ca.crt", "node.crt", "node.key", "ca.crl"}) {
    place again;
    std::filesystem::remove(again.files.file(name));
    const auto why = again.trouble();
    CHECK(why.code == errc::io);
    CHECK_THAT(why.text, Contains(again.path(name)) && Contains("No such file") &&
                             Contains("correct the path"));
  }
}

TEST_CASE("tls files: a directory or a pipe in the place of a file is refused, without waiting") {
  place here;
  std::filesystem::remove(here.files.file("node.crt"));
  std::filesystem::create_directory(here.files.file("node.crt"));
  CHECK_THAT(here.text(), Contains("not an ordinary file"));
  std::filesystem::remove(here.files.file("node.crt"));
  REQUIRE(::mkfifo(here.path("node.crt").c_str(), 0600) == 0);
  CHECK_THAT(here.text(), Contains("not an ordinary file"));
}

TEST_CASE("tls files: damaged, empty and wrong files are named") {
  for (const std::string name : {"ca.crt", "node.crt", "node.key", "ca.crl"}) {
    INFO(name);
    place here;
    std::ifstream in(here.files.file(name));
    const std::string good{std::istreambuf_iterator<char>(in), {}};
    for (const std::string& bad :
         {std::string(), std::string("hello\n"), half(good), good.substr(0, good.size() - 10),
          std::string(good).replace(60, 8, "????????"), good.substr(0, 40),
          std::string(5000, '\0')}) {
      INFO(bad);
      here.files.put(name, bad);
      const auto why = here.trouble();
      CHECK(why.code == errc::refused);
      CHECK_THAT(why.text, Contains(here.path(name)));
    }
  }
}

TEST_CASE("tls files: a file of another kind is not taken for the right one") {
  place here;
  here.files.put("ca.crl", here.ca.pem());
  CHECK_THAT(here.text(), Contains("holds no CRL"));
  here.files.put("ca.crl", here.ca.revoke({}));
  here.files.put("node.key", here.own.certificate_pem());
  CHECK_THAT(here.text(), Contains("holds no private key"));
  here.files.put("node.key", here.own.key_pem());
  here.files.put("ca.crt", here.own.certificate_pem());
  CHECK_THAT(here.text(), Contains("no authority's"));
}

TEST_CASE("tls files: a key that others may use is refused, with the command that helps") {
  place here;
  for (const int mode : {0644, 0640, 0604, 0660, 0610, 0601}) {
    here.files.put("node.key", here.own.key_pem(), mode);
    const auto why = here.trouble();
    CHECK(why.code == errc::refused);
    CHECK_THAT(why.text, Contains("chmod 600 " + here.path("node.key")));
  }
  for (const int mode : {0600, 0400}) {
    here.files.put("node.key", here.own.key_pem(), mode);
    CHECK(here.files.open());
  }
}

TEST_CASE("tls files: a file that anybody may change is refused") {
  place here;
  const std::pair<std::string, std::string> files[] = {{"ca.crt", here.ca.pem()},
                                                       {"node.crt", here.own.certificate_pem()},
                                                       {"ca.crl", here.ca.revoke({})}};
  for (const auto& [name, text] : files) {
    here.files.put(name, text, 0666);
    CHECK_THAT(here.text(), Contains("chmod o-w " + here.path(name)));
    here.files.put(name, text, 0644);
    CHECK(here.files.open());
  }
}

TEST_CASE("tls files: a key with a passphrase is refused, and nobody is asked for it") {
  place here;
  const ossl::bio_ptr out(BIO_new(BIO_s_mem()));
  char word[] = "secret";
  REQUIRE(PEM_write_bio_PrivateKey(out.get(), here.own.key.get(), EVP_aes_256_cbc(), nullptr, 0,
                                   nullptr, word) == 1);
  here.files.put("node.key", ossl::written(out.get()));
  CHECK_THAT(here.text(), Contains("passphrase"));
}

TEST_CASE("tls files: a key of another certificate is refused") {
  place here;
  here.files.put("node.key", here.ca.issue("a").key_pem());
  CHECK_THAT(here.text(), Contains("does not belong to certificate " + here.path("node.crt")));
}

TEST_CASE("tls files: a certificate that peers would refuse is refused at the start") {
  place here;
  CHECK_THAT(here.text(today + 31 * one_day), Contains("expired on 2026-12-24 00:00:00 UTC"));
  here.files.put("ca.crl", here.ca.revoke({}, today - 9 * one_day));
  CHECK_THAT(here.text(today - 2 * one_day), Contains("not valid before 2026-11-23"));
  here.files.put("ca.crl", here.ca.revoke({here.own.certificate.get()}));
  CHECK_THAT(here.text(), Contains("certificate " + here.path("node.crt") + " is revoked"));
  here.files.put("ca.crl", here.ca.revoke({}, today - 9 * one_day, today - one_day));
  CHECK_THAT(here.text(), Contains("the CRL expired on 2026-11-23"));
  here.files.put("ca.crl", authority("other").revoke({}));
  CHECK_THAT(here.text(), Contains("no list"));
  here.files.put("ca.crl", here.ca.revoke({}));
  here.files.put("ca.crt", authority("other").pem());
  CHECK_THAT(here.text(), Contains("not in the CA file"));
  here.files.put("ca.crt", here.ca.pem());
  here.files.put(here.ca.issue(node_form("a", "college")));
  CHECK_THAT(here.text(), Contains("\"college\"") && Contains("\"school\""));
  auto nameless = node_form("a");
  nameless.names.clear();
  here.files.put(here.ca.issue(nameless));
  CHECK_THAT(here.text(), Contains("of no node"));
  auto half_useful = node_form("a");
  half_useful.usage = "serverAuth";
  here.files.put(here.ca.issue(half_useful));
  CHECK_THAT(here.text(), Contains("extended key usage"));
}

TEST_CASE("tls files: a cluster has a name") {
  place here;
  for (const std::string name : {"", "a/b", "a b", "\xc3\xb6"}) {
    const auto opened = here.files.open(today, name);
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == errc::invalid_option);
  }
}

// -- replacing ----------------------------------------------------------------------

TEST_CASE("tls files: every kind of replacement is noticed") {
  place here;
  const auto context = here.files.must_open();
  for (const std::string name : {"ca.crt", "node.crt", "node.key", "ca.crl"}) {
    INFO(name);
    CHECK_FALSE(context->changed());
    std::ifstream in(here.files.file(name));
    const std::string same{std::istreambuf_iterator<char>(in), {}};
    here.files.put(name, same);
    CHECK(context->changed());
    REQUIRE(context->reload());
  }
  std::filesystem::remove(here.files.file("ca.crl"));
  CHECK(context->changed());
}

TEST_CASE("tls files: broken new ones leave the old ones in use, and are tried again") {
  place here;
  const auto context = here.files.must_open();
  const auto works = [&] {
    tls_end client(context->connect());
    tls_end server(context->accept());
    client.start();
    converse(client, server);
    return client.session.is_open() && server.session.is_open();
  };
  const auto renewed = here.ca.issue("a");
  here.files.put("node.crt", renewed.certificate_pem()); // between two renames
  REQUIRE(context->changed());
  const auto torn = context->reload();
  REQUIRE_FALSE(torn);
  CHECK_THAT(torn.error().text, Contains("does not belong"));
  CHECK(works());
  CHECK(context->changed());
  here.files.put("node.key", renewed.key_pem());
  CHECK(context->reload());
  CHECK_FALSE(context->changed());

  const std::pair<std::string, std::string> broken[] = {
      {"node.crt", half(renewed.certificate_pem())},
      {"node.key", half(renewed.key_pem())},
      {"ca.crt", ""},
      {"ca.crl", "no list"},
      {"node.crt", authority("x").issue("a").certificate_pem()}};
  for (const auto& [name, text] : broken) {
    INFO(name);
    here.files.put(name, text);
    CHECK_FALSE(context->reload());
    CHECK(works());
    here.files.put("ca.crt", here.ca.pem());
    here.files.put("ca.crl", here.ca.revoke({}));
    here.files.put(renewed);
    CHECK(context->reload());
  }
  std::filesystem::remove(here.files.file("node.key"));
  CHECK_FALSE(context->reload());
  CHECK(works());
}

TEST_CASE("tls files: a node does not become another one") {
  place here;
  const auto context = here.files.must_open();
  here.files.put(here.ca.issue("b"));
  const auto done = context->reload();
  REQUIRE_FALSE(done);
  CHECK_THAT(done.error().text, Contains("\"b\"") && Contains("\"a\""));
  CHECK(context->self().name == "a");
}

TEST_CASE("tls files: new sessions use the new certificate, old ones go on with theirs") {
  two_nodes nodes;
  nodes.shake_hands();
  const auto before = nodes.client.session.peer()->fingerprint;
  nodes.place_b.put(nodes.ca.issue("b"));
  REQUIRE(nodes.b->reload());
  nodes.client.send("on the old one");
  converse(nodes.client, nodes.server);
  CHECK(text_of(nodes.server.plain) == "on the old one");
  CHECK(nodes.client.session.peer()->fingerprint == before);
  tls_end client(nodes.a->connect());
  tls_end server(nodes.b->accept());
  client.start();
  converse(client, server);
  REQUIRE(client.session.is_open());
  CHECK(client.session.peer()->fingerprint != before);
}

TEST_CASE("tls files: the CA is changed without an interruption") {
  two_nodes nodes;
  const authority next("next");
  const auto meet = [&] {
    tls_end client(nodes.a->connect());
    tls_end server(nodes.b->accept());
    client.start();
    converse(client, server);
    return client.session.is_open() && server.session.is_open();
  };
  const auto step = [&](const node_place& place, tls_context& context) {
    INFO(place.file("").string());
    const auto done = context.reload();
    INFO((done ? "" : done.error().text));
    CHECK(done);
    CHECK(meet());
  };
  // 1: both trust both. 2: each gets a certificate of the new one. 3: the old one goes.
  for (const auto* place : {&nodes.place_a, &nodes.place_b}) {
    place->put("ca.crl", nodes.ca.revoke({}) + next.revoke({}));
    place->put("ca.crt", nodes.ca.pem() + next.pem());
    step(*place, place == &nodes.place_a ? *nodes.a : *nodes.b);
  }
  nodes.place_a.put(next.issue("a"));
  step(nodes.place_a, *nodes.a);
  nodes.place_b.put(next.issue("b"));
  step(nodes.place_b, *nodes.b);
  for (const auto* place : {&nodes.place_a, &nodes.place_b}) {
    place->put("ca.crt", next.pem());
    place->put("ca.crl", next.revoke({}));
    step(*place, place == &nodes.place_a ? *nodes.a : *nodes.b);
  }
}

TEST_CASE("tls files: sessions are made on several threads while the files are replaced") {
  two_nodes nodes;
  std::atomic<int> open{0};
  std::atomic<int> done{0};
  const auto meet_often = [&] {
    for (int i = 0; i < 30; ++i) {
      tls_end client(nodes.a->connect());
      tls_end server(nodes.b->accept());
      client.start();
      converse(client, server);
      open += client.session.is_open() && server.session.is_open() &&
              nodes.a->still_valid(client.session).has_value();
    }
    ++done;
  };
  std::thread one(meet_often);
  std::thread other(meet_often);
  int reloads = 0;
  while (done < 2 || reloads < 3) {
    nodes.place_b.put(nodes.ca.issue("b")); // two renames: a reload between them would be refused
    static_cast<void>(nodes.b->changed());
    reloads += nodes.b->reload().has_value();
  }
  one.join();
  other.join();
  CHECK(open == 60);
}

// -- still valid --------------------------------------------------------------------

TEST_CASE("tls files: a session knows when its peer was revoked, on both ends") {
  authority ca;
  const auto own_a = ca.issue("a");
  const auto own_b = ca.issue("b");
  node_place place_a(ca, own_a);
  node_place place_b(ca, own_b);
  const auto a = place_a.must_open();
  const auto b = place_b.must_open();
  tls_end client(a->connect());
  tls_end server(b->accept());
  CHECK_FALSE(a->still_valid(client.session)); // nobody is there yet
  client.start();
  converse(client, server);
  CHECK(a->still_valid(client.session));
  CHECK(b->still_valid(server.session));

  place_a.put("ca.crl", ca.revoke({own_b.certificate.get()}));
  REQUIRE(a->reload());
  const auto verdict = a->still_valid(client.session);
  REQUIRE_FALSE(verdict);
  CHECK(verdict.error().code == errc::refused);
  CHECK_THAT(verdict.error().text, Contains("node \"b\" is revoked"));
  CHECK(client.session.is_open()); // what to do is the owner's decision

  place_b.put("ca.crl", ca.revoke({own_a.certificate.get()}));
  REQUIRE(b->reload());
  CHECK_FALSE(b->still_valid(server.session));
}

TEST_CASE("tls files: an old list lets nobody in, and tears no session down but those on it") {
  authority ca;
  const auto own_b = ca.issue("b");
  node_place place_a(ca, "a");
  node_place place_b(ca, own_b);
  std::int64_t now = today;
  auto a = tls_context::open(tls_files::in(place_a.file(""), "school"), [&] { return now; });
  REQUIRE(a);
  const auto b = place_b.must_open();
  const auto meet = [&] {
    auto ends = std::make_pair(tls_end((*a)->connect()), tls_end(b->accept()));
    ends.first.start();
    converse(ends.first, ends.second);
    return ends;
  };
  const auto before = meet();
  REQUIRE(before.first.session.is_open());
  place_a.put("ca.crl", ca.revoke({}, today - one_day, today + one_day));
  REQUIRE((*a)->reload());
  now = today + 2 * one_day;
  CHECK_THAT(meet().first.trouble(), Contains("the CRL expired"));
  CHECK((*a)->still_valid(before.first.session));
  now = today;
  place_a.put("ca.crl", ca.revoke({own_b.certificate.get()}, today - one_day, today + one_day));
  REQUIRE((*a)->reload());
  now = today + 2 * one_day;
  CHECK_THAT((*a)->still_valid(before.first.session).error().text, Contains("revoked"));
}

TEST_CASE("tls files: a session knows when its peer expired or its authority is not trusted more") {
  authority ca;
  node_place place_a(ca, "a");
  node_place place_b(ca, "b");
  std::int64_t now = today;
  auto a = tls_context::open(tls_files::in(place_a.file(""), "school"), [&] { return now; });
  REQUIRE(a);
  const auto b = place_b.must_open();
  tls_end client((*a)->connect());
  tls_end server(b->accept());
  client.start();
  converse(client, server);
  CHECK((*a)->still_valid(client.session));
  now = today + 31 * one_day;
  CHECK_THAT((*a)->still_valid(client.session).error().text, Contains("expired"));
  now = today;
  const authority next("next");
  place_a.put("ca.crt", next.pem());
  place_a.put("ca.crl", next.revoke({}));
  place_a.put(next.issue("a"));
  REQUIRE((*a)->reload());
  CHECK_THAT((*a)->still_valid(client.session).error().text, Contains("not in the CA file"));
}
