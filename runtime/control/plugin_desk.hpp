#pragma once
// What the control socket asks of whoever runs plugins in a node.

#include "schemas/error.hpp"
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace edupulse {

/// One call at a time, on a thread of the control socket. Errors are shown to the operator.
class plugin_desk {
public:
  using settings = std::vector<std::pair<std::string, std::string>>;
  struct plugin {
    std::string name;
    std::string version;
    std::string file;
    std::string state;
    std::vector<std::string> handlers; ///< names of its subscriptions
    bool can_roll_back = false;
    std::string previous_version; ///< empty: none
  };
  struct swapped {
    std::string from; ///< versions
    std::string to;
    std::vector<std::string> removed;
    std::vector<std::string> added;
    std::vector<std::string> handed_over;
    std::uint64_t took_ms = 0;
  };

  virtual ~plugin_desk() = default;
  virtual std::vector<plugin> list() = 0;
  virtual expected<plugin> load(const std::string& file, const settings& with) = 0;
  virtual expected<swapped> swap(const std::string& name, const std::string& file,
                                 const settings& with) = 0;
  virtual expected<swapped> rollback(const std::string& name) = 0;
};

} // namespace edupulse
