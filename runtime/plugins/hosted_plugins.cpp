#include "runtime/plugins/plugin_host.hpp"

namespace edupulse {

namespace {

plugin_desk::plugin told(const plugin_status& of) {
  return {of.name,
          of.version,
          of.file,
          of.state,
          of.subscriptions,
          !of.previous_version.empty(),
          of.previous_version};
}

expected<plugin_desk::swapped> told(const expected<swap_report>& of) {
  if (!of)
    return tl::unexpected(of.error());
  const auto took = std::chrono::ceil<std::chrono::milliseconds>(of->took).count();
  return plugin_desk::swapped{of->from,  of->to,          of->removed,
                              of->added, of->handed_over, static_cast<std::uint64_t>(took)};
}

plugin_values values_of(const plugin_desk::settings& from) { return {from.begin(), from.end()}; }

} // namespace

std::vector<plugin_desk::plugin> hosted_plugins::list() {
  std::vector<plugin> all;
  for (const auto& one : in_.list())
    all.push_back(told(one));
  return all;
}

expected<plugin_desk::plugin> hosted_plugins::load(const std::string& file, const settings& with) {
  return in_.load(file, values_of(with)).map([](const auto& of) { return told(of); });
}

expected<plugin_desk::swapped> hosted_plugins::swap(const std::string& name,
                                                    const std::string& file, const settings& with) {
  return told(in_.swap(name, file, values_of(with)));
}

expected<plugin_desk::swapped> hosted_plugins::rollback(const std::string& name) {
  return told(in_.rollback(name));
}

} // namespace edupulse
