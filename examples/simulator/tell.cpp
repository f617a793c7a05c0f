#include "tell.hpp"
#include "console.hpp"
#include "progress_view.hpp"
#include <cstdio>
#include <fstream>

namespace edupulse::simulator {

namespace {

constexpr std::size_t violations_told = 5;
constexpr std::size_t rows_told = 40;

std::string seconds_text(double seconds) {
  char text[32];
  std::snprintf(text, sizeof text, "%.1f s", seconds);
  return text;
}

std::string ledger_table(const run_report& what) {
  std::vector<std::vector<std::string>> rows = {
      {"owed", "handled", "dead", "expired", "dropped", "pending", "subscription", "topic"}};
  for (const auto& one : what.ledger) {
    if (rows.size() > rows_told)
      break;
    std::uint64_t dropped = 0;
    for (const auto& [why, count] : one.dropped)
      dropped += count;
    rows.push_back({search::with_commas(one.published), search::with_commas(one.handled),
                    search::with_commas(one.dead), search::with_commas(one.expired),
                    search::with_commas(dropped), search::with_commas(one.pending),
                    one.subscription, one.topic});
  }
  auto text = search::aligned_table(rows, 0);
  if (what.ledger.size() + 1 > rows.size())
    text += "... and " + std::to_string(what.ledger.size() + 1 - rows.size()) + " lines more\n";
  return text;
}

std::string violations_text(const run_report& what) {
  std::string text;
  std::size_t told = 0;
  for (const auto& one : what.outcome.violations) {
    if (told++ == violations_told) {
      text += "... and " + std::to_string(what.outcome.violations.size() - violations_told) +
              " more, in the report\n";
      break;
    }
    text += "  " + one.what + "\n";
    for (const auto& line : one.story)
      text += "      " + line + "\n";
  }
  return text;
}

} // namespace

std::vector<std::pair<std::string, std::string>> promises_checked() {
  return {
      {"lost", "every accepted event was handled, or its ledger says what became of it"},
      {"duplicated", "no start of a subscription handled an event twice"},
      {"reordered", "events of a key were first handled in the order they were published"},
      {"phantom", "nothing was handled that was not published so"},
      {"unbalanced", "every ledger adds up, and nothing is owed"},
      {"gap", "what was dropped was told as a gap"},
      {"dead", "no dead letters but where they are expected"},
      {"dropped", "nothing was dropped but where it is expected"},
      {"membership", "at the end all nodes see all nodes"},
      {"trouble", "no process crashed or fell silent"},
  };
}

run_report report_of(const plan& what) {
  run_report made;
  made.scenario = what.scenario;
  made.about = what.about;
  made.seed = what.seed;
  made.level = what.level;
  for (std::size_t node = 0; node < what.nodes; ++node)
    made.nodes.push_back(name_of(node));
  for (const auto& one : what.plugins) {
    std::string where;
    for (const auto node : one.nodes)
      where += (where.empty() ? "" : ", ") + name_of(node);
    made.notes.push_back("plugin " + one.manifest.name + " " + one.manifest.version + " is on " +
                         (where.empty() ? "all nodes" : where));
  }
  for (const auto& one : what.faults) {
    run_report::fault told;
    told.from = one.at;
    const auto words = to_string(one);
    told.kind = words.substr(0, words.find(' '));
    told.text = words.substr(told.kind.size() + 1);
    if (one.lasts > 0)
      told.until = one.at + one.lasts;
    else if (one.what == fault_word::reset || one.what == fault_word::late)
      told.until = one.at;
    made.faults.push_back(std::move(told));
  }
  return made;
}

std::string first_sentence(const std::string& text) {
  const auto end = text.find(". ");
  return end == text.npos ? text : text.substr(0, end + 1);
}

std::string explanation(const plan& what) {
  std::string text = what.scenario + ": " + what.about + "\n\n";
  text +=
      std::to_string(what.nodes) + " nodes, " + std::to_string(what.publishers) +
      " of which publish " + search::with_commas(what.events) + " events, " +
      (what.rate > 0 ? search::with_commas(static_cast<std::uint64_t>(what.rate)) + " a second, "
                     : "as fast as it goes, ") +
      what.level + ".\n\n";
  for (const auto& one : what.handlers) {
    text += "handler " + one.name + " on ";
    if (one.nodes.empty())
      text += "all nodes";
    for (std::size_t i = 0; i < one.nodes.size(); ++i)
      text += (i == 0 ? "" : ", ") + name_of(one.nodes[i]);
    char more[64];
    if (one.takes_ms > 0) {
      std::snprintf(more, sizeof more, "; a call takes %g ms", one.takes_ms);
      text += more;
    }
    if (one.throws > 0) {
      std::snprintf(more, sizeof more, "; %g %% of calls throw", one.throws * 100);
      text += more;
    }
    if (one.poison_every > 0)
      text += "; rejects one event in " + std::to_string(one.poison_every);
    if (!one.group.empty())
      text += "; group " + one.group;
    text += "\n";
  }
  for (const auto& one : what.faults)
    text += "at " + seconds_text(one.at) + ": " + to_string(one) +
            (one.lasts > 0 ? ", for " + seconds_text(one.lasts) : "") + "\n";
  text += "\nsimulate " + what.scenario + "\n";
  return text;
}

std::string summary(const run_report& what) {
  const bool colors = search::colors_wanted();
  const auto& outcome = what.outcome;
  std::string text = search::heading(what.scenario, colors) + ": " + what.about + "\n\n";
  for (const auto& one : what.faults)
    text += "  " + seconds_text(one.from) + "  " + one.kind + " " + one.text +
            (one.until && *one.until > one.from ? ", until " + seconds_text(*one.until) : "") +
            "\n";
  text += (what.faults.empty() ? "" : "\n") + ledger_table(what) + "\n";
  for (const auto& one : what.dead_letters)
    text += search::with_commas(one.count) + " dead letters of " + one.subscription + ": " +
            search::fit(one.cause, 100) + "\n";
  for (const auto& one : what.notes)
    text += "note: " + one + "\n";
  for (const auto& one : outcome.checks)
    text += std::string(one.ok ? "  ok    " : "  NO    ") + one.name + ": " + one.text +
            (one.ok ? "" : " (" + search::with_commas(one.count) + ")") + "\n";
  for (const auto& one : outcome.unchecked)
    text += "  NOT CHECKED: " + one + "\n";
  if (!outcome.violations.empty())
    text += "\n" + violations_text(what);
  const auto verdict = outcome.ok ? "PASSED" : "FAILED";
  text += "\n" + search::heading(verdict, colors) + " in " + seconds_text(what.seconds) + ". " +
          outcome.text + "\n";
  return text + "again with: " + what.again + "\n";
}

// -- files ------------------------------------------------------------------------------------

expected<void> outputs::open(const options& how) {
  page_ = how.page;
  json_ = how.json;
  trace_ = how.trace;
  const std::filesystem::path trace = trace_ == "-" ? "" : trace_;
  for (const auto& one : {page_, json_, trace})
    if (!one.empty() && !std::ofstream(one, std::ios::app))
      return fail(errc::io, "cannot write " + quote(one.string()) +
                                ": is its directory there, and may you write to it?");
  return {};
}

std::function<void(std::string_view)> outputs::tracer() {
  if (trace_ == "-")
    return [](std::string_view line) {
      std::fwrite(line.data(), 1, line.size(), stdout);
      std::fputc('\n', stdout);
    };
  if (trace_.empty())
    return {};
  trace_file_ = std::make_shared<std::ofstream>(trace_, std::ios::trunc);
  return [to = trace_file_](std::string_view line) { *to << line << '\n'; };
}

namespace {
expected<void> write_file(const std::filesystem::path& file, const std::string& text) {
  std::ofstream to(file, std::ios::trunc);
  to << text << std::flush;
  if (!to)
    return fail(errc::io, "cannot write all of " + quote(file.string()));
  return {};
}
} // namespace

expected<void> outputs::write(const run_report& what) {
  if (!json_.empty())
    if (auto good = write_file(json_, to_json(what) + "\n"); !good)
      return good;
  if (page_.empty())
    return {};
  if (auto good = write_file(page_, to_page(what)); !good)
    return good;
  std::fprintf(stdout, "the report is %s\n", std::filesystem::absolute(page_).c_str());
  return {};
}

expected<void> outputs::write(const sweep_report& what) {
  return json_.empty() ? expected<void>() : write_file(json_, to_json(what) + "\n");
}

} // namespace edupulse::simulator
