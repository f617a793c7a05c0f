#pragma once
// What a plugin_host is made of.

#include "runtime/control/plugin_desk.hpp"
#include "runtime/node_impl.hpp"
#include "runtime/plugins/handover.hpp"
#include <edupulse/plugin_host.hpp>
#include <map>
#include <mutex>
#include <optional>

namespace edupulse {

class plugin_host::impl final : public plugin_desk {
public:
  impl(node& at, plugin_host_options options, std::filesystem::path probe);
  expected<void> read_crashes();
  const std::vector<crashed_call>& crashes() const noexcept { return crashes_; }

  expected<plugin_status> load(const std::filesystem::path& file, const plugin_values& settings);
  expected<plugin_status> load(const std::filesystem::path& file,
                               const setting_list& with) override {
    return load(file, plugin_values(with.begin(), with.end()));
  }
  expected<swap_report> swap(std::string_view name, const std::filesystem::path& file,
                             const plugin_values& settings);
  expected<swap_report> swap(std::string_view name, const std::filesystem::path& file,
                             const setting_list& with) override {
    return swap(name, file, plugin_values(with.begin(), with.end()));
  }
  expected<swap_report> rollback(std::string_view name) override;
  std::vector<plugin_status> list() const override;
  expected<std::vector<crash_record>> crash_records(std::string_view plugin) const override;
  const event_type* type_of(std::string_view event) const;

private:
  using handover_ptr = std::shared_ptr<handover>;

  struct loaded_plugin {
    plugin_code_ptr now;
    plugin_code_ptr before;                        ///< what a rollback goes back to, or null
    std::map<std::string, handover_ptr> handovers; ///< by subscription
  };
  /// A handler that both versions have.
  struct follow {
    std::string subscription;
    const plugin_handler* old_one;
    const plugin_handler* new_one;
    handover_ptr between;
  };
  /// One version on its way from another.
  struct turn {
    plugin_code_ptr from;
    plugin_code_ptr to;
    first_objects ready; ///< of `to`
    std::vector<follow> both{};
    std::map<std::string, handover_ptr> added{}; ///< of handlers that only `to` has
    std::optional<time_point> begun{};           ///< when the first old handler was told to stop
  };

  /// From a file to code that may be used. `expected_name`: of the plugin it takes over from.
  expected<plugin_code_ptr> bring_in(const std::filesystem::path& file,
                                     const plugin_values& settings, std::string_view expected_name);
  expected<void> check_subscriptions(const plugin& of) const;
  expected<void> subscribe(const plugin_code_ptr& code, const plugin_handler& which,
                           first_objects& ready, std::map<std::string, handover_ptr>& handovers);
  handler_recipe recipe(const plugin_code_ptr& code, const plugin_handler& which,
                        const handover_ptr& between);
  handler_recipe bare_recipe(const plugin_code_ptr& code, const plugin_handler& which,
                             const handover_ptr& between);
  crash_notes::limits most_crashes() const { return {options_.crashes_max, options_.deaths_max}; }
  plugin_status status_of(const loaded_plugin& of,
                          const std::vector<subscription_status>& all) const;

  // swap.cpp
  expected<loaded_plugin*> find(std::string_view name);
  expected<swap_report> take_over(loaded_plugin& which, const plugin_code_ptr& to);
  std::vector<follow> handlers_of_both(const loaded_plugin& which, const plugin_code_ptr& to) const;
  expected<void> go_over(turn& what);
  void go_back(turn& what);
  swap_report settle(turn& what, loaded_plugin& which);
  expected<void> exchange(std::vector<follow>& all, const plugin_code_ptr& to,
                          first_objects&& ready);
  expected<void> wait_for(const std::vector<follow>& all) const;
  void resume_if_quarantined(const std::vector<follow>& all);

  node& at_;
  node_impl& node_;
  const plugin_host_options options_;
  const std::filesystem::path probe_;
  std::shared_ptr<crash_notes> notes_;
  std::vector<crashed_call> crashes_;
  mutable std::mutex mutex_; ///< guards what follows; held during a load or a swap
  std::map<std::string, loaded_plugin, std::less<>> loaded_;
  std::uint64_t last_number_ = 0;
};

} // namespace edupulse
