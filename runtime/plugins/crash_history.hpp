#pragma once
// How often an event was in a handler's call when the process died; in SQLite.

#include "runtime/plugins/crash_notes.hpp"
#include "runtime/sqlite.hpp"
#include <edupulse/plugin_host.hpp>
#include <filesystem>

namespace edupulse {

struct crash_history {
  static std::filesystem::path file_in(const std::filesystem::path& data_dir) {
    return data_dir / "crashes.sqlite";
  }
  /// Errors: `io`, as of all that follows.
  static expected<crash_history> open(const std::filesystem::path& file);
  /// One more death, each; synced.
  expected<void> add(const std::vector<fatal_call>& calls);
  /// Who has reached a limit, with the reason in words.
  expected<std::map<std::pair<std::string, event_id>, std::string>>
  refused(crash_notes::limits most);
  /// Of handlers of one plugin, or of all when the name is empty; the latest first, at most 1,000.
  expected<std::vector<crash_record>> records(std::string_view plugin, crash_notes::limits most);

  sqlite::database in;
};

} // namespace edupulse
