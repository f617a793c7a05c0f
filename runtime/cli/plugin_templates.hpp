#pragma once
// What `edupulse plugin new` writes, with places for names: @NAME@ (my-plugin), @ID@ (my_plugin),
// @TYPE@ (MyPlugin), @FILE_ID@ (of the schema).

#include <span>
#include <string_view>

namespace edupulse::cli {

struct plugin_template {
  std::string_view file; ///< a name, with places too
  std::string_view text;
};
extern const std::span<const plugin_template> plugin_templates;

} // namespace edupulse::cli
