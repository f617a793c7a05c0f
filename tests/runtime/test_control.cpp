// The control socket of a node: who may speak to it, and what strange bytes do.

#include "tests/support/control_end.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/scratch_dir.hpp"
#include "tests/support/seed.hpp"
#include <edupulse/control.hpp>
#include <fstream>
#include <poll.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;

namespace {

mode_t mode_of(const std::filesystem::path& file) {
  struct stat about {};
  REQUIRE(::lstat(file.c_str(), &about) == 0);
  return about.st_mode & 0777;
}

/// A node with a control socket, in a directory of its own.
struct controlled {
  explicit controlled(control_options how = {})
      : at(start_quiet({.data_dir = home.path()})),
        control(control_socket::open(at, std::move(how)).value()) {}
  std::filesystem::path path() const { return control.path(); }

  scratch_dir home;
  node at;
  control_socket control;
};

std::uint64_t counter(const controlled& of, const std::string& name) {
  const auto told = ask(of.path(), [](auto request) { request.setCounters(); });
  for (const auto one : (*told).getCounters())
    if (name == one.getName().cStr())
      return one.getValue();
  FAIL("there is no counter " << name);
  return 0;
}

/// What a process that was killed leaves behind.
void leave_socket(const std::filesystem::path& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.native().copy(address.sun_path, sizeof address.sun_path - 1);
  const descriptor dead(::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  REQUIRE(::bind(dead.number(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
}

const std::string a_request = request_bytes([](auto request) {
  auto list = request.initDeadList();
  list.setSubscription("search-indexer");
  list.setLimit(10);
});

} // namespace

// -- whose it is --------------------------------------------------------------------------

TEST_CASE(
    "G90: a control socket is its owner's alone, whatever the umask, and goes with the node's "
    "control") {
  const auto before = ::umask(0);
  std::filesystem::path path;
  {
    const controlled one;
    ::umask(before);
    path = one.path();
    CHECK(path == one.home / "control.sock");
    CHECK(mode_of(path) == 0600);
    CHECK((*ask_status(path)).getStatus().getName() == "test");
    CHECK_FALSE(std::filesystem::exists(path.native() + ".new"));
  }
  CHECK_FALSE(std::filesystem::exists(path));
}

TEST_CASE("G90: a socket that a dead process left is replaced, and one that answers is not") {
  scratch_dir home;
  const auto path = home / "control.sock";
  leave_socket(path);
  leave_socket(path.native() + ".new");
  auto at = start_quiet();
  auto first = control_socket::open(at, {.path = path}).value();
  CHECK((*ask_status(path)).isStatus());

  const auto second = control_socket::open(at, {.path = path});
  REQUIRE_FALSE(second);
  CHECK(second.error().code == errc::refused);
  CHECK_THAT(second.error().text, Contains("process " + std::to_string(::getpid())));
  CHECK_THAT(second.error().text, Contains(path.string()));
  CHECK((*ask_status(path)).isStatus());
}

TEST_CASE(
    "G90: what is no socket is left as it is, and so is another one that has taken the place") {
  scratch_dir home;
  const auto path = home / "control.sock";
  std::ofstream(path) << "letters";
  auto at = start_quiet();
  const auto none = control_socket::open(at, {.path = path});
  REQUIRE_FALSE(none);
  CHECK(none.error().code == errc::refused);
  CHECK(std::filesystem::file_size(path) == 7);
  std::filesystem::remove(path);
  {
    const auto control = control_socket::open(at, {.path = path}).value();
    std::filesystem::remove(path);
    std::ofstream(path) << "letters";
  }
  CHECK(std::filesystem::file_size(path) == 7);
}

TEST_CASE("a control socket says what is wrong with its options") {
  scratch_dir home;
  auto at = start_quiet();
  const auto wrong = [&](control_options how) {
    const auto opened = control_socket::open(at, std::move(how));
    REQUIRE_FALSE(opened);
    CHECK(opened.error().code == errc::invalid_option);
    return opened.error().text;
  };
  const auto path = home / "s";
  CHECK_THAT(wrong({}), Contains("data directory"));
  CHECK_THAT(wrong({.path = home / std::string(200, 'x')}), Contains("107 bytes"));
  CHECK_THAT(wrong({.path = path, .connections = 0}), Contains("1 to 64"));
  CHECK_THAT(wrong({.path = path, .patience = duration::zero()}), Contains("patience"));
  const auto lost = control_socket::open(at, {.path = home / "no/such"});
  REQUIRE_FALSE(lost);
  CHECK(lost.error().code == errc::io);
  CHECK_THAT(lost.error().text, Contains("No such file or directory"));
}

TEST_CASE("G90: another user is told no, even where the file lets him in, and is counted") {
  if (::geteuid() != 0) {
    WARN("only root can be another user: skipped");
    return;
  }
  const controlled one;
  std::filesystem::permissions(one.home.path(), std::filesystem::perms{0755});
  std::filesystem::permissions(one.path(), std::filesystem::perms{0666});
  std::string trouble;
  std::thread([&] { // the system call, unlike the library's, is for one thread
    constexpr uid_t nobody = 65534;
    if (::syscall(SYS_setresuid, -1, nobody, -1) == 0)
      trouble = ask_status(one.path()).trouble();
  })
      .join();
  CHECK(trouble == "refused");
  CHECK(counter(one, "control.refused") == 1);
}

// -- what strange bytes do ------------------------------------------------------------------

TEST_CASE("G91: a request that is cut at any byte is an error for whoever sent it") {
  const controlled one;
  for (std::size_t bytes = 0; bytes < a_request.size(); ++bytes) {
    const control_end from(one.path());
    from.write(std::string_view(a_request).substr(0, bytes));
    from.write_no_more();
    const auto told = from.answer();
    INFO(bytes << " of " << a_request.size());
    REQUIRE(told);
    CHECK(told->trouble() == "io");
  }
  CHECK(counter(one, "control.malformed") == a_request.size());
  CHECK((*ask_status(one.path())).isStatus());
}

TEST_CASE("G91: a request whose bytes are damaged is answered, and the node goes on") {
  const controlled one;
  random_numbers chance;
  INFO("EDUPULSE_SEED=" << chance.seed());
  for (int i = 0; i < rounds(500); ++i) {
    auto bytes = a_request;
    for (auto changes = 1 + chance.below(4); changes > 0; --changes)
      bytes[8 + chance.below(bytes.size() - 8)] = static_cast<char>(chance.next());
    const control_end from(one.path());
    from.write(bytes);
    from.write_no_more();
    CHECK(from.answer());
  }
  CHECK((*ask_status(one.path())).isStatus());
}

TEST_CASE("G91: an impossible length is refused before its bytes have come, and so is another "
          "protocol") {
  const controlled one;
  const auto trouble_with = [&](const std::string& bytes) {
    const control_end from(one.path());
    from.write(bytes); // and the connection stays open
    const auto told = from.answer();
    REQUIRE(told);
    return told->trouble();
  };
  using namespace std::string_literals;
  CHECK(trouble_with("\xff\xff\xff\xff\1\0\0\0"s) == "too_large");
  CHECK(trouble_with("\x08\0\x10\0\1\0\0\0"s) == "too_large"); // 1 MiB and a word
  CHECK(trouble_with("\0\0\0\0\1\0\0\0"s) == "malformed");
  CHECK(trouble_with("\7\0\0\0\1\0\0\0"s) == "malformed");
  CHECK(trouble_with("\x10\0\0\0\2\0\0\0"s) == "malformed");
  CHECK(trouble_with("GET / HTTP/1.1\r\n\r\n") == "malformed");
  // A root that points out of its message, and half a billion segments.
  CHECK(trouble_with("\x10\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\xfc\xff\xff\x7f\xff\xff\xff\xff"s) ==
        "malformed");
  CHECK(trouble_with("\x08\0\0\0\1\0\0\0\xff\xff\xff\x1f\1\0\0\0"s) == "malformed");
}

TEST_CASE("G91: who is slow with a request is cut off, a byte at a time or silent") {
  const controlled one({.patience = 100ms});
  const control_end silent(one.path());
  CHECK(silent.answer()->trouble() == "timed_out");
  const control_end dripping(one.path());
  using namespace std::string_literals;
  dripping.write("\0\0\x10\0\1\0\0\0"s); // a mebibyte is to come
  pollfd heard{dripping.number(), POLLIN, 0};
  while (::poll(&heard, 1, 5) == 0)
    dripping.write("x");
  CHECK(dripping.answer()->trouble() == "timed_out");
}

TEST_CASE("G91: one connection more than there may be is told so, and room is made when one ends") {
  const controlled one({.patience = 60s, .connections = 2});
  auto first = std::make_unique<control_end>(one.path());
  const control_end second(one.path());
  const auto third = ask_status(one.path());
  CHECK(third.trouble() == "back_pressure");
  CHECK_THAT(third.text(), Contains("2 others"));
  first.reset();
  eventually([&] { return ask_status(one.path()).trouble().empty(); });
}

TEST_CASE("G91: a control socket ends at once, whoever is connected to it") {
  auto one = std::make_unique<controlled>(control_options{.patience = 1h});
  const control_end idle(one->path());
  const control_end half(one->path());
  half.write(std::string_view(a_request).substr(0, 20));
  CHECK((*ask_status(one->path())).isStatus()); // who came before has been let in
  one.reset();                                  // would wait for an hour
  CHECK(true);
}
