#include "runtime/tls/identity.hpp"
#include <algorithm>

namespace edupulse {
namespace {

bool is_name_byte(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
         c == '_' || c == '-';
}

} // namespace

bool is_identity_name(std::string_view name) noexcept {
  return !name.empty() && name.size() <= 255 && std::all_of(name.begin(), name.end(), is_name_byte);
}

expected<tls_identity> parse_identity(std::string_view uri) {
  const auto wrong = [&] {
    return fail(errc::refused, "the URI " + quote(uri) +
                                   " is not edupulse://CLUSTER/NAME with names of 1 to 255 "
                                   "letters, digits, dots, hyphens and underscores");
  };
  if (!uri.starts_with(identity_scheme))
    return wrong();
  const auto rest = uri.substr(identity_scheme.size());
  const auto slash = rest.find('/');
  if (slash == std::string_view::npos)
    return wrong();
  const auto cluster = rest.substr(0, slash);
  const auto name = rest.substr(slash + 1);
  if (!is_identity_name(cluster) || !is_identity_name(name))
    return wrong();
  return tls_identity{std::string(cluster), std::string(name)};
}

std::string to_uri(const tls_identity& who) {
  return std::string(identity_scheme).append(who.cluster).append("/").append(who.name);
}

} // namespace edupulse
