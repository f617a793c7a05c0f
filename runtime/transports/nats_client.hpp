#pragma once
// How one logs in to NATS, for the mirror and the source.

#include "runtime/transports/broker_factory.hpp"
#include <memory>
#include <nats/nats.h>
#include <string>
#include <string_view>
#include <vector>

namespace edupulse {

struct nats_login {
  std::vector<std::string> servers; ///< one after the other is tried: `nats://host:port`
  std::string user;
  std::string password;
  std::string token;
  std::string credentials; ///< a file, as `nsc` writes it
  bool tls = false;
  std::string ca; ///< file; empty: those of the system
  std::string certificate;
  std::string key;
  duration connect_timeout{};
  duration ack_timeout{};

  /// Errors: `invalid_option`, about the address.
  static expected<nats_login> read(const broker_url& url, setting_reader& settings,
                                   const broker_times& times);
};

struct nats_options_closer {
  void operator()(natsOptions* what) const noexcept { ::natsOptions_Destroy(what); }
};
using nats_options = std::unique_ptr<natsOptions, nats_options_closer>;

/// Without the library's own reconnecting: broker_transport.hpp says why. Its errors go nowhere
/// until somebody sets a handler, else it would write them to stderr. Errors: `io`, for files that
/// cannot be read.
expected<nats_options> make_nats_options(const nats_login& how);

/// "nats: " and the words.
std::string nats_said(std::string_view words);
/// What the library last said on this thread.
std::string nats_words(natsStatus status);
/// Why no connection came about.
std::string nats_refusal(natsStatus status, const nats_login& how);
/// Why a connection is over.
std::string nats_end_of(natsConnection* connection);

struct nats_message_freed {
  void operator()(natsMsg* what) const noexcept { ::natsMsg_Destroy(what); }
};
using nats_message = std::unique_ptr<natsMsg, nats_message_freed>;

} // namespace edupulse
