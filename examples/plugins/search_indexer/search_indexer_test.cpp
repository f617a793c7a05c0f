#include "catch.hpp"
#include "lesson.capnp.h"
#include "search_indexer.hpp"
#include <cstdlib>
#include <edupulse/testing.hpp>
#include <filesystem>

namespace {

namespace fs = std::filesystem;

/// Gone at the end.
struct folder {
  folder() {
    std::string name = fs::temp_directory_path() / "search-indexer-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path = name;
  }
  ~folder() { fs::remove_all(path); }
  fs::path path;
};

edupulse::plugin_settings settings_with(std::string backend, std::string path, std::string url) {
  edupulse::plugin_settings settings;
  settings.set("backend", std::move(backend));
  settings.set("path", std::move(path));
  settings.set("url", std::move(url));
  settings.set("index", "lessons");
  settings.set("key", "");
  settings.set("outage-limit-s", std::int64_t{3600});
  return settings;
}

struct indexing {
  explicit indexing(const edupulse::plugin_settings& settings) {
    REQUIRE(bus.subscribe("lesson.>", "indexer",
                          [settings] { return std::make_unique<search_indexer>(settings); }));
  }
  void publish(const char* id, const char* title) {
    REQUIRE(bus.publish<LessonPublished>([&](auto lesson) {
      lesson.setLessonId(id);
      lesson.setTitle(title);
    }));
  }
  edupulse::testing::bus bus;
};

} // namespace

TEST_CASE("search-indexer: a lesson can be found until it is withdrawn") {
  const folder place;
  const auto settings = settings_with("sqlite", place.path / "index.sqlite", "");
  indexing by(settings);
  by.publish("a", "Quantum Mechanics");
  by.publish("b", "Opera");
  const auto found = [&](const char* what) { return index_from(settings)->find(what, 10)->size(); };
  CHECK(found("quantum") == 1);
  REQUIRE(by.bus.publish<LessonWithdrawn>([](auto lesson) { lesson.setLessonId("a"); }));
  CHECK(found("quantum") == 0);
  CHECK(by.bus.handled("indexer") == 3);
}

TEST_CASE("search-indexer: lessons wait while the index is away") {
  const folder place;
  indexing by(settings_with("sqlite", place.path / "later/index.sqlite", ""));
  by.publish("a", "Quantum Mechanics");
  by.bus.advance(std::chrono::seconds(30));
  CHECK(by.bus.subscriptions().front().state == "unavailable");
  CHECK(by.bus.dead_letters().empty());
  fs::create_directory(place.path / "later");
  by.bus.advance(std::chrono::seconds(30));
  CHECK(by.bus.handled("indexer") == 1);
}

TEST_CASE("search-indexer: a server that nobody runs is waited for, too") {
  for (const char* backend : {"elasticsearch", "meilisearch"}) {
    INFO(backend);
    indexing by(settings_with(backend, "", "http://127.0.0.1:1"));
    by.publish("a", "Quantum Mechanics");
    CHECK(by.bus.subscriptions().front().state == "unavailable");
  }
}

TEST_CASE("search-indexer: settings that make no sense are said at the start") {
  CHECK_THROWS_WITH(index_from(settings_with("sqlite", "", "")),
                    "setting 'path': where is the index's file?");
  CHECK_THROWS_WITH(index_from(settings_with("grep", "", "")),
                    "setting 'backend' is sqlite, elasticsearch or meilisearch");
  CHECK_THROWS(index_from(settings_with("elasticsearch", "", "ftp://example.org")));
}
