#include "elasticsearch_index.hpp"
#include "http_trouble.hpp"
#include "json_text.hpp"

// A bulk request can fail in three ways. There is no usable answer, or the server as a whole says
// no (429, 5xx, credentials): everything is `unavailable`. The request is refused as malformed or
// too large (400, 413): it is halved until one document is to blame. It is carried out (200), and
// the items have each their own status: 429 and 5xx are passing, every other 4xx is that document's
// fault.
//
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk

namespace edupulse::search {

namespace {

constexpr std::size_t max_id_bytes = 512; // the server's limit for _id

void add_action(std::string& body, const change& what) {
  const std::string id = json_quote(what.lesson_id);
  if (what.what == change::kind::withdraw) {
    body += "{\"delete\":{\"_id\":" + id + "}}\n";
    return;
  }
  body += "{\"index\":{\"_id\":" + id + "}}\n";
  body += "{\"teacherId\":" + json_quote(what.teacher_id) + ",\"title\":" + json_quote(what.title) +
          ",\"body\":" + json_quote(what.body) + "}\n";
}

std::string error_of(json_view error) {
  std::string text = error["type"].text();
  const std::string reason = error["reason"].text();
  const std::string cause = error["caused_by"]["reason"].text();
  text += (reason.empty() ? "" : ": " + reason) + (cause.empty() ? "" : " (" + cause + ")");
  return text.empty() ? "no reason given" : text;
}

outcome outcome_of(const change& what, json_view item) {
  const auto actions = item.members();
  const json_view result = actions.empty() ? json_view() : actions.front().second;
  const auto status = static_cast<long>(result["status"].number());
  if (status >= 200 && status < 300)
    return outcome::ok();
  if (status == 404 && what.what == change::kind::withdraw)
    return outcome::ok(); // it is not there, as wished
  const std::string type = result["error"]["type"].text();
  const std::string why = "status " + std::to_string(status) + ", " + error_of(result["error"]);
  // A blocked index (its disk is nearly full, say) answers 403 for documents it will take later; a
  // conflict is somebody else's write at the same moment.
  if (status == 429 || status >= 500 || status == 409 || type == "cluster_block_exception")
    return outcome::retry(why);
  if (status == 401 || status == 403)
    return outcome::unavailable(why);
  return status >= 400 ? outcome::reject(why) : outcome::retry("an answer without a status");
}

} // namespace

elasticsearch_index::elasticsearch_index(elasticsearch_options options)
    : options_(std::move(options)), http_(options_.http) {}

std::string elasticsearch_index::describe() const {
  return "Elasticsearch at " + without_secrets(options_.url) + ", index " + options_.index;
}

std::string elasticsearch_index::path(std::string_view operation) const {
  return options_.url + "/" + options_.index + "/" + std::string(operation);
}

std::vector<outcome> elasticsearch_index::apply(std::span<const change> batch) {
  const batch_plan plan(batch);
  std::vector<outcome> outcomes = for_all(plan.sent().size(), outcome::ok());
  for (const batch_part& part : parts_by_size({plan.sent(), outcomes}, options_.max_request_bytes))
    send_in_halves(part, [this](batch_part each) { return send(each); });
  return plan.spread(outcomes);
}

std::optional<std::string> elasticsearch_index::send(batch_part part) {
  std::string body;
  for (const change* each : part.changes) {
    if (each->lesson_id.empty() || each->lesson_id.size() > max_id_bytes)
      return "a lesson id is 1 to 512 bytes";
    add_action(body, *each);
  }
  const auto answer = http_.post(path("_bulk"), "application/x-ndjson", body);
  if (answer && answer->status == 200)
    read_items(answer->body, part);
  else if (answer && (answer->status == 400 || answer->status == 413))
    return "status " + std::to_string(answer->status) + ", " + answer->body.substr(0, 300);
  else
    part.all(unavailable_after(describe(), answer));
  return std::nullopt;
}

void elasticsearch_index::read_items(const std::string& answer, batch_part part) const {
  const auto parsed = json_document::parse(answer);
  const auto items = parsed ? parsed->root()["items"].items() : std::vector<json_view>();
  if (items.size() != part.changes.size()) {
    part.all(outcome::unavailable(describe() + ": the answer is not that of a bulk request; is "
                                               "something else listening there?"));
    return;
  }
  for (std::size_t i = 0; i < items.size(); ++i)
    part.outcomes[i] = outcome_of(*part.changes[i], items[i]);
}

expected<std::vector<hit>> elasticsearch_index::find(std::string_view query, std::size_t limit) {
  // What was indexed in the last second cannot be found without a refresh.
  auto answer = http_.post(path("_refresh"), "application/json", "");
  if (answer && answer->status == 200)
    answer = http_.post(path("_search"), "application/json",
                        "{\"size\":" + std::to_string(limit) +
                            ",\"_source\":[\"title\"],\"query\":{\"multi_match\":{\"query\":" +
                            json_quote(query) + ",\"fields\":[\"title^5\",\"body\"]}}}");
  if (answer && answer->status == 404)
    return std::vector<hit>(); // no index yet: nothing was ever indexed
  if (!answer || answer->status != 200)
    return fail(errc::io, std::string(unavailable_after(describe(), answer).reason()));
  const auto parsed = json_document::parse(answer->body);
  if (!parsed || !parsed->root()["hits"]["hits"].is_array())
    return fail(errc::io, describe() + ": the answer is not that of a search");
  std::vector<hit> hits;
  for (const json_view each : parsed->root()["hits"]["hits"].items())
    hits.push_back({each["_id"].text(), each["_source"]["title"].text(), each["_score"].number()});
  return hits;
}

} // namespace edupulse::search
