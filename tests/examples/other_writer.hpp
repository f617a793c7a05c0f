#pragma once
// Another program that uses the index file, as far as SQLite can tell.

#include "tests/support/catch.hpp"
#include <filesystem>
#include <sqlite3.h>

namespace edupulse::test {

class other_writer {
public:
  explicit other_writer(const std::filesystem::path& file) {
    REQUIRE(sqlite3_open(file.c_str(), &db_) == SQLITE_OK);
  }
  other_writer(const other_writer&) = delete;
  other_writer& operator=(const other_writer&) = delete;
  ~other_writer() { sqlite3_close(db_); }
  void run(const char* sql) {
    REQUIRE(sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) == SQLITE_OK);
  }

private:
  sqlite3* db_ = nullptr;
};

} // namespace edupulse::test
