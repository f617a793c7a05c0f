#pragma once
// Every message between the actors of a node, on one page. Actors are untyped; names of actors are
// written in capitals, so that ROUTER the actor is never confused with the router's core.
//
// ROUTER (router_actor; on a thread of its own, or beside WIRE). Events, reports and completions do
// not come as messages: they lie in its inbox, and one `wake` announces any number of them.
//   wake                          something lies in the inbox, or a deadline has come
//   errand_ptr                    the node asks for something; runs on the ROUTER's thread
//   handler_up                    from HANDLER: the user's object is made
//   down_msg                      a HANDLER has ended
//   finish                        from the node: all is stopped; end yourself
//
// WIRE (runtime/wire/wire_actor, a broker on CAF's multiplexer; only in a cluster). What it has to
// say to ROUTER lies in ROUTER's inbox.
//   begin                         from the node: take connections, join
//   wake                          a deadline has come
//   wire_orders                   from ROUTER: write this to sessions, or cut them
//   new_socket                    from the threads that dial and accept: a connection, or why not
//   wire_errand_ptr               from the node: runs on the multiplexer's thread
//   read_on                       ROUTER has taken what a session had left
//   new_data_msg, data_transferred_msg, connection_closed_msg   from CAF: the sockets
//   finish                        from the node: close everything; end yourself
//
// HANDLER (handler_actor, one per lane of a subscription).
//   begin                         from ROUTER: make the user's object, answer handler_up
//   batch_ptr                     from ROUTER: handle these; the answer lies in the inbox
//   stop                          from ROUTER: your generation is revoked; end yourself

#include "actors/batch.hpp"
#include "actors/caf.hpp"
#include "actors/peers.hpp"
#include <functional>
#include <future>
#include <memory>

namespace edupulse {

class desk;

struct wake {};
struct begin {};
struct stop {};
struct finish {
  std::shared_ptr<std::promise<void>> gone;
};

struct handler_up {
  std::uint32_t subscription;
  std::uint32_t lane;
  std::uint32_t generation;
};

/// A closure of the node's, with its answer on its way back through a promise.
struct errand {
  std::function<void(desk&)> run;
};
using errand_ptr = std::shared_ptr<errand>;

/// For the connections of one session.
struct wire_order {
  std::uint64_t session;
  std::shared_ptr<peer_message> what;
};
using wire_orders = std::shared_ptr<std::vector<wire_order>>;

} // namespace edupulse

// Only local actors get these: what crosses the wire is Cap'n Proto.
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::wake)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::begin)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::stop)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::finish)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::handler_up)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::errand_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::batch_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::wire_orders)
