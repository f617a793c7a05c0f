#pragma once
// What a plugin says of itself, as one constant: a node reads it when it has loaded the plugin, and
// the compiler turns it into the manifest (plugin_manifest.hpp) that can be read without loading.
// The limits are those of a constant without an allocator; a plugin near them is several plugins.

#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <edupulse/handler.hpp>
#include <edupulse/plugin_settings.hpp>
#include <span>
#include <string>
#include <string_view>

namespace caf {
class behavior;
class event_based_actor;
} // namespace caf

namespace edupulse {

/// `subscription_options` as a constant; each field means what it means there.
struct plugin_handler_options {
  /// Empty: the handler's event, with any subject.
  std::string_view filter{};
  std::string_view group{};
  event_order order = event_order::keyed;
  std::uint32_t concurrency = 1;
  std::uint32_t window = 1024;
  std::size_t backlog_events = 8192;
  std::size_t backlog_bytes = 4u << 20;
  overload_policy overload = overload_policy::wait;
  duration stall_after = std::chrono::seconds(2);
  retry_options retry{};
  duration time_limit = std::chrono::seconds(30);
  execution_place execution = execution_place::automatic;
  restart_kind restart = restart_kind::permanent;
  quarantine_policy quarantine = quarantine_policy::wait;
  after_dead_letter dead = after_dead_letter::next;

  friend bool operator==(const plugin_handler_options&, const plugin_handler_options&) = default;
};

/// `event_traits<T>::type`: its schema, for whoever shows an event.
using plugin_event_type = const event_type& (*)() noexcept;

/// One handler of a plugin. The functions are the plugin's; they may throw.
struct plugin_handler {
  std::string_view name{};
  std::string_view event{};         ///< empty: of any event
  plugin_event_type type = nullptr; ///< of that event
  plugin_handler_options options{};
  bool blocks = false;
  std::unique_ptr<edupulse::handler> (*make)(const plugin_settings&) = nullptr;
  /// Null when it keeps nothing that a successor could take over.
  std::string (*snapshot)(const edupulse::handler&) = nullptr;
  void (*restore)(edupulse::handler&, std::string_view) = nullptr;
  /// Instead of `make`: a CAF actor; see <edupulse/caf.hpp>.
  caf::behavior (*behave)(caf::event_based_actor*, const plugin_settings&) = nullptr;
};

/// An event that a plugin publishes.
struct plugin_event {
  std::string_view name{};
  plugin_event_type type = nullptr;
};

struct plugin_setting {
  enum class kind : std::uint8_t { text, integer, number, flag };
  std::string_view name{};
  kind type = kind::text;
  std::string_view text{};
  std::int64_t integer = 0;
  double number = 0;
  bool flag = false;
  std::string_view about{};
};

namespace detail {

/// A vector in a constant.
template <class T, std::size_t N> struct few {
  std::array<T, N> items{};
  std::size_t size = 0;

  constexpr void add(const T& one, const char* too_many) {
    if (size == N)
      throw too_many; // not a constant any more: the compiler shows the sentence
    items[size++] = one;
  }
  constexpr std::span<const T> all() const { return {items.data(), size}; }
};

/// Names of plugins and handlers: they are parts of file names, topics and command lines.
constexpr bool is_plain_name(std::string_view name) {
  return !name.empty() && name.size() <= 63 && name.front() != '-' &&
         std::all_of(name.begin(), name.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-';
         });
}

constexpr bool is_version(std::string_view text) {
  return !text.empty() && text.size() <= 63 && text.front() >= '0' && text.front() <= '9' &&
         std::all_of(text.begin(), text.end(), [](char c) {
           return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
                  c == '.' || c == '-' || c == '+';
         });
}

template <class T> constexpr bool has_name(std::span<const T> among, std::string_view name) {
  return std::any_of(among.begin(), among.end(), [&](const T& one) { return one.name == name; });
}

} // namespace detail

/// How it is written: <edupulse/plugin.hpp>.
class plugin {
public:
  constexpr plugin(std::string_view name, std::string_view version)
      : name_(name), version_(version) {
    if (!detail::is_plain_name(name))
      throw "a plugin's name is 1 to 63 of a-z, 0-9 and -";
    if (!detail::is_version(version))
      throw "a plugin's version begins with a digit: 1.0.0";
  }

  constexpr plugin& about(std::string_view text) {
    about_ = text;
    return *this;
  }
  /// The supervision scope that all handlers of the plugin are in.
  constexpr plugin& scope(const scope_options& how) {
    scope_ = how;
    return *this;
  }
  template <class T> constexpr plugin& publishes() {
    require_event<T>();
    publishes_.add({event_traits<T>::name, &event_traits<T>::type},
                   "a plugin lists at most 64 events that it publishes");
    return *this;
  }
  constexpr plugin& setting(std::string_view name, const char* by_default, std::string_view about) {
    return declare({name, plugin_setting::kind::text, by_default, 0, 0, false, about});
  }
  template <std::integral Integer>
  constexpr plugin& setting(std::string_view name, Integer by_default, std::string_view about) {
    return declare({name, plugin_setting::kind::integer, {}, by_default, 0, false, about});
  }
  constexpr plugin& setting(std::string_view name, double by_default, std::string_view about) {
    return declare({name, plugin_setting::kind::number, {}, 0, by_default, false, about});
  }
  constexpr plugin& setting(std::string_view name, bool by_default, std::string_view about) {
    return declare({name, plugin_setting::kind::flag, {}, 0, 0, by_default, about});
  }
  constexpr plugin& add(const plugin_handler& one) {
    if (!detail::is_plain_name(one.name))
      throw "a handler's name is 1 to 63 of a-z, 0-9 and -";
    if (detail::has_name(handlers(), one.name))
      throw "two handlers of one plugin have the same name";
    if (one.event.empty() && one.options.filter.empty())
      throw "a handler of any event needs a .filter";
    handlers_.add(one, "a plugin has at most 32 handlers");
    return *this;
  }
  /// Defined in <edupulse/plugin.hpp>.
  template <class T, class H>
  constexpr plugin& handler(std::string_view name, const plugin_handler_options& options = {});
  template <class T, class F>
  constexpr plugin& handler(std::string_view name, F, const plugin_handler_options& options = {});

  constexpr std::string_view name() const { return name_; }
  constexpr std::string_view version() const { return version_; }
  constexpr std::string_view about() const { return about_; }
  constexpr const scope_options& scope() const { return scope_; }
  constexpr std::span<const plugin_handler> handlers() const { return handlers_.all(); }
  constexpr std::span<const plugin_setting> settings() const { return settings_.all(); }
  constexpr std::span<const plugin_event> publishes() const { return publishes_.all(); }

private:
  constexpr plugin& declare(const plugin_setting& one) {
    if (!detail::is_plain_name(one.name))
      throw "a setting's name is 1 to 63 of a-z, 0-9 and -";
    if (detail::has_name(settings(), one.name))
      throw "two settings of one plugin have the same name";
    settings_.add(one, "a plugin has at most 64 settings");
    return *this;
  }

  std::string_view name_;
  std::string_view version_;
  std::string_view about_{};
  scope_options scope_{};
  detail::few<plugin_handler, 32> handlers_{};
  detail::few<plugin_setting, 64> settings_{};
  detail::few<plugin_event, 64> publishes_{};
};

} // namespace edupulse
