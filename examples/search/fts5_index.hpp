#pragma once
// The embedded index: a file, SQLite's FTS5, ranked by BM25.

#include "search_index.hpp"
#include <filesystem>
#include <memory>

struct sqlite3;

namespace edupulse::search {

struct fts5_options {
  /// Made when it is not there.
  std::filesystem::path file;
  /// How long to wait for another process that writes. Too short: `unavailable` for nothing. Too
  /// long: the handler's time limit passes. Keep well below it.
  std::chrono::milliseconds busy_timeout = std::chrono::seconds(2);
  /// Largest size of the file in pages of 4 KiB. 0: as the disk allows.
  int max_pages = 0;
  /// Only look things up.
  bool read_only = false;
};

/// The file is opened by the first call that needs it, and again after it was in trouble: an index
/// that cannot be opened is `unavailable` rather than an error of the constructor.
class fts5_index final : public search_index {
public:
  explicit fts5_index(fts5_options options) : options_(std::move(options)) {}

  std::vector<outcome> apply(std::span<const change> batch) override;
  expected<std::vector<hit>> find(std::string_view query, std::size_t limit) override;
  std::string describe() const override;
  /// Lessons that can be found. Errors: `io`.
  expected<std::size_t> count();

private:
  struct closer {
    void operator()(sqlite3* db) const noexcept;
  };

  int open();
  int prepare_file();
  int write(std::span<const change> batch, std::vector<outcome>& results);
  int write_one(const change& what);
  expected<std::vector<hit>> match(const std::string& expression, std::size_t limit);
  std::string trouble(int code) const;
  int run(const char* sql);

  fts5_options options_;
  std::unique_ptr<sqlite3, closer> db_;
};

} // namespace edupulse::search
