#include "runtime/cli/show.hpp"
#include "schemas/rfc3339.hpp"
#include "schemas/utf8.hpp"
#include <algorithm>

namespace edupulse::cli {

namespace {

void append_hex(std::string& to, unsigned char byte) {
  constexpr char digits[] = "0123456789abcdef";
  to.push_back(digits[byte >> 4]);
  to.push_back(digits[byte & 0xf]);
}

std::size_t bytes_of_character(unsigned char first) {
  return first < 0x80 ? 1 : first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
}

/// Of a character in UTF-8.
bool is_command(std::string_view one) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(one[i]); };
  if (one.size() == 1)
    return byte(0) < 0x20 || byte(0) == 0x7f;
  if (one.size() == 2)
    return byte(0) == 0xc2 && byte(1) < 0xa0; // U+0080 to U+009F
  return one.size() == 3 && byte(0) == 0xe2 &&
         ((byte(1) == 0x80 && ((byte(2) >= 0x8e && byte(2) <= 0x8f) ||   // marks of direction
                               (byte(2) >= 0xa8 && byte(2) <= 0xae))) || // lines, embeddings
          (byte(1) == 0x81 && byte(2) >= 0xa6 && byte(2) <= 0xa9));      // isolates
}

/// Characters, which is what a terminal's columns mostly are.
std::size_t width_of(std::string_view text) {
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), [](char c) {
    return (static_cast<unsigned char>(c) & 0xc0) != 0x80;
  }));
}

json struct_to_json(const capnp::DynamicStruct::Reader& from) {
  json all = json::object();
  for (const auto field : from.getSchema().getNonUnionFields())
    all[field.getProto().getName().cStr()] = to_json(from.get(field));
  KJ_IF_MAYBE (chosen, from.which())
    all[chosen->getProto().getName().cStr()] = to_json(from.get(*chosen));
  return all;
}

} // namespace

std::string printable(std::string_view text) {
  std::string safe;
  while (!text.empty()) {
    auto good = utf8_prefix(text);
    for (std::size_t at = 0; at < good;) {
      const auto one = text.substr(at, bytes_of_character(static_cast<unsigned char>(text[at])));
      at += one.size();
      if (!is_command(one)) {
        safe.append(one);
        continue;
      }
      for (const char c : one)
        append_hex(safe.append("\\x"), static_cast<unsigned char>(c));
    }
    for (; good < text.size() && utf8_prefix(text.substr(good)) == 0; ++good)
      append_hex(safe.append("\\x"), static_cast<unsigned char>(text[good]));
    text.remove_prefix(good);
  }
  return safe;
}

void table::add(std::vector<std::string> row) {
  for (auto& cell : row)
    cell = printable(cell);
  rows_.push_back(std::move(row));
}

std::string table::text(std::string_view empty) const {
  if (rows_.size() == 1 && !empty.empty())
    return std::string(empty) + "\n";
  std::vector<std::size_t> widths(rows_.front().size());
  for (const auto& row : rows_)
    for (std::size_t i = 0; i < row.size(); ++i)
      widths[i] = std::max(widths[i], width_of(row[i]));
  std::string all;
  for (const auto& row : rows_) {
    std::string line;
    for (std::size_t i = 0; i < row.size(); ++i)
      line += row[i] + std::string(widths[i] - width_of(row[i]) + 2, ' ');
    line.erase(line.find_last_not_of(' ') + 1);
    all += line + "\n";
  }
  return all;
}

std::string time_text(std::int64_t unix_ms) {
  return unix_ms == 0 ? "-" : to_rfc3339(unix_ms).value_or("-");
}

json to_json(const capnp::DynamicValue::Reader& from) {
  switch (from.getType()) {
  case capnp::DynamicValue::BOOL:
    return from.as<bool>();
  case capnp::DynamicValue::INT:
    return from.as<std::int64_t>();
  case capnp::DynamicValue::UINT:
    return from.as<std::uint64_t>();
  case capnp::DynamicValue::TEXT:
    return std::string(from.as<capnp::Text>().cStr(), from.as<capnp::Text>().size());
  case capnp::DynamicValue::DATA: {
    std::string digits;
    for (const auto byte : from.as<capnp::Data>())
      append_hex(digits, byte);
    return digits;
  }
  case capnp::DynamicValue::LIST: {
    json all = json::array();
    for (const auto one : from.as<capnp::DynamicList>())
      all.push_back(to_json(one));
    return all;
  }
  case capnp::DynamicValue::STRUCT:
    return struct_to_json(from.as<capnp::DynamicStruct>());
  default: // control.capnp has no others
    return nullptr;
  }
}

std::string dump(const json& what) {
  return what.dump(2, ' ', true, json::error_handler_t::replace) + "\n";
}

} // namespace edupulse::cli
