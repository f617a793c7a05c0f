// The simulator: a cluster of real node processes on this machine, what goes wrong in it, and a
// verdict. `simulate scenarios` lists what there is to see.

#include "node_role.hpp"
#include "options.hpp"
#include "plugins.hpp"
#include "report.hpp"
#include "run.hpp"
#include "tell.hpp"
#include "virtual_run.hpp"
#include <cstdio>
#include <cstdlib>

using namespace edupulse;
using namespace edupulse::simulator;

namespace {

constexpr int wrong_use = 2;
constexpr int interrupted = 130; ///< 128 + SIGINT, as shells say it

int complain(const error& what, int code) {
  std::fprintf(stderr, "simulate: %s\n", what.text.c_str());
  return code;
}

int list_scenarios() {
  for (const auto& name : shipped_scenarios()) {
    const auto one = read_scenario(name);
    std::printf("%-22s %s\n", name.c_str(), one ? first_sentence(one->about).c_str() : "");
  }
  return EXIT_SUCCESS;
}

int explain(const std::string& name) {
  const auto one = read_scenario(name);
  if (!one)
    return complain(one.error(), wrong_use);
  std::fputs(explanation(*one).c_str(), stdout);
  return EXIT_SUCCESS;
}

std::string as_options(const plan& what) {
  std::string text;
  for (const auto& one : what.faults)
    text += (text.empty() ? "" : ", ") + as_option(one);
  return text;
}

void count(sweep_report& into, const run_report& one) {
  into.first_seed = into.runs++ == 0 ? one.seed : into.first_seed;
  into.last_seed = one.seed;
  into.node_seconds += one.seconds * static_cast<double>(one.nodes.size());
  for (const auto& fault : one.faults)
    ++into.faults[fault.kind];
}

/// One seed after the other, until one fails.
sweep_report sweep(const options& how, const search::interrupt& stop) {
  sweep_report covered;
  covered.scenario = how.what.scenario;
  double simulated = 0;
  for (auto seed = how.seeds->first; seed <= how.seeds->second && !stop.happened(); ++seed) {
    auto what = how.what;
    what.seed = seed;
    const auto told = run_virtual(what, {}, stop);
    if (stop.happened())
      break;
    simulated += told.seconds;
    count(covered, told);
    if (told.outcome.ok)
      continue;
    std::fputs(summary(told).c_str(), stdout);
    const auto least = shrunk(what, stop);
    std::printf("seed %llu fails. The fewest faults with which it does: --faults \"%s\"\n",
                static_cast<unsigned long long>(seed), as_options(least).c_str());
    covered.ok = false;
    return covered;
  }
  std::printf("%s: %llu runs passed, seeds %llu to %llu, %.0f simulated seconds\n",
              covered.scenario.c_str(), static_cast<unsigned long long>(covered.runs),
              static_cast<unsigned long long>(covered.first_seed),
              static_cast<unsigned long long>(covered.last_seed), simulated);
  return covered;
}

expected<run_report> run(const options& how, std::vector<std::string> arguments, outputs& to,
                         const search::interrupt& stop) {
  if (!how.in_virtual_time)
    return run_processes(how.what, {std::move(arguments), how.quiet}, stop);
  return run_virtual(how.what, {to.tracer()}, stop);
}

int simulate(options how, std::vector<std::string> arguments) {
  if (auto good = load_plugins(how.what, how.in_virtual_time); !good)
    return complain(good.error(), wrong_use);
  outputs to;
  if (auto good = to.open(how); !good)
    return complain(good.error(), wrong_use);
  search::interrupt stop;
  if (how.seeds) {
    const auto covered = sweep(how, stop);
    if (auto good = to.write(covered); !good)
      return complain(good.error(), EXIT_FAILURE);
    return !covered.ok ? EXIT_FAILURE : stop.happened() ? interrupted : EXIT_SUCCESS;
  }
  auto told = run(how, std::move(arguments), to, stop);
  if (!told)
    return stop.happened() ? interrupted : complain(told.error(), EXIT_FAILURE);
  told->again = how.again();
  if (how.trace != "-")
    std::fputs(summary(*told).c_str(), stdout);
  if (auto good = to.write(*told); !good)
    return complain(good.error(), EXIT_FAILURE);
  if (stop.happened())
    return interrupted;
  return told->outcome.ok ? EXIT_SUCCESS : EXIT_FAILURE;
}

} // namespace

int main(int argc, char** argv) {
  auto how = options::parse(argc, argv);
  if (!how)
    return how.error().code == errc::stopping ? EXIT_SUCCESS : complain(how.error(), wrong_use);
  switch (how->verb) {
  case options::verbs::scenarios:
    return list_scenarios();
  case options::verbs::explain:
    return explain(how->name);
  case options::verbs::node:
    return run_node(how->what, how->self);
  case options::verbs::run:
    break;
  }
  return simulate(std::move(*how), {argv + 1, argv + argc});
}
