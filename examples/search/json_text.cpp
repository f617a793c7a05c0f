#include "json_text.hpp"
#include <capnp/compat/json.h>
#include <kj/exception.h>

namespace edupulse::search {

std::string json_quote(std::string_view text) {
  static constexpr char digits[] = "0123456789abcdef";
  std::string result = "\"";
  result.reserve(text.size() + 2);
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      result += '\\';
      result += c;
    } else if (c == '\n') {
      result += "\\n";
    } else if (static_cast<unsigned char>(c) < 0x20) {
      result += "\\u00";
      result += digits[c >> 4];
      result += digits[c & 15];
    } else {
      result += c;
    }
  }
  return result + '"';
}

std::string json_field(std::string_view name, std::uint64_t value) {
  return json_quote(name) + ":" + std::to_string(value);
}

std::string json_field(std::string_view name, std::string_view value) {
  return json_quote(name) + ":" + json_quote(value);
}

std::string json_flag(std::string_view name, bool value) {
  return json_quote(name) + (value ? ":true" : ":false");
}

json_view json_view::operator[](std::string_view name) const {
  if (is_object())
    for (const auto field : value_.getObject())
      if (name == std::string_view(field.getName().begin(), field.getName().size()))
        return json_view(field.getValue());
  return {};
}

std::string json_view::text() const {
  if (!is_text())
    return {};
  const auto text = value_.getString();
  return std::string(text.begin(), text.size());
}

std::vector<json_view> json_view::items() const {
  std::vector<json_view> result;
  if (is_array())
    for (const auto item : value_.getArray())
      result.emplace_back(item);
  return result;
}

std::vector<std::pair<std::string, json_view>> json_view::members() const {
  std::vector<std::pair<std::string, json_view>> result;
  if (is_object())
    for (const auto field : value_.getObject())
      result.emplace_back(field.getName().cStr(), json_view(field.getValue()));
  return result;
}

expected<json_document> json_document::parse(std::string_view text) {
  json_document result;
  result.message_ = std::make_unique<capnp::MallocMessageBuilder>();
  const auto trouble = kj::runCatchingExceptions([&] {
    capnp::JsonCodec codec;
    codec.decodeRaw(kj::arrayPtr(text.data(), text.size()),
                    result.message_->initRoot<capnp::json::Value>());
  });
  KJ_IF_MAYBE (what, trouble)
    return fail(errc::bad_json, std::string("not JSON: ") + what->getDescription().cStr());
  return result;
}

json_view json_document::root() const {
  return json_view(message_->getRoot<capnp::json::Value>().asReader());
}

} // namespace edupulse::search
