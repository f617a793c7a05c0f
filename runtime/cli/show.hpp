#pragma once
// What a node says, on a terminal and as JSON. Names and texts come from applications: nothing in
// them reaches the terminal as a command to it.

#include <capnp/dynamic.h>
#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse::cli {

using json = nlohmann::ordered_json;

/// Control characters, those that turn the direction of writing, and what is no UTF-8, as `\x1b`.
std::string printable(std::string_view text);

/// Rows under a head, in columns; the last one is not padded. Cells are made printable.
class table {
public:
  explicit table(std::vector<std::string> head) { add(std::move(head)); }
  void add(std::vector<std::string> row);
  /// `empty` when there are no rows.
  std::string text(std::string_view empty = {}) const;

private:
  std::vector<std::vector<std::string>> rows_;
};

/// Unix milliseconds, for people; a dash for none.
std::string time_text(std::int64_t unix_ms);

/// Of a struct the fields, of a union the one that is set; Data as hexadecimal digits.
json to_json(const capnp::DynamicValue::Reader& from);
/// In ASCII alone, with a line end.
std::string dump(const json& what);

} // namespace edupulse::cli
