#pragma once
// NATS: core, where a flush confirms that the server has everything, and JetStream, where each
// message is acknowledged once it is stored. https://docs.nats.io/reference/reference-protocols
//
// The client library has threads of its own. What they call finds its session in a list, since the
// library says of no callback when it has been called for the last time.

#include "runtime/transports/broker_session.hpp"
#include "runtime/transports/nats_acks.hpp"
#include "runtime/transports/nats_client.hpp"
#include <map>
#include <memory>
#include <set>
#include <string>

namespace edupulse {

class nats_session final : public broker_session {
public:
  /// `in_flight`: of JetStream: sent and not acknowledged; 0 is core NATS.
  nats_session(nats_login how, std::uint64_t in_flight);
  ~nats_session() override;

  expected<void> connect() override;
  expected<void> send(std::vector<outgoing> batch) override;
  expected<void> wait(int wake) override;

private:
  expected<nats_options> make_options();
  expected<void> open_jetstream();
  expected<void> send_one(outgoing& one);
  expected<void> publish(outgoing& one);
  expected<std::string> denial_of_last(const std::string& topic);
  expected<void> store(outgoing& one);
  expected<void> confirm();
  expected<void> flush();
  std::string new_denial();
  std::string_view known_denial(const std::string& topic);
  expected<void> begin_to_be_careful();
  tl::unexpected<error> over(std::string why);
  void close() noexcept;

  bool has_stream() const noexcept { return in_flight_ > 0; }

  const nats_login how_;
  const std::uint64_t in_flight_;
  std::shared_ptr<nats_acks> acks_; ///< of this connection
  natsConnection* to_ = nullptr;
  jsCtx* stream_ = nullptr;
  std::vector<deferral> unconfirmed_; ///< of core: since the last flush
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
