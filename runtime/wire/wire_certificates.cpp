// Certificates that were replaced, are on a list by now, or will soon be too old.

#include "runtime/wire/wire_actor.hpp"

namespace edupulse {

namespace {
constexpr std::int64_t hour = 3600; // seconds
constexpr std::int64_t warn_before = 7 * 24 * hour;
constexpr auto warn_every = std::chrono::hours(24);
} // namespace

void wire_state::warn_of_expiry() {
  const auto now = setup->host->now();
  const auto left = setup->tls->expires_in();
  if (left > warn_before || now < next_warning)
    return;
  next_warning = now + warn_every;
  const auto when =
      left > 0 ? "expires in " + std::to_string(left / hour) + " hours" : "has expired";
  setup->host->say(true, "this node's certificate, or its list of those that are revoked, " + when +
                             ": afterwards nobody can connect; replace the files (docs/tls.md)");
}

expected<void> wire_state::reload() {
  if (!setup->tls)
    return fail(errc::refused, "this node was started without `cluster.tls`");
  auto done = setup->tls->reload();
  if (!done)
    return done;
  setup->host->say(false, "the certificates were read again");
  std::vector<connection_id> bad;
  for (const auto& [handle, one] : connections)
    if (one.secured && !one.closing)
      if (auto still = setup->tls->still_valid(*one.tls); !still) {
        setup->host->say(true, "closed a connection: " + still.error().text);
        bad.push_back(one.id);
      }
  for (const auto which : bad) {
    board->on_closed(which, "its certificate is not good any more", setup->host->now(), effects);
    close(which);
  }
  settle();
  return done;
}

/// Every few seconds.
void wire_state::check_certificates() {
  warn_of_expiry();
  if (setup->tls->changed())
    if (auto done = reload(); !done)
      setup->host->say(true, "the certificates were replaced by some that cannot be used, so those "
                             "before stay in use: " +
                                 done.error().text);
}

} // namespace edupulse
