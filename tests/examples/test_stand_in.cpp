// The stand-ins refuse what the real servers refuse: else passing against them would mean little.

#include "http_client.hpp"
#include "tests/examples/changes.hpp"
#include "tests/examples/stand_in.hpp"

using namespace edupulse::search;
using namespace edupulse::test;

namespace {

constexpr const char* ndjson = "application/x-ndjson";

long bulk(elasticsearch_stand_in& server, const std::string& body,
          const std::string& type = ndjson) {
  http_client http{{}};
  return http.post(server.url() + "/lessons/_bulk", type, body).value().status;
}

} // namespace

TEST_CASE("stand-in: Elasticsearch refuses a bulk request that is not as documented") {
  elasticsearch_stand_in server;
  const std::string good = "{\"index\":{\"_id\":\"1\"}}\n{\"title\":\"t\"}\n";
  CHECK(bulk(server, good) == 200);
  CHECK(bulk(server, good + "{\"delete\":{\"_id\":\"1\"}}\n") == 200);
  CHECK(bulk(server, good, "text/plain") == 406);
  CHECK(bulk(server, "") == 400);
  CHECK(bulk(server, good.substr(0, good.size() - 1)) == 400); // no newline at the end
  CHECK(bulk(server, "{\"index\":{\"_id\":\"1\"}}\n") == 400); // no source
  CHECK(bulk(server, "{\"title\":\"t\"}\n") == 400);
  CHECK(bulk(server, "{\"put\":{\"_id\":\"1\"}}\n{}\n") == 400);
  CHECK(bulk(server, "{\"index\":{\"_key\":\"1\"}}\n{}\n") == 400);
  CHECK(bulk(server, "{\"delete\":{}}\n") == 400);
  CHECK(bulk(server, "[" + good + "]\n") == 400);
  CHECK(bulk(server, "\n" + good) == 400);
  CHECK(bulk(server, "{\"index\":{\"_id\":\"" + std::string(513, 'x') + "\"}}\n{}\n") == 400);
  CHECK(server.complaints().size() == 11);
  CHECK(server.lessons().empty());
}

TEST_CASE("stand-in: Meilisearch refuses a request that is not as documented") {
  meilisearch_stand_in server;
  http_client http{{}};
  const auto post = [&](const std::string& body, const std::string& type = "application/json") {
    return http.post(server.url() + "/indexes/lessons/documents?primaryKey=lessonId", type, body)
        .value()
        .status;
  };
  CHECK(post(R"([{"lessonId":"1"}])") == 202);
  CHECK(post(R"([{"lessonId":"1"}])", "text/plain") == 415);
  CHECK(post("[{") == 400);
  CHECK(post("\"1\"") == 400);
  CHECK(http.get(server.url() + "/tasks/7").value().status == 404);
}

TEST_CASE("stand-in: a Meilisearch task is enqueued, processing, then done, and fails as a whole") {
  meilisearch_stand_in server;
  http_client http{{}};
  const std::string documents = server.url() + "/indexes/lessons/documents";
  const auto ask = [&](int task) {
    return http.get(server.url() + "/tasks/" + std::to_string(task)).value().body;
  };
  http.post(documents + "?primaryKey=lessonId", "application/json",
            R"([{"lessonId":"good"},{"lessonId":"not good"}])")
      .value();
  CHECK(contains(ask(0), "\"enqueued\""));
  CHECK(contains(ask(0), "\"processing\""));
  CHECK(contains(ask(0), "invalid_document_id"));
  CHECK(server.lessons().empty());
  http.post(documents, "application/json", R"([{"lessonId":"good"}])").value();
  ask(1);
  ask(1);
  CHECK(contains(ask(1), "index_primary_key_multiple_candidates_found"));
}
