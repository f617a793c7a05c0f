#pragma once
// Who a node is to other nodes: the URI `edupulse://CLUSTER/NAME` in its certificate.

#include "schemas/error.hpp"
#include <string>
#include <string_view>

namespace edupulse {

struct tls_identity {
  std::string cluster;
  std::string name;

  friend bool operator==(const tls_identity&, const tls_identity&) = default;
};

/// Of clusters and nodes: 1 to 255 bytes of [A-Za-z0-9._-].
bool is_identity_name(std::string_view name) noexcept;

/// Errors: `refused`, for everything that is not, byte for byte, what `to_uri` makes.
expected<tls_identity> parse_identity(std::string_view uri);
std::string to_uri(const tls_identity& who);

/// How the URI of every certificate of a cluster begins.
inline constexpr std::string_view identity_scheme = "edupulse://";

} // namespace edupulse
