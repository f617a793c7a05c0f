#pragma once
// Our own nodes as contenders.

#include "contender.hpp"
#include <memory>
#include <string>

namespace bench {

/// Certificates of a cluster with the nodes "publisher" and "subscriber", in a directory that is
/// gone at the end.
class certificates {
public:
  certificates();
  std::string of(const std::string& node) const { return place_.path() + "/" + node; }

private:
  scratch place_;
};

enum class promise { best_effort, acknowledged };

/// With `tls` for one subscriber only.
contender nodes(promise level, std::shared_ptr<const certificates> tls = nullptr);
contender nodes_paced();
/// A publisher that says "set" before it publishes, waits for a line, then says "stalled" when a
/// subscription is declared so; it answers "memory" with "memory IDLE PEAK" in MiB.
contender nodes_watched();

} // namespace bench
