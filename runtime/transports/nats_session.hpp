#pragma once
// NATS: core, where a flush confirms that the server has everything, and JetStream, where each
// message is acknowledged once it is stored. https://docs.nats.io/reference/reference-protocols
//
// The client library has threads of its own. What they call finds its session in a list, since the
// library says of no callback when it has been called for the last time.

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/nats_acks.hpp"
#include <map>
#include <memory>
#include <nats/nats.h>
#include <set>
#include <string>
#include <vector>

namespace edupulse {

struct nats_options {
  std::vector<std::string> servers; ///< one after the other is tried: `nats://host:port`
  std::string user;
  std::string password;
  std::string token;
  std::string credentials; ///< a file, as `nsc` writes it
  bool tls = false;
  std::string ca; ///< file; empty: those of the system
  std::string certificate;
  std::string key;
  bool jetstream = false;
  std::uint64_t in_flight = 4096; ///< of JetStream: sent and not acknowledged
  duration connect_timeout{};
  duration ack_timeout{};
};

class nats_session final : public broker_session {
public:
  explicit nats_session(nats_options how);
  ~nats_session() override;

  expected<void> connect() override;
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  expected<natsOptions*> make_options();
  expected<void> open_jetstream();
  expected<void> send_one(outgoing& one);
  natsStatus publish(natsMsg* what);
  natsStatus store(natsMsg* what, const std::string& id);
  expected<void> confirm();
  expected<void> flush();
  std::string new_denial();
  std::string_view known_denial(const std::string& topic);
  expected<void> begin_to_be_careful();
  tl::unexpected<error> over(std::string why);
  void close() noexcept;

  const nats_options how_;
  std::shared_ptr<nats_acks> acks_; ///< of this connection
  natsConnection* to_ = nullptr;
  jsCtx* stream_ = nullptr;
  std::uintptr_t sent_ = 0; ///< of core: numbers of messages
  static constexpr std::size_t largest_portion = 1u << 20;
  static constexpr std::size_t least_portion = 4096;
  std::size_t most_unconfirmed_ = largest_portion; ///< of core: bytes between two flushes

  // What this user may publish.
  bool careful_ = false; ///< it was not everything, once
  std::string last_denial_;
  std::map<std::string, std::string, std::less<>> denied_; ///< subjects, and the server's words
  std::set<std::string, std::less<>> allowed_;             ///< while `careful_`; a bounded number
};

} // namespace edupulse
