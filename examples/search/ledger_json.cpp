#include "ledger_json.hpp"
#include "json_text.hpp"

namespace edupulse::search {

namespace {

std::string line_json(const ledger_line& line) {
  return "{" + json_field("topic", line.topic) + "," +
         json_field("subscription", line.subscription) + "," +
         json_field("published", line.published) + "," + json_field("handled", line.handled) + "," +
         json_field("dead", line.dead) + "," + json_field("expired", line.expired) + "," +
         json_field("dropped", line.dropped_in_all()) + "," + json_field("pending", line.pending) +
         "," + json_field("retries", line.retries) + "," + json_field("crashes", line.crashes) +
         "}";
}

} // namespace

std::string ledger_json(const ledger_view& what) { return json_array(what.lines, line_json); }

} // namespace edupulse::search
