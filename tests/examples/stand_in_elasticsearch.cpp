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
      result.complaint = "Malformed content, line [" + std::to_string(number) +
                         "] is not a JSON object";
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

} // namespace

elasticsearch_stand_in::elasticsearch_stand_in() {
  state& s = *state_;
  s.key_scheme = "ApiKey ";
  s.refuse_key = [](bool, httplib::Response& response) {
    answer(response, 401,
           error_body(401, "security_exception", "missing authentication credentials"));
  };
  const auto complain = [&s](httplib::Response& response, int status, const std::string& type,
                             const std::string& why) {
    s.complaints.push_back(why);
    answer(response, status, error_body(status, type, why));
  };
  s.server.Post(R"(/lessons/_bulk)", s.guarded([&s, complain](const auto& request, auto& response) {
    if (!is_type(request, {"application/x-ndjson", "application/json"}))
      return complain(response, 406, "content_type_header_exception",
                      "Content-Type header [" + request.get_header_value("Content-Type") +
                          "] is not supported");
    const auto bulk = read_bulk(request.body);
    if (!bulk.complaint.empty())
      return complain(response, 400, "illegal_argument_exception", bulk.complaint);
    std::string items;
    bool errors = false;
    s.index_exists = true;
    for (const auto& action : bulk.actions) {
      const auto refused = s.refused.find(action.id);
      int status = 200;
      if (refused != s.refused.end())
        status = refused->second.status;
      else if (action.removal)
        status = s.lessons.erase(action.id) > 0 ? 200 : 404;
      else
        status = s.lessons.insert_or_assign(action.id, action.lesson).second ? 201 : 200;
      errors = errors || refused != s.refused.end();
      items += (items.empty() ? "" : ",") +
               item_of(action, status, refused == s.refused.end() ? nullptr : &refused->second);
    }
    answer(response, 200, std::string("{\"took\":1,\"errors\":") + (errors ? "true" : "false") +
                              ",\"items\":[" + items + "]}");
  }));
  const auto missing = [](httplib::Response& response) {
    answer(response, 404, error_body(404, "index_not_found_exception", "no such index [lessons]"));
  };
  s.server.Post(R"(/lessons/_refresh)", s.guarded([&s, missing](const auto&, auto& response) {
    if (!s.index_exists)
      return missing(response);
    answer(response, 200, R"({"_shards":{"total":2,"successful":1,"failed":0}})");
  }));
  s.server.Post(R"(/lessons/_search)", s.guarded([&s, complain](const auto& request, auto& response) {
    const auto body = json_document::parse(request.body);
    const auto match = body ? body->root()["query"]["multi_match"] : json_view();
    if (!is_type(request, {"application/json"}) || !match["query"].is_text() ||
        match["fields"].items().empty())
      return complain(response, 400, "parsing_exception", "no multi_match query with fields");
    std::string hits;
    for (const auto& hit :
         s.find(match["query"].text(), static_cast<std::size_t>(body->root()["size"].number())))
      hits += (hits.empty() ? "" : ",") + ("{\"_id\":" + json_quote(hit.id)) +
              ",\"_score\":" + std::to_string(hit.score) + ",\"_source\":{\"title\":" +
              json_quote(hit.title) + "}}";
    answer(response, 200, "{\"took\":1,\"timed_out\":false,\"hits\":{\"hits\":[" + hits + "]}}");
  }));
  serve();
}

elasticsearch_stand_in::~elasticsearch_stand_in() = default;

} // namespace edupulse::test
