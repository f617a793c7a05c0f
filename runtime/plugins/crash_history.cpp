#include "runtime/plugins/crash_history.hpp"

namespace edupulse {

namespace {

constexpr const char* schema =
    "CREATE TABLE IF NOT EXISTS crashes(handler TEXT, event TEXT, proven INTEGER, "
    "suspected INTEGER, how TEXT, at INTEGER DEFAULT (unixepoch()), PRIMARY KEY(handler, event));"
    "DELETE FROM crashes WHERE at < unixepoch() - 7 * 86400;"
    "DELETE FROM crashes WHERE rowid IN (SELECT rowid FROM crashes ORDER BY at DESC, rowid DESC "
    "LIMIT -1 OFFSET 10000)";

} // namespace

expected<crash_history> crash_history::open(const std::filesystem::path& file) {
  auto in = sqlite::database::open(file.native(), "crashes of handlers");
  if (!in)
    return tl::unexpected(in.error());
  if (auto good = in->run(schema); !good)
    return tl::unexpected(good.error());
  return crash_history{std::move(*in)};
}

expected<void> crash_history::add(const std::vector<fatal_call>& calls) {
  if (calls.empty())
    return {};
  auto all = sqlite::transaction::begin(in);
  if (!all)
    return tl::unexpected(all.error());
  auto insert = in.prepare(
      "INSERT INTO crashes(handler, event, proven, suspected, how) VALUES(?, ?, ?, ?, ?) "
      "ON CONFLICT DO UPDATE SET proven = proven + excluded.proven, "
      "suspected = suspected + excluded.suspected, how = excluded.how, at = unixepoch()");
  if (!insert)
    return tl::unexpected(insert.error());
  for (const auto& one : calls) {
    const auto event = to_string(one.event);
    insert->bind(one.handler).bind(event).bind(std::int64_t{one.proven});
    insert->bind(std::int64_t{!one.proven}).bind(one.how);
    if (auto done = insert->run(); !done)
      return done;
    insert->reset();
  }
  return all->commit();
}

expected<std::map<std::pair<std::string, event_id>, std::string>>
crash_history::refused(crash_notes::limits most) {
  std::map<std::pair<std::string, event_id>, std::string> result;
  auto rows = in.prepare("SELECT handler, event, proven + suspected, how FROM crashes "
                         "WHERE proven >= ? OR proven + suspected >= ?");
  if (!rows)
    return tl::unexpected(rows.error());
  rows->bind(std::int64_t{most.proven}).bind(std::int64_t{most.suspected});
  const auto read = rows->for_each_row([&] {
    const auto event = parse_uuid(rows->text(1));
    if (!event)
      return; // somebody has been at the file
    auto why = "the process died " + std::to_string(rows->number(2)) +
               " times while this handler had this event; the last time: " + rows->text(3) +
               "\nLoad a version without the fault, and redrive it.";
    result.emplace(std::pair{rows->text(0), event_id{*event}}, std::move(why));
  });
  if (!read)
    return tl::unexpected(read.error());
  return result;
}

expected<std::vector<crash_record>> crash_history::records(std::string_view plugin,
                                                           crash_notes::limits most) {
  auto rows = in.prepare("SELECT event, handler, proven, suspected, how, at, "
                         "proven >= ?1 OR proven + suspected >= ?2 FROM crashes "
                         "WHERE ?3 = '' OR substr(handler, 1, length(?3) + 1) = ?3 || '.' "
                         "ORDER BY at DESC, rowid DESC LIMIT 1000");
  if (!rows)
    return tl::unexpected(rows.error());
  rows->bind(std::int64_t{most.proven}).bind(std::int64_t{most.suspected}).bind(plugin);
  std::vector<crash_record> all;
  const auto read = rows->for_each_row([&] {
    auto& one = all.emplace_back();
    one.event = rows->text(0);
    const auto handler = rows->text(1);
    const auto at = handler.rfind('@');
    one.handler = handler.substr(0, at);
    one.version = at == std::string::npos ? "" : handler.substr(at + 1);
    one.proven = static_cast<std::uint32_t>(rows->number(2));
    one.deaths = one.proven + static_cast<std::uint32_t>(rows->number(3));
    one.how = rows->text(4);
    one.last_ms = rows->number(5) * 1000;
    one.refused = rows->number(6) != 0;
  });
  if (!read)
    return tl::unexpected(read.error());
  return all;
}

} // namespace edupulse
