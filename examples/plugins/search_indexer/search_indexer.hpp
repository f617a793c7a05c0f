#pragma once
// Keeps a search index of the lessons: SQLite FTS5, Elasticsearch or Meilisearch.

#include "indexer.hpp"
#include <edupulse/plugin.hpp>
#include <memory>

/// Throws std::invalid_argument, saying which setting makes no sense. An index that cannot be
/// reached is none of that: it is waited for.
std::unique_ptr<edupulse::search::search_index>
index_from(const edupulse::plugin_settings& settings);

class search_indexer final : public edupulse::search::indexer {
public:
  explicit search_indexer(const edupulse::plugin_settings& settings);
};
