#include "cluster_role.hpp"
#include "fts5_index.hpp"
#include "handlers.hpp"
#include "interrupt.hpp"
#include "json_text.hpp"
#include "line_reader.hpp"
#include "progress_view.hpp"
#include "report.hpp"
#include <cstdio>
#include <cstdlib>
#include <unistd.h>

namespace edupulse::search {

namespace {

using namespace std::chrono_literals;

node_options options_of_node(const options& how) {
  node_options with;
  with.name = how.role;
  with.data_dir = how.dir;
  with.cluster.listen = "127.0.0.1:0";
  with.cluster.join = {how.join};
  with.cluster.profile = network_profile::local;
  with.log = log_level::error;
  return with;
}

void answer(const std::string& line) {
  std::fputs((line + "\n").c_str(), stdout);
  std::fflush(stdout);
}

std::string report_of(const node& what, const notice_board& notices) {
  const auto ledger = what.ledger();
  const auto letters = what.dead_letters().value_or(std::vector<dead_letter>());
  const auto [teacher, count] = notices.busiest();
  return "{" + json_flag("balanced", ledger.balances()) + "," +
         json_field("ledger", to_string(ledger)) + "," + json_field("dead", letters.size()) + "," +
         json_field("letters", letters.empty() ? "" : letters_table(letters, 0)) + "," +
         json_field("busiest", count == 0 ? "" : teacher + ", " + with_commas(count) + " notices") +
         "}";
}

std::string found(index_desk& desk, const std::string& query, std::size_t limit) {
  const std::lock_guard guard(desk.mutex);
  const auto hits = desk.index->find(query, limit);
  return "{" + json_flag("answered", hits.has_value()) + "," +
         json_field("titles", hits ? ranked_titles(query, *hits, 0)
                                   : "  cannot say: " + hits.error().text + "\n") +
         "}";
}

expected<void> add_handlers(node& to, const options& how, std::shared_ptr<index_desk> desk,
                            notice_board& notices) {
  if (how.role == indexing_role)
    return subscribe_indexer(to, std::move(desk));
  if (how.role != notifying_role)
    return fail(errc::invalid_option, "there is no role '" + how.role + "'");
  if (auto added = subscribe_notifier(to, notices); !added)
    return added;
  return subscribe_auditor(to, rules_for(how.fail_every));
}

} // namespace

expected<int> run_role(const options& how) {
  const interrupt stop;
  notice_board notices;
  auto desk =
      std::make_shared<index_desk>(std::make_unique<fts5_index>(fts5_options{
                                       .file = std::filesystem::path(how.dir) / "index.sqlite"}),
                                   60s);
  auto node = node::start(options_of_node(how));
  if (!node)
    return tl::unexpected(node.error());
  if (auto added = add_handlers(*node, how, desk, notices); !added)
    return tl::unexpected(added.error());
  answer(node->address());
  line_reader questions(STDIN_FILENO, stop.fd());
  for (auto line = questions.next(); line && *line; line = questions.next()) {
    const std::string question((*line)->text);
    answer(question == "report" ? report_of(*node, notices) : found(*desk, question, how.limit));
  }
  node->stop(1s);
  return EXIT_SUCCESS;
}

} // namespace edupulse::search
