#pragma once
// What an operator may set on a plugin. The plugin declares names, types and defaults
// (<edupulse/plugin.hpp>); its handlers are given the values when they are made.

#include <cstdint>
#include <map>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

namespace edupulse {

/// Value; reading is thread-safe. A name that the plugin has not declared, or has declared with
/// another type, is a mistake in the plugin: `std::logic_error`, which is a failed start of the
/// handler that asked.
class plugin_settings {
public:
  using value = std::variant<std::string, std::int64_t, double, bool>;

  std::string_view text(std::string_view name) const { return get<std::string>(name, "text"); }
  std::int64_t integer(std::string_view name) const { return get<std::int64_t>(name, "integer"); }
  double number(std::string_view name) const { return get<double>(name, "number"); }
  bool flag(std::string_view name) const { return get<bool>(name, "flag"); }

  void set(std::string name, value what) { values_.insert_or_assign(std::move(name), what); }

private:
  template <class T> const T& get(std::string_view name, const char* type) const {
    const auto at = values_.find(name);
    const T* found = at == values_.end() ? nullptr : std::get_if<T>(&at->second);
    if (found == nullptr)
      throw std::logic_error("the plugin declares no setting '" + std::string(name) +
                             "' of the type " + type);
    return *found;
  }

  std::map<std::string, value, std::less<>> values_;
};

} // namespace edupulse
