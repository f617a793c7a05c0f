// edupulse-pki from outside: what it writes, what nodes make of it, how it says no.

#include "runtime/tls/pki.hpp"
#include "tests/support/tls_ends.hpp"
#include <fcntl.h>
#include <fstream>
#include <spawn.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char** environ;

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

std::string content(const std::filesystem::path& file) {
  std::ifstream in(file, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

mode_t mode_of(const std::filesystem::path& file) {
  struct stat status {};
  REQUIRE(::stat(file.c_str(), &status) == 0);
  return status.st_mode & 0777;
}

struct finished {
  int code;
  std::string output;
  std::string errors;
};

/// A directory with an authority, and the program.
class desk {
public:
  std::filesystem::path operator/(const std::string& name) const { return dir_ / ("pki/" + name); }
  std::filesystem::path scratch(const std::string& name) const { return dir_ / name; }

  pid_t begin(std::vector<std::string> arguments, const std::string& tag) const {
    arguments.insert(arguments.begin(), EDUPULSE_PKI_PROGRAM);
    arguments.insert(arguments.end(), {"--dir", (dir_ / "pki").string()});
    std::vector<char*> pointers;
    for (auto& each : arguments)
      pointers.push_back(each.data());
    pointers.push_back(nullptr);
    posix_spawn_file_actions_t files;
    posix_spawn_file_actions_init(&files);
    const int flags = O_WRONLY | O_CREAT | O_TRUNC;
    posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_addopen(&files, 1, (dir_ / (tag + ".out")).c_str(), flags, 0600);
    posix_spawn_file_actions_addopen(&files, 2, (dir_ / (tag + ".err")).c_str(), flags, 0600);
    pid_t child = 0;
    REQUIRE(posix_spawn(&child, pointers[0], &files, nullptr, pointers.data(), environ) == 0);
    posix_spawn_file_actions_destroy(&files);
    return child;
  }
  finished end(pid_t child, const std::string& tag) const {
    int status = 0;
    REQUIRE(::waitpid(child, &status, 0) == child);
    return {WIFEXITED(status) ? WEXITSTATUS(status) : -WTERMSIG(status),
            content(dir_ / (tag + ".out")), content(dir_ / (tag + ".err"))};
  }
  finished run(std::vector<std::string> arguments) const {
    return end(begin(std::move(arguments), "run"), "run");
  }
  void must(std::vector<std::string> arguments) const {
    const auto done = run(std::move(arguments));
    INFO(done.errors);
    REQUIRE(done.code == 0);
  }
  /// The program says no: what it says.
  std::string trouble(std::vector<std::string> arguments) const {
    const auto done = run(std::move(arguments));
    CHECK(done.code == 1);
    CHECK(done.output == "");
    CHECK_THAT(done.errors, Catch::Matchers::StartsWith("edupulse-pki: "));
    return done.errors;
  }
  std::unique_ptr<tls_context> node(const std::string& name) const {
    auto opened = tls_context::open(tls_files::in(dir_ / ("pki/nodes/" + name), "school"));
    INFO((opened ? "" : opened.error().text));
    REQUIRE(opened);
    return std::move(*opened);
  }

private:
  scratch_dir dir_;
};

/// What the two ends say, "" when both are content.
std::string meet(const tls_context& a, const tls_context& b) {
  tls_end client(a.connect());
  tls_end server(b.accept());
  client.start();
  converse(client, server);
  return client.trouble() + server.trouble();
}

} // namespace

// -- a cluster ----------------------------------------------------------------------

TEST_CASE("pki: two commands make three nodes that know each other") {
  desk here;
  here.must({"init", "--cluster", "school"});
  here.must({"issue", "a", "b", "c"});
  const auto a = here.node("a");
  const auto b = here.node("b");
  const auto c = here.node("c");
  CHECK(a->self() == tls_identity{"school", "a"});
  CHECK(meet(*a, *b) == "");
  CHECK(meet(*b, *c) == "");
  CHECK(meet(*c, *a) == "");
}

TEST_CASE("pki: secrets are for their owner only") {
  desk here;
  const auto before = ::umask(0);
  here.must({"init", "--cluster", "school"});
  here.must({"issue", "a"});
  ::umask(before);
  CHECK(mode_of(here / "ca.key") == 0600);
  CHECK(mode_of(here / "nodes/a/node.key") == 0600);
  CHECK(mode_of(here / "nodes/a/node.crt") == 0644);
  for (const std::string name : {"", "issued", "nodes", "nodes/a"})
    CHECK(mode_of(here / name) == 0700);
  CHECK_FALSE(std::filesystem::exists(here / "nodes/a/ca.key"));
}

TEST_CASE("pki: who is revoked is shut out, everywhere and whatever certificate it shows") {
  desk here;
  here.must({"init", "--cluster", "school"});
  for (const std::string name : {"a", "b", "bb"})
    here.must({"issue", name});
  const auto first = here.node("b");
  here.must({"issue", "b", "--force"});
  const auto a = here.node("a");
  const auto second = here.node("b");
  const auto other = here.node("bb");
  tls_end client(first->connect());
  tls_end server(a->accept());
  client.start();
  converse(client, server);
  REQUIRE(server.session.is_open());

  const auto said = here.run({"revoke", "b"});
  CHECK(said.code == 0);
  CHECK_THAT(said.output, Contains("all 2 certificates of node b"));
  REQUIRE(a->changed());
  REQUIRE(a->reload());
  CHECK_THAT(a->still_valid(server.session).error().text, Contains("revoked"));
  CHECK_THAT(meet(*first, *a), Contains("revoked"));
  CHECK_THAT(meet(*second, *a), Contains("revoked"));
  CHECK(meet(*other, *a) == "");
  CHECK_THAT(here.trouble({"revoke", "b"}), Contains("no certificate of node \"b\" is in force"));

  here.must({"issue", "b", "--force"});
  CHECK(meet(*here.node("b"), *a) == "");
  here.must({"revoke", "bb"}); // and the first ones stay revoked
  REQUIRE(a->reload());
  CHECK_THAT(meet(*second, *a), Contains("revoked"));
  CHECK_THAT(here.run({"show", (here / "ca.crl").string()}).output,
             Contains("revoked      3") && Contains("number       0x03"));
}

TEST_CASE("pki: the list is renewed before it expires, and forgets nobody") {
  desk here;
  here.must({"init", "--cluster", "school", "--crl-days", "1"});
  here.must({"issue", "a"});
  here.must({"issue", "b"});
  const auto b = here.node("b");
  here.must({"revoke", "b", "--crl-days", "2"});
  const auto a = here.node("a");
  const auto before = a->not_after();
  here.must({"crl"});
  REQUIRE(a->reload());
  CHECK((a->not_after() - before + one_day / 2) / one_day == 28);
  CHECK_THAT(meet(*b, *a), Contains("revoked"));
}

TEST_CASE("pki: certificates are as long and as named as asked") {
  desk here;
  here.must({"init", "--cluster", "school", "--days", "100", "--crl-days", "50"});
  here.must({"issue", "a", "--days", "7", "--dns", "a.example.org", "--dns", "localhost"});
  const auto shown = here.run({"show", (here / "nodes/a/node.crt").string()});
  CHECK(shown.code == 0);
  for (const std::string line : {"node \"a\" in cluster \"school\"", "URI \"edupulse://school/a\"",
                                 "DNS \"a.example.org\", DNS \"localhost\"", "critical, CA:FALSE",
                                 "critical, Digital Signature",
                                 "TLS Web Server Authentication, TLS Web Client", "(7 days left)"})
    CHECK_THAT(shown.output, Contains(line));
  const auto authority = here.run({"show", (here / "ca.crt").string()});
  CHECK_THAT(authority.output, Contains("critical, CA:TRUE, pathlen:0") &&
                                   Contains("critical, Certificate Sign, CRL Sign"));
  CHECK_THAT(here.run({"show", (here / "nodes/a/node.key").string()}).output,
             Contains("private key, EC, 256 bits") && !Contains("BEGIN"));
  here.must({"issue", "b"}); // asked for longer than the authority lives
  CHECK_THAT(here.run({"show", (here / "nodes/b/node.crt").string()}).output,
             Contains("(100 days left)"));
}

// -- saying no ----------------------------------------------------------------------

TEST_CASE("pki: nothing is written over without being told to") {
  desk here;
  here.must({"init", "--cluster", "school"});
  here.must({"issue", "a"});
  const auto key = content(here / "ca.key");
  const auto node_key = content(here / "nodes/a/node.key");
  CHECK_THAT(here.trouble({"init", "--cluster", "school"}), Contains("ca.key exists: --force"));
  CHECK_THAT(here.trouble({"issue", "a"}), Contains("node.key exists: --force"));
  const auto some = here.run({"issue", "b", "a", "c"});
  CHECK(some.code == 1);
  CHECK_THAT(some.output, Contains("Node b") && !Contains("Node c"));
  CHECK_THAT(some.errors, Contains("nodes/a/node.key exists"));
  CHECK(content(here / "ca.key") == key);
  CHECK(content(here / "nodes/a/node.key") == node_key);
  here.must({"issue", "a", "--force"});
  CHECK(content(here / "nodes/a/node.key") != node_key);
  here.must({"init", "--cluster", "school", "--force"});
  CHECK(content(here / "ca.key") != key);
  // Certificates of the former authority lie there, and are not in the way.
  CHECK_THAT(here.trouble({"revoke", "a"}), Contains("no certificate of node \"a\""));
  here.must({"issue", "a", "--force"});
  here.must({"revoke", "a"});
}

TEST_CASE("pki: names that would lead elsewhere are refused, and leave nothing behind") {
  desk here;
  here.must({"init", "--cluster", "school"});
  for (const std::string name :
       {"..", ".", "a/b", "../x", "/etc/x", "a b", "\xc3\xb6", "a\nb", "URI:x", "a,b"}) {
    INFO(name);
    CHECK_THAT(here.trouble({"issue", name}), Contains("the node's name"));
  }
  CHECK_THAT(here.trouble({"issue", std::string(256, 'n')}), Contains("1 to 255"));
  CHECK_THAT(here.trouble({"issue", "a", "--dns", "b,URI:edupulse://school/b"}),
             Contains("is no DNS name"));
  CHECK_THAT(here.trouble({"issue", "a", "b", "--dns", "a.example.org"}),
             Contains("--dns is for one node"));
  CHECK(std::filesystem::is_empty(here / "nodes"));
  CHECK(std::filesystem::is_empty(here / "issued"));
  here.must({"issue", std::string(255, 'n')});
  desk other;
  CHECK_THAT(other.trouble({"init", "--cluster", "a/b"}), Contains("the cluster's name"));
}

TEST_CASE("pki: the command line is checked") {
  desk here;
  CHECK(here.run({}).code != 0);
  CHECK(here.run({"init"}).code != 0);
  CHECK(here.run({"init", "--cluster", "school", "--days", "0"}).code != 0);
  CHECK(here.run({"init", "--cluster", "school", "--days", "x"}).code != 0);
  CHECK(here.run({"issue"}).code != 0);
  CHECK(here.run({"what"}).code != 0);
  CHECK_FALSE(std::filesystem::exists(here / "ca.key"));
  const auto help = here.run({"--help"});
  CHECK(help.code == 0);
  CHECK_THAT(help.output, Contains("init") && Contains("revoke"));
}

TEST_CASE("pki: without an authority it says how to get one") {
  desk here;
  for (const std::vector<std::string>& words :
       {std::vector<std::string>{"issue", "a"}, {"revoke", "a"}, {"crl"}})
    CHECK_THAT(here.trouble(words), Contains("edupulse-pki init --cluster NAME"));
}

TEST_CASE("pki: damaged and exposed files of the authority are named") {
  desk here;
  here.must({"init", "--cluster", "school"});
  here.must({"issue", "a"});
  const auto list = content(here / "ca.crl");
  std::filesystem::remove(here / "ca.crl");
  CHECK_THAT(here.trouble({"revoke", "a"}), Contains("ca.crl cannot be read"));
  write_file(here / "ca.crl", authority("other").revoke({}));
  CHECK_THAT(here.trouble({"revoke", "a"}), Contains("was not signed by this authority"));
  write_file(here / "ca.crl", list);
  const auto key = content(here / "ca.key");
  write_file(here / "ca.key", key, 0644);
  CHECK_THAT(here.trouble({"issue", "b"}), Contains("chmod 600"));
  write_file(here / "ca.key", key.substr(0, 100));
  CHECK_THAT(here.trouble({"issue", "b"}), Contains("damaged"));
  write_file(here / "ca.key", content(here / "nodes/a/node.key"));
  CHECK_THAT(here.trouble({"issue", "b"}), Contains("does not belong"));
  write_file(here / "ca.key", key);
  here.must({"issue", "b"});
  CHECK_THAT(here.trouble({"show", here.scratch("missing").string()}), Contains("No such file"));
  write_file(here.scratch("text"), "hello");
  CHECK_THAT(here.trouble({"show", here.scratch("text").string()}), Contains("holds no"));
}

TEST_CASE("pki: several at once take turns, and nothing half-written stays") {
  desk here;
  here.must({"init", "--cluster", "school"});
  std::vector<pid_t> children;
  for (int i = 0; i < 12; ++i)
    children.push_back(here.begin({"issue", "n" + std::to_string(i)}, "t" + std::to_string(i)));
  for (int i = 0; i < 4; ++i) // of one name
    children.push_back(here.begin({"issue", "same"}, "t" + std::to_string(12 + i)));
  int issued = 0;
  for (std::size_t i = 0; i < children.size(); ++i)
    issued += here.end(children[i], "t" + std::to_string(i)).code == 0 ? 1 : 0;
  CHECK(issued == 13);
  std::size_t files = 0;
  for (const auto& each : std::filesystem::recursive_directory_iterator(here / "")) {
    CHECK(each.path().filename().string().find("new-") == std::string::npos);
    files += each.path().extension() == ".crt" && each.path().parent_path() == here / "issued";
  }
  CHECK(files == 13);
  CHECK(meet(*here.node("n0"), *here.node("same")) == "");
}

// -- as a library -------------------------------------------------------------------

TEST_CASE("pki: an authority never certifies beyond its own end, or what it did not sign") {
  const auto made = pki::authority::make("school", {today - 600, today + 10 * one_day});
  REQUIRE(made);
  const auto ca = pki::authority::open({made->certificate, "ca.crt"}, {made->key, "ca.key"});
  REQUIRE(ca);
  CHECK(ca->cluster() == "school");
  const auto node = ca->issue("a", {}, {today - 600, today + 397 * one_day});
  REQUIRE(node);
  CHECK(node->not_after == ca->not_after());
  const auto known = ca->recognise({node->certificate, "a"});
  REQUIRE(known);
  CHECK(known->who == tls_identity{"school", "a"});
  CHECK(known->serial == node->serial);
  CHECK(node->serial.size() == 32);
  CHECK_FALSE(ca->recognise({authority().issue("a").certificate_pem(), "other"}));
  CHECK_FALSE(pki::authority::open({node->certificate, "a"}, {node->key, "a"}));
}

// -- the page -----------------------------------------------------------------------

namespace {

/// The command lines of docs/tls.md that name this test.
std::vector<std::string> commands_of_the_page() {
  std::ifstream page(EDUPULSE_SOURCE_DIR "/docs/tls.md");
  std::vector<std::string> found;
  bool ours = false;
  bool inside = false;
  for (std::string line; std::getline(page, line);) {
    if (line.starts_with("<!--"))
      ours = line.find("tests/runtime/test_pki.cpp") != std::string::npos;
    else if (line.starts_with("```"))
      inside = !inside;
    else if (ours && inside)
      found.push_back(line);
  }
  return found;
}

} // namespace

TEST_CASE("pki: the commands of docs/tls.md do what the page says, one after the other") {
  const scratch_dir dir;
  const std::filesystem::path program = EDUPULSE_PKI_PROGRAM;
  auto commands = commands_of_the_page();
  REQUIRE(commands.size() == 7);
  commands.insert(commands.begin(),
                  {"edupulse-pki init --cluster school", "edupulse-pki issue a b c"});
  for (const auto& line : commands) {
    INFO(line);
    const std::string all = "cd '" + dir.path().string() + "' && PATH='" +
                            program.parent_path().string() + "':\"$PATH\" && " + line +
                            "\n"; // the line may end in a comment
    REQUIRE(std::system(("{ " + all + "} >/dev/null").c_str()) == 0);
  }
  const auto open = [&](const std::string& place) {
    return tls_context::open(tls_files::in(dir / place, "school")).value();
  };
  const auto a = open("pki/nodes/a");
  CHECK(meet(*a, *open("pki/nodes/c")) == "");
  CHECK(meet(*a, *open("pki/nodes/b")) == "");
  // Step 1 of changing the CA, at b; step 2 at a.
  std::filesystem::copy(dir / "pki/nodes/b", dir / "b");
  write_file(dir / "b/ca.crt", content(dir / "both.crt"));
  write_file(dir / "b/ca.crl", content(dir / "both.crl"));
  std::filesystem::copy(dir / "b", dir / "a");
  write_file(dir / "a/node.crt", content(dir / "next/nodes/a/node.crt"));
  write_file(dir / "a/node.key", content(dir / "next/nodes/a/node.key"));
  CHECK(meet(*open("a"), *open("b")) == "");
  CHECK(content(dir / "ca.crt") == content(dir / "next/ca.crt"));
}
