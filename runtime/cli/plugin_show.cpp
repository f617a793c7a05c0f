#include "runtime/cli/plugin_show.hpp"

#include "runtime/cli/show.hpp"
#include <cstdio>
#include <iostream>
#include <memory>

namespace edupulse::cli {

namespace {

std::string or_dash(const std::string& text) { return text.empty() ? "-" : text; }

std::string handlers_text(const plugin_manifest& of) {
  table rows({"HANDLER", "EVENT", "FILTER", "GROUP", "STATE"});
  for (const auto& one : of.handlers)
    rows.add({one.name, one.event.empty() ? "any" : one.event, or_dash(one.filter),
              or_dash(one.group), one.hands_over ? "goes to the next version" : "-"});
  return "\n" + rows.text();
}

std::string events_text(const plugin_manifest& of) {
  table rows({"PUBLISHES"});
  for (const auto& one : of.publishes)
    rows.add({one});
  return of.publishes.empty() ? "" : "\n" + rows.text();
}

std::string settings_text(const plugin_manifest& of) {
  table rows({"SETTING", "TYPE", "DEFAULT", "WHAT IT IS"});
  for (const auto& one : of.settings)
    rows.add({one.name, one.type, or_dash(one.by_default), one.about});
  return of.settings.empty() ? "" : "\n" + rows.text();
}

std::string escaped(char32_t point) {
  char text[16];
  if (point < 0x10000) {
    std::snprintf(text, sizeof text, "\\u%04x", static_cast<unsigned>(point));
  } else {
    const auto rest = static_cast<unsigned>(point) - 0x10000;
    std::snprintf(text, sizeof text, "\\u%04x\\u%04x", 0xd800 + (rest >> 10),
                  0xdc00 + (rest & 0x3ff));
  }
  return text;
}

/// Of UTF-8 that was checked: moves `at` behind it.
char32_t take_point(std::string_view text, std::size_t& at) {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(text[i]); };
  const auto first = byte(at++);
  const int more = first >= 0xf0 ? 3 : first >= 0xe0 ? 2 : first >= 0xc0 ? 1 : 0;
  char32_t point = more == 0 ? first : first & (0x3fU >> more);
  for (int i = 0; i < more; ++i)
    point = point << 6 | (byte(at++) & 0x3fU);
  return point;
}

int run_show(const std::string& file, bool as_json) {
  const auto manifest = read_plugin_manifest(file);
  if (!manifest) {
    std::cerr << "edupulse: " << manifest.error().text << '\n';
    return 1;
  }
  std::cout << (as_json ? plugin_json(*manifest) : plugin_text(*manifest)) << std::flush;
  return std::cout ? 0 : 1;
}

} // namespace

std::string plugin_text(const plugin_manifest& of) {
  std::string text = printable(of.name) + " " + printable(of.version);
  text += of.about.empty() ? "\n" : ": " + printable(of.about) + "\n";
  text += "built with " + printable(of.fingerprint) + "\n";
  return text + handlers_text(of) + events_text(of) + settings_text(of);
}

std::string plugin_json(const plugin_manifest& of) {
  const std::string_view from = of.json;
  std::string text;
  for (std::size_t at = 0; at < from.size();) {
    const auto point = take_point(from, at);
    // What is not ASCII can only be inside of texts; there, an escape is the same.
    text += point < 0x7f ? std::string(1, static_cast<char>(point)) : escaped(point);
  }
  return text + "\n";
}

void add_plugin_show(CLI::App& plugin, std::function<int()>& run, const bool& as_json) {
  const auto file = std::make_shared<std::string>();
  auto* verb = plugin.add_subcommand("show", "what a plugin's file says of it; nothing is loaded");
  verb->add_option("FILE", *file, "the plugin")->required();
  verb->callback(
      [file, &run, &as_json] { run = [file, &as_json] { return run_show(*file, as_json); }; });
}

} // namespace edupulse::cli
