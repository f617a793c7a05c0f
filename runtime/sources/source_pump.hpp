#pragma once
// Brings what a source has onto the bus: a thread that receives, publishes and acknowledges.
//
//     connect --> receive --> read --> publish --> (concluded) --> acknowledge
//        ^            |         |  malformed: as `$source.malformed` instead
//        |            |         +  an echo: acknowledged, and that is all
//        +- back-off -+- an outage anywhere: what is open is delivered again
//
//   queue   bound                                  when full
//   open    a batch of the source, and `in_flight` nothing is received until something is concluded
//
// While the bus has no room the pump stands still at one message and keeps the connection alive:
// back-pressure goes to the broker, which is what a broker is for.

#include "actors/backoff.hpp"
#include "runtime/sources/inbound_reader.hpp"
#include <condition_variable>
#include <deque>
#include <edupulse/receipt.hpp>
#include <mutex>
#include <thread>

namespace edupulse {

class node_impl;

class source_pump {
public:
  source_pump(node_impl& node, std::string name, source_ptr from, source_options how);
  ~source_pump();

  /// Begins. Whoever takes malformed messages is there by then.
  void start();
  source_status status() const;
  /// Makes what a letter holds an event after all, when it has become one: its schema is known now.
  /// Never waits. Any thread.
  outcome read_again(const envelope& malformed);
  /// Nothing more is received until it is resumed. Returns at once.
  void hold(bool held);
  /// Nothing more is received. Returns at once.
  void quiesce();
  /// Acknowledges what can be, and ends the thread; waits for what the source is in the middle of.
  void end();

private:
  struct open_message {
    std::uint64_t token;
    receipt given;
  };

  void run();
  bool connect();
  expected<void> turn();
  expected<void> receive();
  expected<void> take(const inbound_message& what);
  expected<void> bury(const inbound_message& what, const error& why);
  expected<void> publish(envelope_ptr event, std::uint64_t token,
                         std::uint64_t source_status::*counted);
  expected<void> settle();
  void see(const expected<void>& how);
  void set_health(transport_health::state is, std::string why);
  void count(std::uint64_t source_status::*what);
  void pause(duration how_long);
  expected<void> stay_alive();
  bool quiet() const;
  bool may_receive() const;

  node_impl& node_;
  const std::string name_;
  const source_options how_;
  const source_ptr from_;
  const inbound_reader reader_;
  // Of the thread:
  bool up_ = false;
  std::uint32_t failures_ = 0;
  random_source chance_;
  time_point last_sign_{}; ///< of life
  std::deque<open_message> open_;
  std::vector<std::uint64_t> done_; ///< not acknowledged yet

  mutable std::mutex mutex_; ///< guards what follows
  std::condition_variable changed_;
  source_status status_;
  bool quiet_ = false;
  bool ended_ = false;
  std::thread thread_;
};

} // namespace edupulse
