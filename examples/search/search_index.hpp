#pragma once
// Where lessons go to be found. Three indexes stand behind this interface: SQLite's FTS5 in a file,
// Elasticsearch, and Meilisearch.

#include <cstddef>
#include <edupulse/handler.hpp>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::search {

/// What one event asks of the index.
struct change {
  enum class kind : std::uint8_t { put, withdraw };
  kind what = kind::put;
  std::string lesson_id{};
  std::string teacher_id{}; ///< this and the following only for `put`
  std::string title{};
  std::string body{};
};

struct hit {
  std::string lesson_id;
  std::string title;
  double score = 0; ///< larger is better; comparable within one answer only
};

/// One thread at a time. Both calls may block, for seconds when the index is in trouble.
class search_index {
public:
  virtual ~search_index() = default;

  /// Carries out all changes in order and answers one outcome for each: `ok`, `retry` or `reject`
  /// when the matter is that document, `unavailable` for what the index cannot take now. Doing a
  /// change twice is the same as doing it once, so whatever is in doubt may be sent again.
  virtual std::vector<outcome> apply(std::span<const change> batch) = 0;

  /// The best `limit` lessons first. Errors: `io`.
  virtual expected<std::vector<hit>> find(std::string_view query, std::size_t limit) = 0;

  /// For people: what it is and where.
  virtual std::string describe() const = 0;
};

/// `what` for each of `count` changes.
inline std::vector<outcome> for_all(std::size_t count, const outcome& what) {
  return std::vector<outcome>(count, what);
}

} // namespace edupulse::search
