// `edupulse` from outside, against nodes of this process.

#include "runtime/control/plugin_desk.hpp"
#include "tests/support/control_end.hpp"
#include "tests/support/eventually.hpp"
#include "tests/support/json.hpp"
#include "tests/support/lessons.hpp"
#include "tests/support/program.hpp"
#include <algorithm>
#include <edupulse/control.hpp>
#include <fstream>
#include <sys/syscall.h>
#include <thread>

using namespace edupulse;
using namespace edupulse::test;
using Catch::Matchers::Contains;
using Catch::Matchers::StartsWith;

namespace {

void write_text(const std::string& file, const std::string& text) { std::ofstream(file) << text; }

struct finished {
  int code = 0;
  std::string output;
  std::string errors;
};

finished run(std::vector<std::string> arguments) {
  program it(EDUPULSE_TOOL_PROGRAM, std::move(arguments));
  it.close_input();
  const int code = it.wait();
  return {code, it.output(), it.errors()};
}

const event_type* lesson_type(std::string_view name) {
  const auto& type = event_traits<LessonPublished>::type();
  return name == type.name ? &type : nullptr;
}

/// A node that an operator can ask.
struct attended {
  explicit attended(plugin_desk* desk = nullptr)
      : control(control_socket::open(at, {.types = lesson_type, .plugins = desk}).value()) {}

  finished tool(std::vector<std::string> arguments) const {
    arguments.insert(arguments.end(), {"--data", home.path().string()});
    return run(std::move(arguments));
  }
  /// It must work.
  std::string say(std::vector<std::string> arguments) const {
    const auto it = tool(std::move(arguments));
    INFO(it.output << it.errors);
    REQUIRE(it.code == 0);
    CHECK(it.errors.empty());
    return it.output;
  }
  nlohmann::json json(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    return parse_json(say(std::move(arguments)));
  }

  scratch_dir home;
  node at = start_quiet({.data_dir = home.path()});
  control_socket control;
};

/// Whoever connects gets `bytes` for an answer.
class liar {
public:
  liar(const std::filesystem::path& path, std::string bytes)
      : door_(control::listener::open(path).value()), thread_([this, bytes] {
          int guest = -1;
          while ((guest = ::accept(door_->number(), nullptr, nullptr)) < 0)
            std::this_thread::yield();
          char byte = 0;
          while (::recv(guest, &byte, 1, 0) < 0) {
          }
          static_cast<void>(::send(guest, bytes.data(), bytes.size(), MSG_NOSIGNAL));
          ::close(guest);
        }) {}
  ~liar() { thread_.join(); }

private:
  std::unique_ptr<control::listener> door_;
  std::thread thread_;
};

class noting_desk final : public plugin_desk {
public:
  std::vector<plugin_status> list() const override {
    return {{"search", "1", "/a.so", "running", {}, ""}};
  }
  expected<plugin_status> load(const std::filesystem::path& file,
                               const setting_list& with) override {
    noted = "load " + file.native();
    for (const auto& [name, value] : with)
      noted += " " + name + "=" + value;
    return list().front();
  }
  expected<swap_report> swap(std::string_view name, const std::filesystem::path& file,
                             const setting_list&) override {
    noted = "swap " + std::string(name) + " " + file.native();
    return swap_report{
        "1", "2", {}, {"search.new"}, {}, {"search.index: snapshot() threw: \x1b", "b: large"},
        7ms};
  }
  expected<swap_report> rollback(std::string_view) override {
    return fail(errc::not_found, "nothing to go back to");
  }
  expected<std::vector<crash_record>> crash_records(std::string_view plugin) const override {
    if (plugin == "quiet")
      return std::vector<crash_record>();
    return std::vector<crash_record>{
        {"e1", "search.index", "1.0.0", 2, 2, true, "Aborted (6), at\nlibx.so(+0x1f)\nlibc.so", 0},
        {"e2", "search.index", "1.0.0", 1, 0, false, "the process was killed", 1000}};
  }
  std::string noted;
};

} // namespace

TEST_CASE("G92: a day of repairs with the tool: dead letters, why, fixed, tried again, balanced") {
  attended one;
  std::atomic<bool> broken = true;
  REQUIRE(one.at.subscribe<LessonPublished>("indexer", [&](LessonPublished::Reader lesson) {
    return broken && lesson.getTitle() == "poison" ? outcome::reject("no such teacher")
                                                   : outcome::ok();
  }));
  for (const char* id : {"a", "b", "c"})
    REQUIRE(publish_lesson(one.at, id, "poison"));
  REQUIRE(one.at.drain(10s));
  eventually([&] { return one.at.dead_letters().value().size() == 3; });

  const auto table = one.say({"dead", "ls"});
  CHECK_THAT(table,
             Contains("indexer") && Contains("lesson.published") && Contains("no such teacher"));
  const auto letters = one.json({"dead", "ls"});
  REQUIRE(letters.size() == 3);
  CHECK(letters[1]["key"] == "b");
  CHECK(letters[1]["attempts"][0]["text"] == "no such teacher");
  const auto id = letters[1]["id"].get<std::uint64_t>();
  CHECK(one.json({"dead", "ls", "--after", std::to_string(id)}).size() == 1);
  CHECK(one.json({"dead", "ls", "--subscription", "another"}).empty());
  CHECK_THAT(one.say({"dead", "ls", "--limit", "2"}), Contains("--after " + std::to_string(id)));

  const auto letter = one.json({"dead", "show", std::to_string(id)});
  CHECK(letter["payload"]["title"] == "poison");
  CHECK(letter["reason"] == "no such teacher");
  CHECK_THAT(one.say({"dead", "show", std::to_string(id)}), Contains(R"("title":"poison")"));

  CHECK(one.say({"dead", "discard", std::to_string(id)}) == "1 letter is thrown away\n");
  broken = false;
  CHECK(one.json({"dead", "retry", "--subscription", "indexer"})["count"] == 2);
  eventually([&] { return one.at.dead_letters().value().empty(); });
  CHECK(one.say({"dead", "ls"}) == "there are no dead letters\n");
  const auto book = one.json({"ledger"});
  CHECK(book["balances"] == true);
  CHECK(book["lines"][0]["handled"] == 2);
  CHECK(book["lines"][0]["dropped"] == 1);
  CHECK_THAT(one.say({"ledger"}), Contains("balanced"));
}

TEST_CASE(
    "G92: of several letters the others are tried when one is not there, which is then said") {
  attended one;
  REQUIRE(one.at.subscribe<LessonPublished>(
      "indexer", [](LessonPublished::Reader) { return outcome::reject("no"); }));
  REQUIRE(publish_lesson(one.at, "a"));
  eventually([&] { return one.at.dead_letters().value().size() == 1; });
  const auto id = std::to_string(one.at.dead_letters().value().front().id);
  const auto it = one.tool({"dead", "discard", "77777", id, "--json"});
  CHECK(it.code == 1);
  CHECK_THAT(it.errors, Contains("there is no dead letter 77777"));
  const auto said = parse_json(it.output);
  CHECK(said["count"] == 1);
  CHECK(said["failed"][0]["code"] == "not_found");
  CHECK(one.at.dead_letters().value().empty());
}

TEST_CASE("edupulse: a handler is listed, paused and resumed") {
  attended one;
  journal seen;
  REQUIRE(one.at.subscribe<LessonPublished>("indexer", note_in(seen)));
  CHECK(one.json({"handler", "ls"})[0]["state"] == "running");
  CHECK(one.say({"handler", "pause", "indexer"}) == "indexer is paused\n");
  CHECK_THAT(one.say({"handler", "ls"}), Contains("paused"));
  CHECK(one.json({"handler", "resume", "indexer"})["count"] == 1);
  CHECK(one.json({"handler", "ls"})[0]["state"] == "running");
  const auto none = one.tool({"handler", "pause", "index"});
  CHECK(none.code == 1);
  CHECK_THAT(none.errors, StartsWith("edupulse: there is no subscription named 'index'"));
}

TEST_CASE("edupulse: the node, its counters and its version, as a table and as JSON") {
  const attended one;
  CHECK_THAT(one.say({"node", "status"}), Contains(to_string(one.at.id())) && Contains("itself"));
  const auto status = one.json({"node", "status"});
  CHECK(status["name"] == "test");
  CHECK(status["members"][0]["self"] == true);
  CHECK(one.json({"counters"})["control.refused"] == 0);
  CHECK_THAT(one.say({"counters"}), Contains("events.routed"));
  CHECK(one.json({"version"})["node"]["version"] == status["version"]);
  const auto alone = run({"version", "--json"});
  CHECK(alone.code == 0);
  CHECK(parse_json(alone.output)["node"].is_null());
}

TEST_CASE("edupulse: what a terminal would obey is shown as it is written, and JSON escapes it") {
  attended one;
  const std::string evil = "a\x1b[2J\r\x7f\xc2\x9b"
                           "1m\xe2\x80\xae"
                           "b\xff\xc3\xa9";
  journal seen;
  REQUIRE(one.at.subscribe<LessonPublished>(evil, note_in(seen)));
  const auto table = one.say({"handler", "ls"});
  CHECK_THAT(table, Contains("a\\x1b[2J\\x0d\\x7f\\xc2\\x9b1m\\xe2\\x80\\xaeb\\xff\xc3\xa9"));
  const auto tame = [](char c) { return (c >= 0x20 && c != 0x7f) || c == '\n' || c < 0; };
  CHECK(std::all_of(table.begin(), table.end(), tame));
  const auto text = one.say({"handler", "ls", "--json"});
  CHECK(std::all_of(text.begin(), text.end(),
                    [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }));
  CHECK_THAT(parse_json(text)[0]["name"].get<std::string>(), StartsWith("a\x1b[2J\r\x7f"));
  const auto unknown = one.tool({"handler", "pause", "x\x1b[2J"});
  CHECK_THAT(unknown.errors, Contains("x\\x1b[2J"));
}

TEST_CASE("edupulse: a node and its members are waited for, and not longer than it was said") {
  const attended one;
  CHECK(one.json({"node", "wait"})["name"] == "test");
  const auto lonely = one.tool({"node", "wait", "--members", "2", "--within", "0"});
  CHECK(lonely.code == 1);
  CHECK_THAT(lonely.errors, Contains("1 of 2 members are alive"));
  CHECK(run({"node", "wait", "--within", "0", "--socket", one.home / "none"}).code == 3);

  scratch_dir home;
  program early(EDUPULSE_TOOL_PROGRAM, {"node", "wait", "--data", home.path()});
  auto late = start_quiet({.data_dir = home.path()});
  const auto control = control_socket::open(late).value();
  CHECK(early.wait() == 0);
}

TEST_CASE("edupulse: plugins are loaded, swapped and rolled back by whoever runs them") {
  noting_desk desk;
  const attended one(&desk);
  CHECK(one.json({"plugin", "ls"})[0]["canRollBack"] == false);
  one.say({"plugin", "load", "some/../b.so", "--set", "path=/x y", "--set", "depth=2=3"});
  CHECK(desk.noted ==
        "load " + (std::filesystem::current_path() / "b.so").string() + " path=/x y depth=2=3");
  CHECK_THAT(one.say({"plugin", "swap", "search", "/c.so"}),
             Contains("search went from 1 to 2 in 7 ms") && Contains("search.new"));
  CHECK(desk.noted == "swap search /c.so");
  CHECK_THAT(one.say({"plugin", "swap", "search", "/c.so"}),
             Contains("state was lost: search.index: snapshot() threw: \\x1b\n") &&
                 Contains("state was lost: b: large\n"));
  CHECK(one.json({"plugin", "swap", "search", "/c.so"})["notHandedOver"][1] == "b: large");
  const auto back = one.tool({"plugin", "rollback", "search", "--json"});
  CHECK(back.code == 1);
  CHECK(parse_json(back.output)["error"]["code"] == "not_found");
  CHECK(one.tool({"plugin", "load", "/b.so", "--set", "path"}).code == 2);
  const attended without;
  CHECK_THAT(without.tool({"plugin", "ls"}).errors, Contains("takes no plugins"));
}

TEST_CASE("G106: an operator sees which events the node died with, and which are refused") {
  noting_desk desk;
  const attended one(&desk);
  const auto table = one.say({"plugin", "crashes"});
  CHECK_THAT(table, Contains("e1") && Contains("refused") &&
                        Contains("Aborted (6), at libx.so(+0x1f)\n") &&
                        Contains("suspect  1970-01-01T00:00:01") &&
                        Contains("the process was killed\n"));
  CHECK_THAT(table, !Contains("libc.so"));
  const auto all = one.json({"plugin", "crashes", "search"});
  CHECK(all[0]["signal"] == "Aborted (6)");
  CHECK(all[0]["backtrace"] == "libx.so(+0x1f)\nlibc.so");
  CHECK(all[0]["refused"] == true);
  CHECK(all[1]["deaths"] == 1);
  CHECK(all[1]["proven"] == 0);
  CHECK(all[1]["backtrace"] == "");
  CHECK_THAT(one.say({"plugin", "crashes", "quiet"}), Contains("no event has been"));
}

TEST_CASE("edupulse: a command line that makes no sense exits with 2 and names what is near") {
  const auto wrong = [](std::vector<std::string> arguments) {
    const auto it = run(std::move(arguments));
    INFO(it.errors);
    CHECK(it.code == 2);
    CHECK(it.output.empty());
    CHECK_THAT(it.errors, StartsWith("edupulse: "));
    return it.errors;
  };
  CHECK_THAT(wrong({"node", "stauts"}), Contains("did you mean \"status\"?"));
  CHECK_THAT(wrong({"--socket", "x", "handlers", "ls"}), Contains("did you mean \"handler\"?"));
  CHECK_THAT(wrong({"dead", "ls", "--subscripton", "x"}),
             Contains("did you mean \"--subscription\"?"));
  wrong({});
  wrong({"dead"});
  wrong({"dead", "show", "-1"});
  wrong({"dead", "show", "first"});
  wrong({"dead", "ls", "--limit", "1001"});
  wrong({"dead", "retry", "1", "--subscription", "x"});
  CHECK_THAT(wrong({"dead", "retry"}), Contains("which letters?"));
  CHECK_THAT(wrong({"node", "status"}), Contains("which node?"));
  const auto help = run({"--help"});
  CHECK(help.code == 0);
  CHECK_THAT(help.output, Contains("Exit codes: 0 done, 1 the node said no"));
}

TEST_CASE("edupulse: the address of a broker may stand in a file, and its password nowhere else") {
  scratch_dir home;
  auto at = start_quiet({.data_dir = home.path()});
  std::string asked;
  const auto control =
      control_socket::open(at, {.transports = [&](std::string_view url) -> expected<transport_ptr> {
                             asked = url;
                             return fail(errc::io, "nobody is there");
                           }})
          .value();
  const auto file = (home.path() / "broker").string();
  const auto add = [&] {
    return run({"mirror", "add", "copy", "--to", "@" + file, "--data", home.path().string()});
  };
  CHECK_THAT(add().errors, Contains("cannot read \"" + file + "\""));
  write_text(file, "nats://u:secret@host:4222?topic=a\r\n\n");
  CHECK_THAT(add().errors, Contains("nobody is there"));
  CHECK(asked == "nats://u:secret@host:4222?topic=a");
  for (const std::string bad : {"", "\nnats://host", "nats://host\nnats://other\n"}) {
    write_text(file, bad);
    const auto refused = add();
    CHECK(refused.code == 2);
    CHECK_THAT(refused.errors, Contains("in one line, and nothing else"));
  }
}

TEST_CASE("G90: edupulse believes no socket of another user's") {
  if (::geteuid() != 0 || !std::filesystem::exists("/usr/bin/setpriv")) {
    WARN("only root can be two other users: skipped");
    return;
  }
  constexpr uid_t somebody = 12345;
  scratch_dir home;
  std::filesystem::permissions(home.path(), std::filesystem::perms{0777});
  const std::string path = home / "s";
  std::unique_ptr<control::listener> door;
  std::thread([&] { // the system call, unlike the library's, is for one thread
    if (::syscall(SYS_setresuid, -1, somebody, -1) == 0)
      door = control::listener::open(path).value();
  })
      .join();
  REQUIRE(door);
  std::filesystem::permissions(path, std::filesystem::perms{0666});
  program it("setpriv", {"--reuid=54321", "--clear-groups", EDUPULSE_TOOL_PROGRAM, "node", "status",
                         "--socket", path});
  CHECK(it.wait() == 3);
  CHECK_THAT(it.errors(), Contains("is another user's"));
}

TEST_CASE("edupulse: where no node answers, or what answers is none, the code is 3") {
  scratch_dir home;
  const std::string path = home / "s";
  const auto nobody = [&] {
    const auto it = run({"node", "status", "--socket", path});
    INFO(it.output << it.errors);
    CHECK(it.code == 3);
    CHECK(it.output.empty());
    return it.errors;
  };
  CHECK_THAT(nobody(), Contains("no node answers at"));
  using namespace std::string_literals;
  const auto lied = [&](const std::string& bytes) {
    const liar one(path, bytes);
    return nobody();
  };
  CHECK_THAT(lied(""), Contains("closed the connection"));
  CHECK_THAT(lied("HTTP/1.1 200 OK\r\n\r\n"), Contains("version 1"));
  CHECK_THAT(lied("\xf8\xff\xff\xff\1\0\0\0"s), Contains("the limit is"));
  CHECK_THAT(lied("\x10\0\0\0\1\0\0\0\0\0\0\0\1\0\0\0\xfc\xff\xff\x7f\xff\xff\xff\xff"s),
             Contains("makes no sense"));
}
