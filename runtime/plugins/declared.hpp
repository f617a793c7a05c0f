#pragma once
// What a plugin declares, as the node's own options; and what of it a new version must leave as it
// is.

#include <edupulse/plugin.hpp>
#include <edupulse/plugin_host.hpp>

namespace edupulse {

/// Null when there is none of that name.
const plugin_handler* find_handler(const plugin& in, std::string_view name);
/// Of an event that a handler takes; null when none does.
const event_type* type_taken(const plugin& in, std::string_view event);
/// Of an event that it takes or publishes; null when there is none.
const event_type* type_known(const plugin& in, std::string_view event);

/// The subscription of one handler, in the scope of its plugin.
std::string subscription_name(const plugin& of, const plugin_handler& which);
subscription_options options_of(const plugin& of, const plugin_handler& which);
expected<topic_filter> filter_of(const plugin_handler& which);

/// The defaults, and the values given in their place. Errors: `invalid_option`, naming the setting
/// and what it takes, or the nearest name that there is.
expected<plugin_settings> settings_of(const plugin& of, const plugin_values& given);

/// Errors: `refused`, with the first option that a swap cannot change, as each version has it;
/// `invalid_option` for one of `to`.
expected<void> check_swap(const plugin& from, const plugin& to);

} // namespace edupulse
