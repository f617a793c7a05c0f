#include "runtime/plugins/manifest.hpp"

#include "schemas/codec.hpp"
#include "schemas/json_syntax.hpp"
#include "schemas/plugin.capnp.h"
#include <capnp/compat/json.h>
#include <capnp/message.h>
#include <edupulse/plugin_description.hpp>
#include <string>

namespace edupulse {

namespace {

std::string text_of(capnp::Text::Reader from) { return {from.cStr(), from.size()}; }

std::string default_of(schema::PluginManifest::Setting::Reader from) {
  const std::string_view type = from.getType().cStr();
  if (type == "integer")
    return std::to_string(from.getInteger());
  if (type == "number")
    return std::string(kj::str(from.getNumber()).cStr());
  if (type == "flag")
    return from.getFlag() ? "true" : "false";
  return text_of(from.getText());
}

expected<plugin_manifest> checked(plugin_manifest&& from) {
  const auto bad = [](const std::string& what) {
    return fail(errc::refused, "its manifest " + what);
  };
  if (!detail::is_plain_name(from.name))
    return bad("gives it the name " + quote(from.name) +
               ", which is not 1 to 63 of a-z, 0-9 and -");
  if (!detail::is_version(from.version))
    return bad("gives it the version " + quote(from.version) + ", which is none");
  for (const auto& one : from.handlers)
    if (!detail::is_plain_name(one.name))
      return bad("names a handler " + quote(one.name) + ", which is not 1 to 63 of a-z, 0-9 and -");
  for (const auto& one : from.settings)
    if (!detail::is_plain_name(one.name))
      return bad("names a setting " + quote(one.name) + ", which is not 1 to 63 of a-z, 0-9 and -");
  return std::move(from);
}

plugin_manifest value_of(schema::PluginManifest::Reader from, std::string_view json) {
  plugin_manifest result;
  result.name = text_of(from.getName());
  result.version = text_of(from.getVersion());
  result.about = text_of(from.getAbout());
  result.fingerprint = text_of(from.getFingerprint());
  for (const auto one : from.getHandlers())
    result.handlers.push_back({text_of(one.getName()), text_of(one.getEvent()),
                               text_of(one.getFilter()), text_of(one.getGroup()),
                               one.getHandsOver()});
  for (const auto one : from.getPublishes())
    result.publishes.push_back(text_of(one));
  for (const auto one : from.getSettings())
    result.settings.push_back(
        {text_of(one.getName()), text_of(one.getType()), default_of(one), text_of(one.getAbout())});
  result.json = std::string(json);
  return result;
}

} // namespace

expected<plugin_manifest> parse_manifest(std::string_view text) {
  const auto json = check_json(text);
  if (!json)
    return fail(errc::refused, "its manifest is no JSON: " + json.error().text);
  plugin_manifest result;
  std::uint32_t format = 0;
  const auto read = catching(errc::refused, [&] {
    capnp::MallocMessageBuilder message;
    auto root = message.initRoot<schema::PluginManifest>();
    capnp::JsonCodec().decode(kj::ArrayPtr<const char>(json->data(), json->size()), root);
    format = root.getFormat();
    result = value_of(root.asReader(), text);
  });
  if (!read)
    return fail(errc::refused, "its manifest cannot be read: " + read.error().text);
  if (format != 1)
    return fail(errc::refused, "its manifest has the form " + std::to_string(format) +
                                   ", and this version reads form 1");
  return checked(std::move(result));
}

} // namespace edupulse
