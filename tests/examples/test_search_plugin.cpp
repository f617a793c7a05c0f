// examples/plugins/search_indexer before servers that stand in for the real ones.

#include "lesson.capnp.h"
#include "search_indexer.hpp"
#include "tests/examples/stand_in.hpp"
#include "tests/support/catch.hpp"
#include <edupulse/testing.hpp>

using namespace edupulse;
using namespace edupulse::test;
using namespace std::chrono_literals;

namespace {

/// The plugin's handler on a bus, told to use that server.
struct indexing {
  indexing(const char* backend, const std::string& url) {
    plugin_settings settings;
    settings.set("backend", backend);
    settings.set("url", url);
    settings.set("index", "lessons");
    settings.set("key", "secret");
    settings.set("outage-limit-s", std::int64_t{3600});
    REQUIRE(bus.subscribe("lesson.>", "indexer",
                          [settings] { return std::make_unique<search_indexer>(settings); }));
  }
  void publish(const char* id) {
    REQUIRE(bus.publish<LessonPublished>([&](auto lesson) { lesson.setLessonId(id); }));
  }
  testing::bus bus;
};

template <class Server> void indexes_through_an_outage(const char* backend) {
  Server server;
  server.demand_key("secret");
  indexing by(backend, server.url());
  by.publish("a");
  CHECK(server.lessons().count("a") == 1);
  server.answer_next(503, "too busy");
  by.publish("b");
  CHECK(by.bus.subscriptions().front().state == "unavailable");
  by.publish("c");
  CHECK(server.lessons().size() == 1);
  by.bus.advance(30s);
  CHECK(server.lessons().size() == 3);
  CHECK(by.bus.handled("indexer") == 3);
  CHECK(by.bus.dead_letters().empty());
  CHECK(server.complaints().empty());
}

} // namespace

TEST_CASE("search-indexer: lessons go to Elasticsearch, and wait for it in an outage") {
  indexes_through_an_outage<elasticsearch_stand_in>("elasticsearch");
}

TEST_CASE("search-indexer: lessons go to Meilisearch, and wait for it in an outage") {
  indexes_through_an_outage<meilisearch_stand_in>("meilisearch");
}

TEST_CASE("search-indexer: a lesson that the server refuses is a dead letter, and others go on") {
  elasticsearch_stand_in server;
  server.demand_key("secret");
  server.refuse_lesson("bad", 400, "mapper_parsing_exception", "failed to parse field [title]");
  indexing by("elasticsearch", server.url());
  by.publish("bad");
  by.publish("good");
  by.bus.advance(1s);
  CHECK(by.bus.expect_dead_letter("indexer", "failed to parse"));
  CHECK(server.lessons().count("good") == 1);
}
