#include "tests/examples/stand_in_state.hpp"
#include <optional>
#include <set>
#include <string_view>

// What the bulk API documents, and this checks: NDJSON with its content type; a newline at the end;
// an action line with one known action, whose parameters are known, before each source line; ids of
// at most 512 bytes; 200 with one item for each action, in order, even when all of them failed.

namespace edupulse::test {

namespace {

std::string error_body(int status, const std::string& type, const std::string& reason) {
  const std::string error =
      "{\"type\":" + json_quote(type) + ",\"reason\":" + json_quote(reason) + "}";
  return "{\"error\":{\"root_cause\":[" + error + "]," + error.substr(1) +
         ",\"status\":" + std::to_string(status) + "}";
}

struct bulk_action {
  bool removal = false;
  std::string id;
  stored_lesson lesson;
};

struct bulk_request {
  std::vector<bulk_action> actions;
  std::string complaint;
};

/// The action of one line, or why there is none.
std::string read_action(const json_view& line, std::size_t number, bulk_action& into) {
  static const std::set<std::string> known = {"_id", "_index", "routing", "require_alias"};
  const std::string where = " action/metadata line [" + std::to_string(number) + "]";
  const auto members = line.members();
  if (members.size() != 1)
    return "Malformed" + where + ", expected one action";
  const auto& [name, about] = members.front();
  if (name != "index" && name != "delete" && name != "create")
    return "Malformed" + where + ", found [" + name + "] but expected create, index or delete";
  if (!about.is_object())
    return "Malformed" + where + ", expected START_OBJECT";
  for (const auto& [parameter, value] : about.members())
    if (known.count(parameter) == 0)
      return "Action/metadata line [" + std::to_string(number) +
             "] contains an unknown parameter [" + parameter + "]";
  into.id = about["_id"].text();
  into.removal = name == "delete";
  if (into.id.empty() && into.removal)
    return "Validation Failed: 1: an id must be provided for delete";
  if (into.id.size() > 512)
    return "Validation Failed: 1: id is too long, must be no longer than 512 bytes";
  return {};
}

bulk_request read_bulk(const std::string& body) {
  bulk_request result;
  if (body.empty()) {
    result.complaint = "request body is required";
    return result;
  }
  if (!body.ends_with('\n')) {
    result.complaint = "The bulk request must be terminated by a newline [\\n]";
    return result;
  }
  std::optional<bulk_action> waiting;
  std::size_t number = 0;
  for (std::size_t at = 0; at < body.size();) {
    const auto end = body.find('\n', at);
    const auto line = json_document::parse(body.substr(at, end - at));
    at = end + 1;
    ++number;
    if (!line || !line->root().is_object()) {
      result.complaint =
          "Malformed content, line [" + std::to_string(number) + "] is not a JSON object";
    } else if (waiting) {
      waiting->lesson = {line->root()["title"].text(), line->root()["body"].text()};
      result.actions.push_back(*std::exchange(waiting, std::nullopt));
    } else {
      bulk_action action;
      result.complaint = read_action(line->root(), number, action);
      if (action.removal)
        result.actions.push_back(action);
      else
        waiting = action;
    }
    if (!result.complaint.empty())
      return result;
  }
  if (waiting)
    result.complaint = "Malformed content, the last action has no source line";
  return result;
}

bool is_type(const httplib::Request& request, const std::set<std::string>& allowed) {
  const auto type = request.get_header_value("Content-Type");
  return allowed.count(type.substr(0, type.find(';'))) > 0;
}

std::string item_of(const bulk_action& action, int status, const refusal* why) {
  std::string item = "{\"" + std::string(action.removal ? "delete" : "index") +
                     "\":{\"_index\":\"lessons\",\"_id\":" + json_quote(action.id) +
                     ",\"status\":" + std::to_string(status);
  if (why != nullptr)
    item += ",\"error\":{\"type\":" + json_quote(why->type) +
            ",\"reason\":" + json_quote(why->reason) + "}";
  return item + "}}";
}

void refuse(stand_in::state& s, httplib::Response& response, int status, const std::string& type,
            const std::string& why) {
  s.complaints.push_back(why);
  answer(response, status, error_body(status, type, why));
}

/// Carries one action out; the item that says so.
std::string carry_out(stand_in::state& s, const bulk_action& action) {
  const auto refused = s.refused.find(action.id);
  if (refused != s.refused.end())
    return item_of(action, refused->second.status, &refused->second);
  if (action.removal)
    return item_of(action, s.lessons.erase(action.id) > 0 ? 200 : 404, nullptr);
  const bool is_new = s.lessons.insert_or_assign(action.id, action.lesson).second;
  return item_of(action, is_new ? 201 : 200, nullptr);
}

void bulk(stand_in::state& s, const httplib::Request& request, httplib::Response& response) {
  if (!is_type(request, {"application/x-ndjson", "application/json"}))
    return refuse(s, response, 406, "content_type_header_exception",
                  "Content-Type header [" + request.get_header_value("Content-Type") +
                      "] is not supported");
  const auto read = read_bulk(request.body);
  if (!read.complaint.empty())
    return refuse(s, response, 400, "illegal_argument_exception", read.complaint);
  std::string items;
  for (const auto& action : read.actions)
    items += (items.empty() ? "" : ",") + carry_out(s, action);
  const bool errors = items.find("\"error\":") != std::string::npos;
  s.index_exists = true;
  answer(response, 200,
         std::string("{\"took\":1,\"errors\":") + (errors ? "true" : "false") + ",\"items\":[" +
             items + "]}");
}

void refresh(stand_in::state& s, const httplib::Request&, httplib::Response& response) {
  if (s.index_exists)
    answer(response, 200, R"({"_shards":{"total":2,"successful":1,"failed":0}})");
  else
    answer(response, 404, error_body(404, "index_not_found_exception", "no such index [lessons]"));
}

void search(stand_in::state& s, const httplib::Request& request, httplib::Response& response) {
  const auto body = json_document::parse(request.body);
  const auto match = body ? body->root()["query"]["multi_match"] : json_view();
  if (!is_type(request, {"application/json"}) || !match["query"].is_text() ||
      match["fields"].items().empty())
    return refuse(s, response, 400, "parsing_exception", "no multi_match query with fields");
  const auto limit = static_cast<std::size_t>(body->root()["size"].number());
  std::string hits;
  for (const auto& hit : s.find(match["query"].text(), limit))
    hits += (hits.empty() ? "" : ",") + ("{\"_id\":" + json_quote(hit.id)) +
            ",\"_score\":" + std::to_string(hit.score) +
            ",\"_source\":{\"title\":" + json_quote(hit.title) + "}}";
  answer(response, 200, "{\"took\":1,\"timed_out\":false,\"hits\":{\"hits\":[" + hits + "]}}");
}

} // namespace

elasticsearch_stand_in::elasticsearch_stand_in() {
  state& s = *state_;
  s.key_scheme = "ApiKey ";
  s.refuse_key = [](bool, httplib::Response& response) {
    answer(response, 401,
           error_body(401, "security_exception", "missing authentication credentials"));
  };
  s.server.Post(R"(/lessons/_bulk)", s.guarded(bulk));
  s.server.Post(R"(/lessons/_refresh)", s.guarded(refresh));
  s.server.Post(R"(/lessons/_search)", s.guarded(search));
  serve();
}

elasticsearch_stand_in::~elasticsearch_stand_in() = default;

} // namespace edupulse::test
