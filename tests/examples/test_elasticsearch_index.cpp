#include "elasticsearch_index.hpp"
#include "tests/examples/changes.hpp"
#include "tests/examples/stand_in.hpp"

using namespace edupulse;
using namespace edupulse::search;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

elasticsearch_options impatient(const std::string& url) {
  elasticsearch_options options{.url = url};
  options.http.timeout = 300ms;
  options.http.connect_timeout = 300ms;
  return options;
}

elasticsearch_options patient(const std::string& url) { return {.url = url}; }

const std::vector<change> three = {put("lesson-1", "Quantum Mechanics 101"),
                                   put("lesson-2", "Opera"), put("lesson-3", "Tides")};

} // namespace

TEST_CASE("elasticsearch: what was indexed can be found, best title first") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(std::vector{put("a", "Opera", "Nothing about quantum mechanics."),
                                      put("b", "Quantum Mechanics 101")})) == "ok ok");
  const auto hits = index.find("quantum mechanics", 10);
  REQUIRE(hits);
  REQUIRE(hits->size() == 2);
  CHECK(hits->at(0).lesson_id == "b");
  CHECK(hits->at(0).title == "Quantum Mechanics 101");
  CHECK(hits->at(0).score > hits->at(1).score);
  CHECK(server.complaints().empty());
}

TEST_CASE("elasticsearch: a batch sent twice leaves what it left the first time") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(server.lessons().size() == 3);
}

TEST_CASE("elasticsearch: titles with quotes, newlines and other alphabets arrive as they are") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  const std::string title = "\"Weird\" \\ title\nwith\ttabs, \x01, Übung, 量子力学";
  CHECK(kinds(index.apply(std::vector{put("id \"1\"\n", title)})) == "ok");
  REQUIRE(server.lessons().count("id \"1\"\n") == 1);
  CHECK(server.lessons().at("id \"1\"\n").title == title);
}

TEST_CASE(
    "elasticsearch: a withdrawn lesson is gone, and withdrawing one that is not there is fine") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(kinds(index.apply(std::vector{withdraw("lesson-2"), withdraw("never-was")})) == "ok ok");
  CHECK(server.lessons().count("lesson-2") == 0);
  CHECK(server.lessons().size() == 2);
}

TEST_CASE("elasticsearch: the last of several changes to one lesson wins") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(std::vector{put("a", "old"), put("b", "b"), put("a", "new"),
                                      withdraw("b")})) == "ok ok ok ok");
  CHECK(server.lessons().size() == 1);
  CHECK(server.lessons().at("a").title == "new");
}

TEST_CASE("elasticsearch: an earlier change is tried again when the later one is refused") {
  elasticsearch_stand_in server;
  server.refuse_lesson("a", 400, "mapper_parsing_exception", "failed to parse field [title]");
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(std::vector{put("a", "good"), put("a", "bad")})) == "retry reject");
}

TEST_CASE("elasticsearch: items of one answer have each their own outcome") {
  elasticsearch_stand_in server;
  server.refuse_lesson("busy", 429, "es_rejected_execution_exception", "rejected execution");
  server.refuse_lesson("bad", 400, "mapper_parsing_exception", "failed to parse field [title]");
  server.refuse_lesson("down", 503, "unavailable_shards_exception", "primary shard is not active");
  server.refuse_lesson("full", 403, "cluster_block_exception", "index [lessons] blocked");
  server.refuse_lesson("race", 409, "version_conflict_engine_exception", "version conflict");
  elasticsearch_index index(patient(server.url()));
  const auto outcomes =
      index.apply(std::vector{put("good", "t"), put("busy", "t"), put("bad", "t"), put("down", "t"),
                              put("full", "t"), put("race", "t")});
  CHECK(kinds(outcomes) == "ok retry reject retry retry retry");
  CHECK(contains(outcomes[1].reason(), "es_rejected_execution_exception"));
  CHECK(contains(outcomes[2].reason(), "failed to parse field [title]"));
  server.accept_lesson("busy");
  CHECK(kinds(index.apply(std::vector{put("busy", "t")})) == "ok");
}

TEST_CASE("elasticsearch: a whole request refused with 429 waits as long as the server says") {
  elasticsearch_stand_in server;
  server.answer_next(429, R"({"error":{"type":"es_rejected_execution_exception"},"status":429})",
                     7);
  elasticsearch_index index(patient(server.url()));
  const auto outcomes = index.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(outcomes[0].after() == duration(7s));
  CHECK(kinds(index.apply(three)) == "ok ok ok");
}

TEST_CASE("elasticsearch: 502, 503 and 504 are outages, and nobody's fault") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  for (const int status : {500, 502, 503, 504}) {
    server.answer_next(status, "<html>gateway</html>");
    const auto outcomes = index.apply(three);
    CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
    CHECK(contains(outcomes[0].reason(), std::to_string(status)));
  }
}

TEST_CASE("elasticsearch: a server that does not answer in time is unavailable") {
  elasticsearch_stand_in server;
  server.hang_next();
  elasticsearch_index index(impatient(server.url()));
  const auto outcomes = index.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(contains(outcomes[0].reason(), "timed out"));
}

TEST_CASE("elasticsearch: a dropped connection, a slammed door, a closed port are outages") {
  elasticsearch_stand_in server;
  server.drop_next();
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
  CHECK(kinds(index.apply(three)) == "ok ok ok");

  slammed_door door;
  elasticsearch_index at_door(patient(door.url()));
  CHECK(kinds(at_door.apply(three)) == "unavailable unavailable unavailable");

  elasticsearch_index nowhere(patient("http://127.0.0.1:" + std::to_string(closed_port())));
  const auto outcomes = nowhere.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(contains(outcomes[0].reason(), "onnect")); // curl's words, with or without a capital
}

TEST_CASE("elasticsearch: an answer that is not Elasticsearch's is an outage, not a success") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  for (const char* body : {"", "hello", "{}", R"({"items":[]})", R"({"items":[{"index":{}}]})",
                           R"({"errors":false,"items":{"a":1}})"}) {
    server.answer_next(200, body);
    CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
  }
  server.answer_next(200, R"({"items":[{"index":{}},{},{"index":{"status":200}}]})");
  CHECK(kinds(index.apply(three)) == "retry retry ok");
}

TEST_CASE("elasticsearch: a request refused as malformed is halved until the culprit is alone") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  server.answer_next(400, R"({"error":"whole"})"); // three
  server.answer_next(413, "");                     // the first
  CHECK(kinds(index.apply(three)) == "reject ok ok");
  CHECK(server.lessons().size() == 2);
}

TEST_CASE("elasticsearch: lessons with impossible ids are refused, the others indexed") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(std::vector{put("", "no id"), put(std::string(513, 'x'), "long"),
                                      put(std::string(512, 'x'), "just right")})) ==
        "reject reject ok");
  CHECK(server.complaints().empty());
}

TEST_CASE("elasticsearch: a large batch goes in several requests") {
  elasticsearch_stand_in server;
  auto options = patient(server.url());
  options.max_request_bytes = 1000;
  elasticsearch_index index(options);
  std::vector<change> batch;
  for (int i = 0; i < 40; ++i)
    batch.push_back(put("lesson-" + std::to_string(i), "t", std::string(180, 'b')));
  for (const outcome& each : index.apply(batch))
    CHECK(each.is_ok());
  CHECK(server.lessons().size() == 40);
  CHECK(server.requests().size() == 10);
}

TEST_CASE("elasticsearch: wrong credentials are said, the right ones sent, none shown") {
  elasticsearch_stand_in server;
  server.demand_key("secret");
  elasticsearch_index without(patient(server.url()));
  const auto outcomes = without.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(contains(outcomes[0].reason(), "check the key"));
  auto options = patient(server.url());
  options.http.headers = {"Authorization: ApiKey secret"};
  elasticsearch_index with(options);
  CHECK(kinds(with.apply(three)) == "ok ok ok");
  CHECK(without_secrets("http://me:pass@host:9200/x") == "http://host:9200/x");
}

TEST_CASE("elasticsearch: nothing is found where nothing was indexed; trouble is an error") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  const auto none = index.find("quantum", 5);
  REQUIRE(none);
  CHECK(none->empty());
  server.answer_next(503, "");
  CHECK(index.find("quantum", 5).error().code == errc::io);
  server.answer_next(200, "{}");
  server.answer_next(200, "[]");
  CHECK(index.find("quantum", 5).error().code == errc::io);
}

TEST_CASE("elasticsearch: an empty batch is nothing to do") {
  elasticsearch_stand_in server;
  elasticsearch_index index(patient(server.url()));
  CHECK(index.apply({}).empty());
  CHECK(server.requests().empty());
}

TEST_CASE("search servers: an address must be one of http or https") {
  const auto code_of = [](const expected<std::string>& result) {
    return result ? errc{} : result.error().code;
  };
  for (const char* bad : {"", "localhost:9200", "ftp://host", "http://", "http:///x",
                          "http://host/?q=1", "http://host\n", "file:///etc/passwd"})
    CHECK(code_of(check_base_url(bad)) == errc::invalid_option);
  CHECK(check_base_url("http://localhost:9200/").value() == "http://localhost:9200");
  CHECK(check_base_url("https://host/prefix//").value() == "https://host/prefix");
}
