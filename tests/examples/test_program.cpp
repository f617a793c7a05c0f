// edupulse-search from outside: what goes in, what comes out, how it ends.

#include "json_text.hpp"
#include "tests/examples/changes.hpp"
#include "tests/examples/stand_in.hpp"
#include "tests/support/program.hpp"
#include "tests/support/scratch_dir.hpp"
#include <algorithm>
#include <csignal>
#include <fcntl.h>
#include <fstream>
#include <sys/socket.h>
#include <sys/un.h>
#include <thread>
#include <unistd.h>

using namespace edupulse::search;
using namespace edupulse::test;

namespace {

struct finished {
  int code = 0;
  std::string output;
  std::string errors;
};

finished run(std::vector<std::string> arguments, const std::string& input = {}) {
  program it(EDUPULSE_SEARCH_PROGRAM, std::move(arguments));
  if (!input.empty())
    it.write(input);
  it.close_input();
  const int code = it.wait();
  return {code, it.output(), it.errors()};
}

/// Nothing on standard output, and one sentence on standard error that says all of `says`.
void check_refused(const std::vector<std::string>& arguments, int code,
                   const std::vector<std::string>& says) {
  const auto done = run(arguments);
  INFO("edupulse-search " << Catch::rangeToString(arguments) << ": " << done.errors);
  CHECK(done.code == code);
  CHECK(done.output.empty());
  CHECK(done.errors.starts_with("edupulse-search: "));
  CHECK(std::count(done.errors.begin(), done.errors.end(), '\n') == 1);
  for (const auto& each : says)
    CHECK(contains(done.errors, each));
}

std::string lesson(const std::string& id, const std::string& title) {
  return R"({"name":"lesson.published","lessonId":")" + id + R"(","teacherId":"t","title":")" +
         title + "\",\"body\":\"A body.\"}\n";
}

json_view line_of(const json_view& report, const std::string& topic, const std::string& who) {
  for (const json_view each : report["ledger"].items())
    if (each["topic"].text() == topic && each["subscription"].text() == who)
      return each;
  return {};
}

} // namespace

TEST_CASE("edupulse-search: the sample, as ./dev run shows it") {
  const auto done = run({"--query", "quantum mechanics"});
  INFO(done.output << done.errors);
  CHECK(done.code == 0);
  CHECK(contains(done.errors, "published")); // progress
  CHECK(contains(done.output, "balanced: published = handled"));
  CHECK(contains(done.output, "Dead letters: 5"));
  CHECK(contains(done.output, "the audit refuses one lesson in 251"));
  CHECK(contains(done.output, "Lessons about \"quantum mechanics\""));
  CHECK(contains(done.output, "  1  "));
  CHECK(contains(done.output, "Quantum Mechanics 101"));
  CHECK_FALSE(contains(done.output, "\x1b")); // no colors in a file
}

TEST_CASE("edupulse-search: the ledger of the sample, as JSON, to the last event") {
  const auto done = run({"--json", "--quiet", "-q", "quantum mechanics", "-q", "alchemy xyzzy"});
  CHECK(done.code == 0);
  CHECK(done.errors.empty());
  const auto report = json_document::parse(done.output);
  REQUIRE(report);
  const auto root = report->root();
  CHECK(root["balanced"].truth());
  CHECK(root["published"].number() == 1330);
  CHECK(root["skipped"].number() == 0);
  const auto indexed = line_of(root, "lesson.published", "search-indexer");
  CHECK(indexed["published"].number() == 1274);
  CHECK(indexed["handled"].number() == 1274);
  const auto audited = line_of(root, "lesson.published", "auditor");
  CHECK(audited["handled"].number() == 1269);
  CHECK(audited["dead"].number() == 5);
  CHECK(audited["crashes"].number() == 13);
  CHECK(root["dead_letters"].items().size() == 5);
  CHECK(root["queries"].items().at(0)["hits"].items().size() == 10);
  CHECK(contains(root["queries"].items().at(0)["hits"].items().at(0)["title"].text(),
                 "Quantum Mechanics"));
  CHECK(root["queries"].items().at(1)["hits"].items().empty());
}

TEST_CASE(
    "edupulse-search: bad lines are reported with their number and skipped, the rest goes on") {
  std::string nest;
  for (int i = 0; i < 10'000; ++i)
    nest += "[";
  std::string input = lesson("a", "Good"); // 1
  input += R"({"name":"lesson.published","lessonId":"b","tit)"
           "\n"; // 2 truncated
  input += R"({"name":"lesson.published","lessonId":7,"title":{}})"
           "\n";                                                                  // 3 wrong types
  input += R"({"name":"lesson.published","lessonId":"c","title":)" + nest + "\n"; // 4
  input += "{\"name\":\"lesson.published\",\"lessonId\":\"\xFF\xFE\"}\n";         // 5 not UTF-8
  input += "not JSON at all\n\n";                                                 // 6, 7 blank
  input += R"({"name":"lesson.burnt","lessonId":"d"})"
           "\n";                    // 8 unknown event
  input += lesson("e", "Good too"); // 9
  const auto done = run({"--input", "-", "--json", "--quiet"}, input);
  INFO(done.errors);
  CHECK(done.code == 3);
  for (const char* line : {"line 2: ", "line 3: ", "line 4: ", "line 5: ", "line 6: ", "line 8: "})
    CHECK(contains(done.errors, line));
  for (const char* line : {"line 1: ", "line 7: ", "line 9: "})
    CHECK_FALSE(contains(done.errors, line));
  CHECK(contains(done.errors, "lesson.burnt"));
  const auto report = json_document::parse(done.output);
  REQUIRE(report);
  CHECK(report->root()["published"].number() == 2);
  CHECK(report->root()["skipped"].number() == 6);
  CHECK(report->root()["balanced"].truth());
}

TEST_CASE("edupulse-search: a line of more than 1 MiB is skipped, the next one is not") {
  scratch_dir dir;
  std::ofstream(dir / "in.jsonl") << lesson("big", std::string(2u << 20, 'x'))
                                  << lesson("a", "Good");
  const auto done = run({"--input", dir / "in.jsonl", "--json", "--quiet"});
  CHECK(done.code == 3);
  CHECK(contains(done.errors, "line 1: longer than 1 MiB"));
  CHECK(contains(done.output, "\"published\":1,"));
}

TEST_CASE("edupulse-search: unknown fields are counted, and refused with --strict") {
  const std::string input =
      R"({"name":"lesson.published","lessonId":"a","title":"T","mood":"good","x":1})"
      "\n" +
      lesson("b", "B");
  const auto lenient = run({"--input", "-", "--json", "--quiet"}, input);
  CHECK(lenient.code == 0);
  CHECK(contains(lenient.output, "\"published\":2,"));
  CHECK(contains(lenient.output, "\"unknown_fields\":2,"));
  const auto strict = run({"--input", "-", "--json", "--quiet", "--strict"}, input);
  CHECK(strict.code == 3);
  CHECK(contains(strict.output, "\"published\":1,"));
  CHECK(contains(strict.errors, "line 1: "));
  CHECK(contains(strict.errors, "mood"));
}

TEST_CASE("edupulse-search: an index kept in a file is there in the next run") {
  scratch_dir dir;
  const std::string file = dir / "index.sqlite";
  CHECK(run({"--input", "-", "--quiet", "--index", file}, lesson("a", "Alchemy")).code == 0);
  const auto again = run({"--input", "/dev/null", "--quiet", "--index", file, "-q", "alchemy"});
  CHECK(again.code == 0);
  CHECK(contains(again.output, "Alchemy"));
}

TEST_CASE("edupulse-search: an index that is out for good makes dead letters; a redrive mends it") {
  scratch_dir dir;
  const std::string file = dir / "not-there/index.sqlite";
  const std::string kept = dir / "data";
  const auto lost = run({"--input", "-", "--json", "--quiet", "--index", file, "--data-dir", kept,
                         "--outage-limit", "0.3"},
                        lesson("a", "Alchemy") + lesson("b", "Botany"));
  INFO(lost.output << lost.errors);
  CHECK(lost.code == 0);
  const auto report = json_document::parse(lost.output);
  REQUIRE(report);
  CHECK(report->root()["dead_letters"].items().size() == 2);
  CHECK(contains(lost.output, "gave up on the index"));
  CHECK(report->root()["balanced"].truth());

  std::filesystem::create_directory(dir / "not-there");
  const auto mended = run({"--input", "/dev/null", "--json", "--quiet", "--index", file,
                           "--data-dir", kept, "--redrive", "-q", "alchemy", "-q", "botany"});
  INFO(mended.output << mended.errors);
  CHECK(mended.code == 0);
  const auto after = json_document::parse(mended.output);
  REQUIRE(after);
  CHECK(after->root()["dead_letters"].items().empty());
  for (const json_view query : after->root()["queries"].items())
    CHECK(query["hits"].items().size() == 1);
}

TEST_CASE("edupulse-search: Elasticsearch and Meilisearch instead of a file, through a bad day") {
  elasticsearch_stand_in elastic;
  elastic.answer_next(429, "", 0);
  elastic.drop_next();
  elastic.refuse_lesson("lesson-0005", 400, "mapper_parsing_exception", "failed to parse");
  const auto one = run({"--quiet", "--elasticsearch", elastic.url(), "-q", "quantum mechanics"});
  INFO(one.output << one.errors);
  CHECK(one.code == 0);
  CHECK(elastic.complaints().empty());
  CHECK(elastic.lessons().size() == 1254); // 1274 without 19 withdrawn and 1 refused
  CHECK(contains(one.output, "mapper_parsing_exception"));
  CHECK(contains(one.output, "Quantum Mechanics"));

  meilisearch_stand_in meili;
  meili.answer_next(503, "");
  const auto other = run({"--quiet", "--meilisearch", meili.url(), "-q", "quantum mechanics"});
  INFO(other.output << other.errors);
  CHECK(other.code == 0);
  CHECK(meili.complaints().empty());
  CHECK(meili.lessons().size() == 1255);
  CHECK(contains(other.output, "Quantum Mechanics"));
}

TEST_CASE("edupulse-search: Ctrl-C while it waits for input drains and prints the ledger") {
  for (const int number : {SIGINT, SIGTERM}) {
    elasticsearch_stand_in server; // tells when the first lesson was handled
    program it(EDUPULSE_SEARCH_PROGRAM,
               {"--input", "-", "--quiet", "--elasticsearch", server.url()});
    it.write(lesson("a", "Alchemy"));
    while (server.lessons().empty())
      std::this_thread::yield();
    it.signal(number);
    CHECK(it.wait() == 130);
    CHECK(contains(it.output(), "interrupted"));
    CHECK(contains(it.output(), "balanced: published"));
  }
}

TEST_CASE("edupulse-search: Ctrl-C while the index is down ends it, and says what was dropped") {
  elasticsearch_stand_in server;
  server.answer_next(503, "", 3600); // an hour's pause
  program it(EDUPULSE_SEARCH_PROGRAM,
             {"--input", "-", "--quiet", "--json", "--elasticsearch", server.url()});
  it.write(lesson("a", "Alchemy"));
  while (server.requests().empty())
    std::this_thread::yield();
  it.signal(SIGINT);
  CHECK(it.wait() == 130);
  CHECK(contains(it.errors(), "not everything was handled"));
  const auto report = json_document::parse(it.output());
  REQUIRE(report);
  CHECK(report->root()["balanced"].truth());
  CHECK(line_of(report->root(), "lesson.published", "search-indexer")["dropped"].number() == 1);
}

TEST_CASE("edupulse-search: --rate holds back, and can be interrupted") {
  elasticsearch_stand_in server;
  program it(EDUPULSE_SEARCH_PROGRAM,
             {"--quiet", "--rate", "0.001", "--elasticsearch", server.url()});
  while (server.lessons().empty())
    std::this_thread::yield();
  it.signal(SIGINT);
  CHECK(it.wait() == 130);
  CHECK(contains(it.output(), "1 events published"));
}

TEST_CASE("edupulse-search: a wrong command line is one sentence, and nothing is done") {
  const auto help = "edupulse-search --help";
  check_refused({"--nonsense"}, 2, {"not expected: --nonsense", help});
  check_refused({"lessons.jsonl"}, 2, {"not expected: lessons.jsonl", help});
  check_refused({"--input"}, 2, {"--input", "missing", help});
  check_refused({"--rate", "-1"}, 2, {"--rate: ", "-1 not in range 0", help});
  check_refused({"--rate", "fast"}, 2, {"--rate: ", "fast not in range 0", help});
  check_refused({"--limit", "0"}, 2, {"--limit: ", "0 not in range 1 to 1000", help});
  check_refused({"--fail-every", "-3"}, 2, {"--fail-every: ", "-3 not in range 0", help});
  check_refused({"--redrive"}, 2, {"--redrive requires --data-dir", help});
  CHECK(run({"--help"}).code == 0);
}

TEST_CASE(
    "edupulse-search: an empty value is refused, as it is mostly a variable that is not set") {
  for (const char* option :
       {"--query", "--input", "--index", "--elasticsearch", "--meilisearch", "--data-dir"})
    check_refused({option, ""}, 2, {option, "its value is empty; give one"});
  check_refused({"--query", "quantum", "--query", " \t"}, 2, {"--query", "its value is empty"});
}

TEST_CASE("edupulse-search: two indexes at once are refused, and so is what is no address") {
  const auto one = "lessons go into one index, so give one of the two";
  check_refused({"--elasticsearch", "http://localhost:9200", "--meilisearch", "http://localhost"},
                2, {"--elasticsearch excludes --meilisearch", one});
  check_refused({"--index", "a", "--meilisearch", "http://localhost"}, 2,
                {"--index excludes --meilisearch", one});
  check_refused({"--index", "a", "--elasticsearch", "http://localhost"}, 2,
                {"--index excludes --elasticsearch", one});
  for (const char* url : {"localhost", "http://", "ftp://localhost", "http://local host:9200",
                          "http://localhost:99999", "http:///index"})
    for (const char* option : {"--elasticsearch", "--meilisearch"})
      check_refused({option, url}, 2,
                    {url, "is no address of a server", "write it like http://localhost:9200"});
  check_refused({"--elasticsearch", "http://localhost/?q=1"}, 2, {"has a query", "leave it away"});
  const auto secret = run({"--elasticsearch", "ftp://me:pass@localhost"});
  CHECK_FALSE(contains(secret.errors, "pass"));
}

TEST_CASE("edupulse-search: an input that cannot be read is said with its name and the reason") {
  const auto advice = "give a file of JSON lines with --input";
  check_refused({"--input", "/no/such/file"}, 1,
                {"cannot open /no/such/file: No such file or directory", advice});
  check_refused({"--input", "/"}, 1, {"/ is a directory", advice});
  scratch_dir dir;
  sockaddr_un address{}; // what nobody can open, root neither
  address.sun_family = AF_UNIX;
  const std::string socket = dir / "socket";
  REQUIRE(socket.copy(address.sun_path, sizeof address.sun_path - 1) == socket.size());
  const int fd = ::socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
  REQUIRE(::bind(fd, reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0);
  check_refused({"--input", socket}, 1, {"cannot open " + socket, advice});
  ::close(fd);
  if (::geteuid() != 0) { // root may read everything
    std::ofstream(dir / "secret.jsonl") << lesson("a", "Alchemy");
    std::filesystem::permissions(dir / "secret.jsonl", std::filesystem::perms::none);
    check_refused({"--input", dir / "secret.jsonl"}, 1, {"Permission denied", advice});
  }
  check_refused({"--quiet", "--input", "/proc/self/mem"}, 1, // it opens; reading it fails
                {"cannot read the input: Input/output error", "run again when /proc/self/mem"});
}

TEST_CASE("edupulse-search: a data directory that cannot be written is said, and nothing is done") {
  scratch_dir dir;
  std::ofstream(dir / "file") << "not a directory";
  const auto advice = "--data-dir takes a directory that you may write to";
  for (const std::string& place : {(dir / "file").string(), (dir / "file/below").string(),
                                   std::string("/proc"), std::string("/proc/nowhere")})
    check_refused({"--data-dir", place}, 1, {"dead letters in " + place, advice});
}

TEST_CASE("quickstart: one lesson is published and handled") {
  const std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen(EDUPULSE_QUICKSTART, "r"), ::pclose);
  REQUIRE(pipe);
  char text[100] = "";
  REQUIRE(std::fgets(text, sizeof text, pipe.get()) != nullptr);
  CHECK(std::string(text) == "indexing Quantum Mechanics 101\n");
}
