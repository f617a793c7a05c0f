#include "runtime/plugins/plugin_code.hpp"

#include <algorithm>
#include <atomic>
#include <dlfcn.h>
#include <string>
#include <vector>

namespace edupulse {

namespace {

std::vector<std::string_view> parts_of(std::string_view fingerprint) {
  std::vector<std::string_view> parts;
  for (;;) {
    const auto end = fingerprint.find("; ");
    parts.push_back(fingerprint.substr(0, end));
    if (end == std::string_view::npos)
      return parts;
    fingerprint.remove_prefix(end + 2);
  }
}

/// dlopen answers with what it has loaded under the same name before, and numbers of descriptors
/// come again. So each load spells the name in another way: bits of a counter, as `/` or `/.`.
std::string new_name_of(const descriptor& image) {
  static std::atomic<std::uint32_t> loaded{0};
  std::string name = "/proc/self/fd";
  for (auto rest = ++loaded; rest != 0; rest >>= 1)
    name += (rest & 1) != 0 ? "/." : "/";
  return name + "/" + std::to_string(image.number());
}

} // namespace

expected<void> check_fingerprint(std::string_view of_plugin) {
  if (of_plugin == plugin_fingerprint)
    return {};
  std::string theirs;
  std::string ours;
  const auto add = [](std::string& to, std::string_view part) {
    to += (to.empty() ? "" : ", ") + std::string(part);
  };
  const auto plugins = parts_of(of_plugin);
  const auto nodes = parts_of(plugin_fingerprint);
  for (std::size_t i = 0; i < std::max(plugins.size(), nodes.size()); ++i) {
    const auto its = i < plugins.size() ? plugins[i] : std::string_view("nothing");
    const auto own = i < nodes.size() ? nodes[i] : std::string_view("nothing");
    if (its != own)
      add(theirs, its), add(ours, own);
  }
  return fail(errc::refused, "it was built with " + quote(theirs, 256) + " and this node with " +
                                 quote(ours, 256) +
                                 ": build it again with what the node was built with");
}

expected<const plugin*> load_code(const descriptor& image) {
  const auto path = new_name_of(image);
  void* const library = ::dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL | RTLD_NODELETE);
  if (library == nullptr) {
    std::string why = ::dlerror();
    if (const auto at = why.find(path + ": "); at != std::string::npos)
      why.erase(at, path.size() + 2);
    return fail(errc::refused, "it cannot be loaded: " + quote(why, 512));
  }
  using entry_function = const plugin_entry* (*)();
  const auto entry = reinterpret_cast<entry_function>(::dlsym(library, "edupulse_plugin"));
  if (entry == nullptr)
    return fail(errc::refused, "it has a manifest, but no function edupulse_plugin: its symbols "
                               "were hidden or stripped");
  const plugin_entry* const its = entry();
  if (its == nullptr || its->abi != plugin_abi || its->fingerprint != plugin_fingerprint)
    return fail(errc::refused, "its code was built with something else than its manifest says");
  return its->what;
}

} // namespace edupulse
