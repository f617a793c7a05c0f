#pragma once
// As much JSON as talking to a search server takes: quoting what is sent, and looking into what is
// answered, which may be anything at all.

#include <capnp/compat/json.capnp.h>
#include <capnp/message.h>
#include <edupulse/event.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::search {

/// `text` as a JSON string, quotes included. Control characters are escaped; bytes above 127 are
/// taken to be UTF-8 and stay as they are.
std::string json_quote(std::string_view text);

/// `"name":value`, for putting between braces.
std::string json_field(std::string_view name, std::uint64_t value);
std::string json_field(std::string_view name, std::string_view value);
std::string json_flag(std::string_view name, bool value);

/// `[...]` of what `write` makes of each.
template <class Items, class Write> std::string json_array(const Items& items, Write write) {
  std::string text = "[";
  for (const auto& each : items)
    text += (text.size() > 1 ? "," : "") + write(each);
  return text + "]";
}

/// One value of a parsed document, or of none: looking for what is not there answers "nothing", and
/// nothing has no members, no text and the number 0. Lives as long as its document.
class json_view {
public:
  json_view() = default;
  explicit json_view(capnp::json::Value::Reader value) : value_(value), there_(true) {}

  bool is_object() const { return there_ && value_.isObject(); }
  bool is_array() const { return there_ && value_.isArray(); }
  bool is_text() const { return there_ && value_.isString(); }
  bool is_number() const { return there_ && value_.isNumber(); }

  json_view operator[](std::string_view name) const;
  std::string text() const;
  double number() const { return is_number() ? value_.getNumber() : 0.0; }
  bool truth() const { return there_ && value_.isBoolean() && value_.getBoolean(); }
  std::vector<json_view> items() const;
  /// Names and values of an object, in order.
  std::vector<std::pair<std::string, json_view>> members() const;

private:
  capnp::json::Value::Reader value_{};
  bool there_ = false;
};

class json_document {
public:
  /// Errors: `bad_json`. Nests deeper than 64 are refused.
  static expected<json_document> parse(std::string_view text);
  json_view root() const;

private:
  std::unique_ptr<capnp::MallocMessageBuilder> message_;
};

} // namespace edupulse::search
