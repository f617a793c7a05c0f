#pragma once
// A Meilisearch index. Its writes are tasks: a request is only queued, and what became of it is
// asked for until it is known.

#include "batch_plan.hpp"
#include "http_client.hpp"
#include "search_index.hpp"

namespace edupulse::search {

struct meilisearch_options {
  /// From `check_base_url`: http://localhost:7700
  std::string url;
  std::string index = "lessons";
  /// Of one request. The server's own limit (--http-payload-size-limit) is about 100 MB.
  std::size_t max_request_bytes = 8u << 20;
  /// How long a task may take. Past it the documents are sent again, which does no harm.
  std::chrono::milliseconds task_timeout = std::chrono::seconds(10);
  http_options http{};
};

class meilisearch_index final : public search_index {
public:
  explicit meilisearch_index(meilisearch_options options);

  std::vector<outcome> apply(std::span<const change> batch) override;
  expected<std::vector<hit>> find(std::string_view query, std::size_t limit) override;
  std::string describe() const override;

private:
  std::optional<std::string> send(batch_part part);
  std::optional<std::string> await_task(std::uint64_t uid, batch_part part);
  std::optional<std::string> conclude(const std::string& task, batch_part part) const;
  std::string path(std::string_view operation) const;

  meilisearch_options options_;
  http_client http_;
};

} // namespace edupulse::search
