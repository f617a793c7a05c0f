#pragma once
// What a NATS connection has sent and not heard of, for the client library's threads.

#include "runtime/descriptor.hpp"
#include "runtime/transports/broker_session.hpp"
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

namespace edupulse {

/// Any thread. Shared with callbacks by number: `find` is null once it is gone.
class nats_acks {
public:
  static std::shared_ptr<nats_acks> make();
  static std::shared_ptr<nats_acks> find(std::uintptr_t number);
  ~nats_acks();

  std::uintptr_t number() const noexcept { return number_; }
  /// Readable when there is something to `tell`, or the connection is lost.
  int news() const noexcept { return news_.number(); }

  static std::uintptr_t key_of(const void* message) noexcept {
    return reinterpret_cast<std::uintptr_t>(message);
  }
  void expect(std::uintptr_t key, deferral done);
  /// Its token is completed by the next `tell`: by the thread of the transport, many at once, since
  /// each completion on its own could wake the router. Nothing happens when it has been answered.
  void answer(std::uintptr_t key, outcome with);
  void tell();
  /// Of those that have not been answered; at once.
  void answer_all(const outcome& with);

  /// The first reason stays.
  void lose(std::string why);
  /// Empty: it is not lost.
  std::string lost() const;
  /// The server refuses a subject: what was sent must be sent again to find out which.
  void deny();
  bool denied() const;

private:
  nats_acks();

  std::uintptr_t number_ = 0;
  const descriptor news_;
  mutable std::mutex mutex_;
  std::unordered_map<std::uintptr_t, deferral> open_;
  std::vector<std::pair<deferral, outcome>> answered_;
  std::string lost_;
  bool denied_ = false;
};

} // namespace edupulse
