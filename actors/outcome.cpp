#include "actors/outcome.hpp"

namespace edupulse {

std::string_view to_string(outcome::kind what) noexcept {
  switch (what) {
  case outcome::kind::ok:
    return "ok";
  case outcome::kind::retry:
    return "retry";
  case outcome::kind::reject:
    return "reject";
  case outcome::kind::unavailable:
    return "unavailable";
  case outcome::kind::deferred:
    return "deferred";
  case outcome::kind::crash:
    return "crash";
  }
  return "unknown";
}

} // namespace edupulse
