#pragma once
// WIRE: the broker around the switchboard, on the thread of CAF's multiplexer. It moves bytes
// between sockets and frames, does TLS on the way, and hands to the router what is the router's.
//
//   queue                     bound                          when full
//   write buffer, events      2 frames of the link           the router keeps them, in its outbox
//   write buffer, the rest    rest_max                       the session is cut
//   frames in the inbox       intake_max per session         the socket is not read
//   sockets on their way      256 accepted, 64 dialled       they wait in the kernel, or for later

#include "actors/inbox.hpp"
#include "actors/interfaces.hpp"
#include "actors/switchboard.hpp"
#include "runtime/tls/tls_context.hpp"
#include "runtime/wire/sockets.hpp"
#include <atomic>
#include <caf/io/all.hpp>
#include <deque>
#include <memory>
#include <unordered_map>

namespace edupulse {

struct wire_state;

/// What the wire needs of the node; outlives the actor.
class wire_host {
public:
  virtual ~wire_host() = default;
  virtual time_point now() const = 0;
  /// Sends `wake` at `when`, or earlier.
  virtual void arm_wire(time_point when) = 0;
  virtual void say(bool trouble, std::string_view text) = 0;
  virtual void member_changed(const membership_effects::changed& what) = 0;
  virtual void self_changed(const membership_effects::self_changed& what) = 0;
};

struct wire_setup {
  switchboard::settings core;
  edupulse::membership members;
  std::uint64_t seed = 1;
  std::vector<std::string> seeds;
  std::shared_ptr<inbox> mail;
  wire_host* host = nullptr;
  std::shared_ptr<acceptor> door;
  std::shared_ptr<tls_context> tls; ///< null: plain text
  bool loopback_only = true;
  std::shared_ptr<wire_hook> hook; ///< of a simulation, or null
};

/// A closure of the node's; runs on the multiplexer's thread.
struct wire_errand {
  std::function<void(wire_state&)> run;
};
using wire_errand_ptr = std::shared_ptr<wire_errand>;

/// The router has taken what the wire had left for it.
struct read_on {
  std::uint64_t session;
};

struct wire_state {
  static inline const char* name = "edupulse.wire";
  static constexpr std::size_t read_at_least = 4u << 10;
  static constexpr std::size_t read_at_most = 256u << 10;
  /// More is left to CAF whole: what the kernel does not take of it would have to be moved.
  static constexpr std::size_t at_once_max = 512u << 10;
  static constexpr duration tell_arriving_every = std::chrono::seconds(1);
  static constexpr std::size_t rest_max = 8u << 20;
  static constexpr std::size_t intake_max = 8u << 20;

  explicit wire_state(caf::io::broker* actor) : self(actor) {}

  void open(std::shared_ptr<wire_setup> given);
  void wake();
  void write_all(const wire_orders& what);
  void take(const new_socket& what);
  void on_data(const caf::io::new_data_msg& what);
  void on_written(const caf::io::data_transferred_msg& what);
  void on_closed(const caf::io::connection_closed_msg& what);
  void read_again(std::uint64_t session);
  /// Takes no more events from anybody; all else goes on.
  void quiesce();
  void leave();
  void finish();
  /// Reads the certificates again. Errors: of tls_context::reload; what was in use stays in use.
  expected<void> reload();

  // -- reading, from an errand --------------------------------------------------------------
  const switchboard& core() const noexcept { return *board; }
  std::uint64_t tls_failures() const noexcept { return tls_failed; }

private:
  struct connection {
    connection_id id = 0;
    caf::io::connection_handle handle;
    std::optional<tls_session> tls;
    bool secured = false;
    std::uint64_t queued = 0;                                   ///< bytes, ever
    std::uint64_t written = 0;                                  ///< of them
    std::deque<std::pair<std::uint64_t, std::uint64_t>> frames; ///< end of events, session
    std::optional<time_point> closing;                          ///< at the latest
    bool halted = false;
    bool touched = false;                   ///< has bytes that this turn has added
    std::uint64_t session = 0;              ///< whose events come here; 0: nobody's
    std::optional<time_point> frame_begins; ///< of events, or when it was last told of
    std::size_t reading = read_at_least;    ///< bytes, at most, the next time
    std::uint64_t pending() const noexcept { return queued - written; }
  };
  /// What lies in the inbox of one session's events.
  struct intake {
    std::atomic<std::size_t> bytes{0};
    std::atomic<bool> halted{false};
  };
  struct live_session {
    peer_session with;
    std::shared_ptr<intake> taken;
  };

  void settle();
  void carry_out();
  void perform(switchboard_effect& what);
  void make_connection(const new_socket& what);
  void size_next_read(connection& of, std::size_t got);
  void on_plain(connection& from, std::span<const std::byte> bytes);
  void on_cipher(connection& from, std::span<const std::byte> bytes);
  void write_for_switchboard(const switchboard_effects::write& what);
  void write(connection& to, std::span<const char> bytes);
  template <class F> void append(connection& to, F into);
  void send_out();
  std::size_t send_now(connection& to);
  void has_written(connection& to, std::uint64_t bytes);
  void close(connection_id which);
  void end_now(connection& which);
  void for_router(const switchboard_effects::for_router& what);
  void frame_for_router(live_session& of, std::span<const std::byte> body);
  void write_one(const wire_order& what);
  void check_certificates();
  void warn_of_expiry();
  connection* find(connection_id which);
  connection* find(caf::io::connection_handle which);

  caf::io::broker* self;
  std::shared_ptr<wire_setup> setup;
  std::unique_ptr<switchboard> board;
  std::unique_ptr<dialer> dials;
  switchboard::effects effects;
  std::unordered_map<std::int64_t, connection> connections; ///< by CAF's handle
  std::unordered_map<connection_id, std::int64_t> handles;
  std::unordered_map<std::uint64_t, live_session> sessions;
  connection_id next_id = 1;
  std::uint64_t tls_failed = 0; ///< connections that were closed for it
  time_point armed = time_point::max();
  time_point next_certificates{};
  time_point next_warning{};
  std::vector<caf::io::connection_handle> touched;
  frame_bytes scratch;
  std::vector<char> plain;
  bool quiet = false;
  bool over = false;
};

/// Counts what `into` puts into the write buffer; the end of the turn lets it go.
template <class F> void wire_state::append(connection& to, F into) {
  auto& buffer = self->wr_buf(to.handle);
  const auto before = buffer.size();
  into(buffer);
  to.queued += buffer.size() - before;
  if (buffer.size() > before && !std::exchange(to.touched, true))
    touched.push_back(to.handle);
}

caf::behavior wire_behavior(caf::stateful_actor<wire_state, caf::io::broker>* self,
                            std::shared_ptr<wire_setup> setup);

} // namespace edupulse

CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::new_socket)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::wire_errand_ptr)
CAF_ALLOW_UNSAFE_MESSAGE_TYPE(edupulse::read_on)
