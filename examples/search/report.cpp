#include "report.hpp"
#include "handlers.hpp"
#include "json_text.hpp"
#include "ledger_json.hpp"
#include "progress_view.hpp"
#include <cstdio>

namespace edupulse::search {

namespace {

constexpr std::size_t letters_shown = 10;

std::string fixed(double value) {
  char text[64];
  std::snprintf(text, sizeof text, "%.4f", value);
  return text;
}

std::string summary(const run_report& what) {
  std::string text = with_commas(what.published) + " events published in " + fixed(what.seconds) +
                     " s, " + with_commas(what.skipped) + " lines skipped";
  if (what.unknown_fields > 0)
    text += ", " + with_commas(what.unknown_fields) + " unknown fields ignored";
  if (what.interrupted)
    text += " (interrupted: the input was not read to its end)";
  if (what.busiest_notices > 0)
    text += "\nbusiest teacher: " + fit(what.busiest_teacher, 60) + ", " +
            with_commas(what.busiest_notices) + " notices";
  return text + "\nindex: " + what.index + "\n";
}

std::string letter_json(const dead_letter& letter) {
  return "{" + json_field("id", letter.id) + "," + json_field("subscription", letter.subscription) +
         "," + json_field("event_id", to_string(letter.event->id())) + "," +
         json_field("name", letter.event->name()) + "," + json_field("key", letter.event->key()) +
         "," + json_field("attempts", letter.attempts.size()) + "," +
         json_field("reason", letter.reason) + "}";
}

std::string query_json(const answered_query& query) {
  if (!query.hits)
    return "{" + json_field("query", query.text) + "," +
           json_field("error", query.hits.error().text) + "}";
  return "{" + json_field("query", query.text) + ",\"hits\":" +
         json_array(*query.hits,
                    [](const hit& each) {
                      return "{" + json_field("lesson_id", each.lesson_id) + "," +
                             json_field("title", each.title) + ",\"score\":" + fixed(each.score) +
                             "}";
                    }) +
         "}";
}

} // namespace

std::string letters_table(const std::vector<dead_letter>& letters, std::size_t width) {
  std::vector<std::vector<std::string>> rows = {
      {"subscription", "event", "lesson", "tries", "cause"}};
  for (const dead_letter& each : letters) {
    if (rows.size() > letters_shown)
      break;
    rows.push_back({each.subscription, std::string(each.event->name()),
                    std::string(each.event->key()), std::to_string(each.attempts.size()),
                    each.reason});
  }
  std::string text = aligned_table(rows, width);
  if (letters.size() > letters_shown)
    text += "  ... and " + with_commas(letters.size() - letters_shown) + " more\n";
  return text;
}

std::string to_page(const run_report& what, page_style how) {
  std::string page = heading("Summary", how.colors) + "\n" + summary(what);
  page += "\n" + heading("Ledger", how.colors) + "\n" + to_string(what.ledger);
  if (!what.dead_letters.empty())
    page += "\n" + heading("Dead letters: " + with_commas(what.dead_letters.size()), how.colors) +
            "\n" + letters_table(what.dead_letters, how.width);
  for (const answered_query& query : what.queries)
    page += "\n" + heading("Lessons about \"" + fit(query.text, 80) + "\"", how.colors) + "\n" +
            (query.hits ? ranked_titles(query.text, *query.hits, how.width)
                        : "  cannot say: " + query.hits.error().text + "\n");
  return page;
}

std::string to_json_line(const run_report& what) {
  return "{" + json_field("published", what.published) + "," + json_field("skipped", what.skipped) +
         "," + json_field("unknown_fields", what.unknown_fields) +
         ",\"seconds\":" + fixed(what.seconds) + "," + json_flag("interrupted", what.interrupted) +
         "," + json_field("index", what.index) + "," +
         json_field("busiest_teacher", what.busiest_teacher) + "," +
         json_field("busiest_notices", what.busiest_notices) + "," +
         json_flag("balanced", what.ledger.balances()) + ",\"ledger\":" + ledger_json(what.ledger) +
         ",\"dead_letters\":" + json_array(what.dead_letters, letter_json) +
         ",\"queries\":" + json_array(what.queries, query_json) + "}\n";
}

} // namespace edupulse::search
