#pragma once
// What one reading of the files gave. Never changed; sessions share it with their context.

#include "runtime/tls/certificate.hpp"
#include "runtime/tls/files.hpp"
#include "runtime/tls/tls_context.hpp"
#include <array>

namespace edupulse {

struct tls_material {
  ossl::store_ptr store;
  ossl::context_ptr context;
  tls_identity self;
  std::int64_t not_after = 0;
  std::array<file_stamp, 4> stamps;
  wall_clock now;

  /// Errors: as tls_context::open.
  static expected<std::shared_ptr<const tls_material>> read(const tls_files& files, wall_clock now);
};

/// In the order of `stamps`.
std::array<file_stamp, 4> stamps_of(const tls_files& files) noexcept;

} // namespace edupulse
