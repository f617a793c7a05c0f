#include "search_indexer.hpp"
#include "elasticsearch_index.hpp"
#include "fts5_index.hpp"
#include "meilisearch_index.hpp"
#include <stdexcept>

using namespace edupulse::search;

namespace {

template <class Options>
Options server_from(const edupulse::plugin_settings& settings, const char* key_scheme) {
  const auto url = check_base_url(settings.text("url"));
  if (!url)
    throw std::invalid_argument("setting 'url': " + url.error().text);
  Options to{.url = *url, .index = std::string(settings.text("index"))};
  if (const auto key = settings.text("key"); !key.empty())
    to.http.headers = {std::string("Authorization: ") + key_scheme + std::string(key)};
  return to;
}

std::shared_ptr<index_desk> desk_from(const edupulse::plugin_settings& settings) {
  return std::make_shared<index_desk>(index_from(settings),
                                      std::chrono::seconds(settings.integer("outage-limit-s")));
}

} // namespace

std::unique_ptr<search_index> index_from(const edupulse::plugin_settings& settings) {
  const auto backend = settings.text("backend");
  if (backend == "elasticsearch")
    return std::make_unique<elasticsearch_index>(
        server_from<elasticsearch_options>(settings, "ApiKey "));
  if (backend == "meilisearch")
    return std::make_unique<meilisearch_index>(
        server_from<meilisearch_options>(settings, "Bearer "));
  if (backend != "sqlite")
    throw std::invalid_argument("setting 'backend' is sqlite, elasticsearch or meilisearch");
  if (settings.text("path").empty())
    throw std::invalid_argument("setting 'path': where is the index's file?");
  return std::make_unique<fts5_index>(fts5_options{.file = settings.text("path")});
}

search_indexer::search_indexer(const edupulse::plugin_settings& settings)
    : indexer(desk_from(settings)) {}

EDUPULSE_PLUGIN(edupulse::plugin("search-indexer", "1.0.0")
                    .about("Keeps a search index of the lessons")
                    .setting("backend", "sqlite", "sqlite, elasticsearch or meilisearch")
                    .setting("path", "", "the index's file, for sqlite")
                    .setting("url", "", "of the server, for the other two")
                    .setting("index", "lessons", "its name on the server")
                    .setting("key", "", "for the server: an API key")
                    .setting("outage-limit-s", 3600,
                             "after so long an outage lessons are dead letters")
                    .handler<void, search_indexer>("indexer",
                                                   {.filter = "lesson.>",
                                                    .overload = edupulse::overload_policy::strict,
                                                    .time_limit = std::chrono::seconds(60)}));
