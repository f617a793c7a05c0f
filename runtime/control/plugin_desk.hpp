#pragma once
// What the control socket asks of whoever runs plugins in a node.

#include <edupulse/plugin_host.hpp>
#include <filesystem>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace edupulse {

/// As `plugin_host`. One call at a time, on a thread of the control socket; errors are shown to the
/// operator.
class plugin_desk {
public:
  using setting_list = std::vector<std::pair<std::string, std::string>>; ///< as they were given

  virtual ~plugin_desk() = default;
  virtual std::vector<plugin_status> list() const = 0;
  virtual expected<plugin_status> load(const std::filesystem::path& file,
                                       const setting_list& with) = 0;
  virtual expected<swap_report> swap(std::string_view name, const std::filesystem::path& file,
                                     const setting_list& with) = 0;
  virtual expected<swap_report> rollback(std::string_view name) = 0;
  virtual expected<std::vector<crash_record>> crash_records(std::string_view plugin) const = 0;
};

} // namespace edupulse
