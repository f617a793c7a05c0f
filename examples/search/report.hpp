#pragma once
// What is printed in the end, for people and for programs.

#include "search_index.hpp"
#include <edupulse/node.hpp>

namespace edupulse::search {

struct answered_query {
  std::string text;
  expected<std::vector<hit>> hits;
};

/// All there is to say about a run.
struct run_report {
  std::uint64_t published = 0;
  std::uint64_t skipped = 0;
  std::uint64_t unknown_fields = 0;
  double seconds = 0;
  bool interrupted = false;
  std::string index;
  std::string busiest_teacher; ///< and how many notices their followers got
  std::size_t busiest_notices = 0;
  ledger_view ledger;
  std::vector<dead_letter> dead_letters;
  std::vector<answered_query> queries;
};

struct page_style {
  bool colors = false;
  std::size_t width = 0; ///< of a terminal; 0: any
};

/// The first of them, with a line that says how many more there are.
std::string letters_table(const std::vector<dead_letter>& letters, std::size_t width);

/// Sections for people; ends with a newline.
std::string to_page(const run_report& what, page_style how);

/// One JSON object on one line, with everything the page says and all that it cuts.
std::string to_json_line(const run_report& what);

} // namespace edupulse::search
