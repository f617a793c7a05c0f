#include "meilisearch_index.hpp"
#include "tests/examples/changes.hpp"
#include "tests/examples/stand_in.hpp"

using namespace edupulse;
using namespace edupulse::search;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

meilisearch_options patient(const std::string& url) { return {.url = url}; }

const std::vector<change> three = {put("lesson-1", "Quantum Mechanics 101"),
                                   put("lesson-2", "Opera"), put("lesson-3", "Tides")};

} // namespace

TEST_CASE("meilisearch: a write is done when its task is, and can be found then") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(server.lessons().size() == 3);
  const auto hits = index.find("quantum mechanics", 10);
  REQUIRE(hits);
  REQUIRE(hits->size() == 1);
  CHECK(hits->at(0).lesson_id == "lesson-1");
  CHECK(hits->at(0).score > 0);
  CHECK(server.complaints().empty());
}

TEST_CASE("meilisearch: repeats, withdrawals and several changes to one lesson") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(std::vector{withdraw("never-was")})) == "ok"); // no index yet
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(kinds(index.apply(std::vector{put("a", "old"), withdraw("lesson-2"), put("a", "new"),
                                      put("lesson-3", "T"), withdraw("lesson-3")})) ==
        "ok ok ok ok ok");
  CHECK(server.lessons().size() == 2);
  CHECK(server.lessons().at("a").title == "new");
}

TEST_CASE("meilisearch: a task that fails for one document is halved until that one is alone") {
  meilisearch_stand_in server;
  server.refuse_lesson("bad", 400, "invalid_document_geo_field", "the document is not valid");
  meilisearch_index index(patient(server.url()));
  std::vector<change> batch;
  for (int i = 0; i < 8; ++i)
    batch.push_back(put(i == 5 ? "bad" : "lesson-" + std::to_string(i), "t"));
  const auto outcomes = index.apply(batch);
  CHECK(kinds(outcomes) == "ok ok ok ok ok reject ok ok");
  CHECK(contains(outcomes[5].reason(), "invalid_document_geo_field"));
  CHECK(server.lessons().size() == 7);
}

TEST_CASE("meilisearch: ids it cannot take are refused before they spoil a batch") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  CHECK(kinds(index.apply(std::vector{put("a b", "t"), put("good_1", "t"), put("", "t"),
                                      withdraw("x/y"), put(std::string(512, 'x'), "t"),
                                      put("\xC3\xBC", "t"), withdraw("good-2")})) ==
        "reject ok reject reject reject reject ok");
  CHECK(server.lessons().size() == 1);
}

TEST_CASE("meilisearch: a server out of disk is unavailable, whatever the documents are") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  server.fail_next_task("no_space_left_on_device", "system");
  const auto outcomes = index.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(contains(outcomes[0].reason(), "no_space_left_on_device"));
  server.fail_next_task("internal", "internal");
  CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
  CHECK(kinds(index.apply(three)) == "ok ok ok");
}

TEST_CASE("meilisearch: a task that takes too long is sent again, which does no harm") {
  meilisearch_stand_in server;
  auto options = patient(server.url());
  options.task_timeout = 20ms;
  meilisearch_index index(options);
  server.hold_tasks(true);
  const auto outcomes = index.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(contains(outcomes[0].reason(), "not done yet"));
  server.hold_tasks(false);
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  CHECK(server.lessons().size() == 3);
}

TEST_CASE("meilisearch: a canceled task is a retry") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  server.answer_next(202, R"({"taskUid":0,"status":"enqueued"})");
  server.answer_next(200, R"({"uid":0,"status":"canceled","error":null})");
  CHECK(kinds(index.apply(three)) == "retry retry retry");
}

TEST_CASE("meilisearch: 429 with Retry-After, 503, a dropped connection, no server: outages") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  server.answer_next(429, R"({"code":"too_many_requests"})", 3);
  CHECK(index.apply(three)[0].after() == duration(3s));
  server.answer_next(503, "");
  CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
  server.drop_next();
  CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
  auto quick = patient(server.url());
  quick.http.timeout = 300ms;
  meilisearch_index impatient(quick);
  server.hang_next();
  CHECK(kinds(impatient.apply(three)) == "unavailable unavailable unavailable");
  CHECK(kinds(index.apply(three)) == "ok ok ok");
  meilisearch_index nowhere(patient("http://127.0.0.1:" + std::to_string(closed_port())));
  CHECK(kinds(nowhere.apply(three)) == "unavailable unavailable unavailable");
}

TEST_CASE("meilisearch: an outage between the request and its task loses nothing") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  server.answer_next(202, R"({"taskUid":41,"status":"enqueued"})"); // of before its restart
  CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable"); // 404 task_not_found
  CHECK(kinds(index.apply(three)) == "ok ok ok");
}

TEST_CASE("meilisearch: answers that are not Meilisearch's are outages") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  for (const char* body : {"", "hello", "{}", "[]", R"({"taskUid":"one"})"}) {
    server.answer_next(202, body);
    CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
  }
  server.answer_next(202, R"({"taskUid":0})");
  server.answer_next(200, "<html>");
  CHECK(kinds(index.apply(three)) == "unavailable unavailable unavailable");
}

TEST_CASE("meilisearch: a missing key (401) and a wrong one (403) are said to be that") {
  meilisearch_stand_in server;
  server.demand_key("secret");
  meilisearch_index without(patient(server.url()));
  CHECK(contains(without.apply(three)[0].reason(), "missing_authorization_header"));
  auto options = patient(server.url());
  options.http.headers = {"Authorization: Bearer wrong"};
  meilisearch_index wrong(options);
  const auto outcomes = wrong.apply(three);
  CHECK(kinds(outcomes) == "unavailable unavailable unavailable");
  CHECK(contains(outcomes[0].reason(), "403 (check the key)"));
  options.http.headers = {"Authorization: Bearer secret"};
  meilisearch_index right(options);
  CHECK(kinds(right.apply(three)) == "ok ok ok");
}

TEST_CASE("meilisearch: nothing is found where nothing was indexed; trouble is an error") {
  meilisearch_stand_in server;
  meilisearch_index index(patient(server.url()));
  const auto none = index.find("quantum", 5);
  REQUIRE(none);
  CHECK(none->empty());
  server.answer_next(500, "");
  CHECK(index.find("quantum", 5).error().code == errc::io);
  server.answer_next(200, "{}");
  CHECK(index.find("quantum", 5).error().code == errc::io);
}
