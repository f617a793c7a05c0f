#pragma once
// An Elasticsearch index, over its bulk and search APIs.

#include "batch_plan.hpp"
#include "http_client.hpp"
#include "search_index.hpp"

namespace edupulse::search {

struct elasticsearch_options {
  /// From `check_base_url`: http://localhost:9200
  std::string url;
  std::string index = "lessons";
  /// Of one bulk request. The server's own limit (http.max_content_length) is 100 MiB.
  std::size_t max_request_bytes = 8u << 20;
  http_options http{};
};

class elasticsearch_index final : public search_index {
public:
  explicit elasticsearch_index(elasticsearch_options options);

  std::vector<outcome> apply(std::span<const change> batch) override;
  expected<std::vector<hit>> find(std::string_view query, std::size_t limit) override;
  std::string describe() const override;

private:
  std::optional<std::string> send(batch_part part);
  void read_items(const std::string& answer, batch_part part) const;
  std::string path(std::string_view operation) const;

  elasticsearch_options options_;
  http_client http_;
};

} // namespace edupulse::search
